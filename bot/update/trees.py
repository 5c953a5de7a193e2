"""Where the files of a run come from: a folder on disk, or one commit of a remote.

Both answer the same three questions, so that the journey does not know which it is. A run looks
for two kinds of file, Flux's objects first and marked fields then; they are read together.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from bot.config.flux import NEEDLES as FLUX_NEEDLES
from bot.errors import Problem, Severity
from bot.folder import visit
from bot.rewrite.tree import NEEDLES

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from pathlib import Path

    from bot.git.names import Sha
    from bot.git.remote import Remote

Found = tuple[list[tuple[str, bytes]], list[Problem]]
_SOUGHT = (*FLUX_NEEDLES, *NEEDLES)


def accepts(path: str) -> bool:
    """Return whether Flux's rule visits a file of this name (`image-automation.md` 3.3)."""
    return path.endswith((".yaml", ".yml")) or path.rpartition("/")[2] == "Kustomization"


def _as_they_are(file: str, content: bytes) -> tuple[str, bytes]:
    return file, content


@dataclass(slots=True)
class _ReadAhead:
    """What the first reading of a whole tree found for the second, which takes it and ends it."""

    left: Found | None = None

    async def taken(
        self, needles: Sequence[bytes], paths: Sequence[str], read: Callable[[], Awaitable[Found]]
    ) -> Found:
        """Return what holds one of `needles`, which are of _SOUGHT.

        Of some `paths` nothing is kept; a problem is told to the first asker alone.
        """
        left, self.left = self.left, None
        found = left if left is not None and not paths else await read()
        if left is None and not paths:
            others = [one for one in _SOUGHT if one not in needles]
            self.left = _with_one_of(others, (found[0], []))
        return _with_one_of(needles, found)


def _with_one_of(needles: Sequence[bytes], found: Found) -> Found:
    files, problems = found
    return [one for one in files if any(needle in one[1] for needle in needles)], list(problems)


class Tree(Protocol):
    """Files of one state of a repository."""

    @property
    def where(self) -> str:
        """Return what people call it."""

    async def read(self, path: str) -> bytes | None:
        """Return one file, `None` when there is none."""

    async def containing(self, needles: Sequence[bytes], paths: Sequence[str]) -> Found:
        """Return the YAML files below `paths` that hold one of `needles`, and what failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderTree:
    """A folder on disk; file names are relative to `root`."""

    root: Path
    _ahead: _ReadAhead = field(default_factory=_ReadAhead, init=False, repr=False, compare=False)

    @property
    def where(self) -> str:
        """Return what people call it."""
        return str(self.root)

    async def read(self, path: str) -> bytes | None:
        """Return one file, `None` when there is none."""
        try:
            return (self.root / path).read_bytes()
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            return None

    async def containing(self, needles: Sequence[bytes], paths: Sequence[str]) -> Found:
        """Return the YAML files below `paths` that hold one of `needles`, and what failed."""
        return await self._ahead.taken(needles, paths, lambda: self._read(paths))

    async def _read(self, paths: Sequence[str]) -> Found:
        files: list[tuple[str, bytes]] = []
        problems: list[Problem] = []
        for below in paths or [""]:
            found = visit(self.root, below or None, _SOUGHT, _as_they_are)
            files += found.results
            problems += found.problems
        return files, problems


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitTree:
    """One commit of a remote; nothing is checked out."""

    remote: Remote
    commit: Sha
    branch: str
    _ahead: _ReadAhead = field(default_factory=_ReadAhead, init=False, repr=False, compare=False)

    @property
    def where(self) -> str:
        """Return what people call it."""
        return f"{self.remote.url} ({self.branch})"

    async def read(self, path: str) -> bytes | None:
        """Return one file, `None` when there is none."""
        found = await self.remote.read(self.commit, [path])
        return found.get(path)

    async def containing(self, needles: Sequence[bytes], paths: Sequence[str]) -> Found:
        """Return the YAML files below `paths` that hold one of `needles`, and what failed."""
        return await self._ahead.taken(needles, paths, lambda: self._read(paths))

    async def _read(self, paths: Sequence[str]) -> Found:
        files = await self.remote.marked_files(self.commit, paths, _SOUGHT, accepts)
        passed = [
            Problem(
                severity=Severity.WARNING,
                message=f"the file was passed over: {why}",
                file=file,
                hint="Split it, if it is to be looked at",
            )
            for file, why in self.remote.passed_over.items()
        ]
        return files, passed
