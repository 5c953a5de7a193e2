"""Reading below one folder and nowhere else: no links, nothing outside, within bounds.

The door to the files of a build (`reliability-security.md` M1, M3). A path is looked at part by
part; a link anywhere on it is refused, even one that stays inside.

Must not know what the files mean.
"""

from __future__ import annotations

import os
import posixpath
import stat
from pathlib import Path

from bot.errors import ConfigError, ProductError
from reconciler.build.kustomization import RefusedBuildError

MAX_FILE_BYTES = 10 * 1024 * 1024
MAX_TOTAL_BYTES = 100 * 1024 * 1024
MAX_FILES = 10_000


class MissingFileError(ConfigError):
    """Something that a kustomization names is not there."""


class ConfinedFolder:
    """A folder that is read from; paths are relative to it, with `/`, and `.` is itself.

    Whatever was read counts towards its bounds, so one of these serves one build.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self._files = 0
        self._bytes = 0

    def inside(self, folder: str, path: str, *, where: str) -> str:
        """Return `path`, seen from `folder`, as seen from the root.

        Raises:
            RefusedBuildError: It leads out of the root.
        """
        joined = posixpath.normpath(posixpath.join(folder, path))
        if posixpath.isabs(joined) or joined == ".." or joined.startswith("../"):
            raise RefusedBuildError(
                f"{path!r} leads out of {self.root}",
                where=where,
                hint="Copy it into the folder, or name a wider one with --root",
            )
        return joined

    def is_folder(self, path: str, *, where: str = "") -> bool:
        """Return whether there is a folder.

        Raises:
            RefusedBuildError: A link stands on the way, or it is neither file nor folder.
        """
        mode = self._mode(path, where)
        return mode is not None and stat.S_ISDIR(mode)

    def is_file(self, path: str, *, where: str = "") -> bool:
        """Return whether there is a regular file; raises as `is_folder` does."""
        mode = self._mode(path, where)
        return mode is not None and stat.S_ISREG(mode)

    def names(self, folder: str) -> list[str]:
        """Return the names in a folder, sorted."""
        try:
            return sorted(os.listdir(self.root / folder))
        except OSError as fault:
            raise _unreadable(folder, fault) from fault

    def read(self, path: str, *, where: str = "") -> bytes:
        """Return what a regular file holds.

        Raises:
            MissingFileError: There is none.
            RefusedBuildError: A link, a device, or more than a build may read.
        """
        if not self.is_file(path, where=where):
            raise missing(path, where)
        try:
            handle = os.open(self.root / path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            with os.fdopen(handle, "rb") as file:
                text = file.read(MAX_FILE_BYTES + 1)
        except OSError as fault:
            raise _unreadable(path, fault) from fault
        self._files += 1
        self._bytes += len(text)
        if len(text) > MAX_FILE_BYTES or self._bytes > MAX_TOTAL_BYTES or self._files > MAX_FILES:
            raise RefusedBuildError(
                f"a build reads at most {MAX_FILES} files, {MAX_FILE_BYTES} bytes each and"
                f" {MAX_TOTAL_BYTES} in all",
                where=path,
                hint="Divide the folder, or leave out what is no object",
            )
        return text

    def _mode(self, path: str, where: str) -> int | None:
        here = self.root
        mode: int | None = None
        for part in [] if path == "." else path.split("/"):
            here /= part
            try:
                mode = os.lstat(here).st_mode
            except (FileNotFoundError, NotADirectoryError):
                return None
            except (OSError, ValueError) as fault:
                raise _unreadable(path, fault) from fault
            if stat.S_ISLNK(mode):
                raise RefusedBuildError(
                    f"{path!r} is, or lies behind, a link",
                    where=where or path,
                    hint="Put the file itself there: a build follows no links",
                )
            if not stat.S_ISDIR(mode) and not stat.S_ISREG(mode):
                raise RefusedBuildError(
                    f"{path!r} is neither file nor folder", where=where or path, hint="Take it out"
                )
        return stat.S_IFDIR if mode is None else mode


def missing(path: str, where: str) -> MissingFileError:
    """Return the error for something that is named and not there."""
    return MissingFileError(
        f"{path!r} is not there", where=where, hint="Correct the path, or take the line out"
    )


def _unreadable(path: str, fault: Exception) -> ProductError:
    reason = fault.strerror if isinstance(fault, OSError) else str(fault)
    return ConfigError(f"it cannot be read: {reason}", where=path, hint="Look at its permissions")
