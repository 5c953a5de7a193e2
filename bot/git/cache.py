"""The bare cache of one remote: where it lies, whose turn it is, and what spoils it.

One folder per remote below the person's cache folder, with no work tree, so that nothing
in a repository can become a file of this machine (rules C4 to C6). A lock keeps processes
apart; under it, locks and half packs left by a killed git are removed (FG7), and a damaged
cache is set aside whole (FG8). Nothing in it is worth keeping: it can be fetched again.

Beside it stand the ids of blobs that are known to hold no marker, so that a later run reads
only what changed.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from platformdirs import user_cache_path

from bot.errors import RefusedError
from bot.git.faults import DiskFullError, GitUnavailableError
from bot.git.settings import OWN_SETTINGS, config_file

if TYPE_CHECKING:
    from bot.clock import Clock
    from bot.git.remote_url import RemoteUrl

_FORMAT = 1
_LOCK_WAIT_S = 300.0
_LOCK_PAUSE_S = 0.05
_MAX_PACKS = 100  # then fetching anew is cheaper than tidying; arbitrary
_MAX_LOOSE = 30  # files in one of 256 folders, as git's own gc.auto estimates
_MAX_REMEMBERED = 500_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Cache:
    """The folders of one remote; `git` is the bare repository."""

    folder: Path
    url: RemoteUrl

    @property
    def git(self) -> Path:
        """Return the bare repository's folder."""
        return self.folder / "git"

    def prepare(self) -> None:
        """Make an empty bare repository where none is, or tidy the one that is.

        Raises:
            DiskFullError: It cannot be written.
        """
        with _disk_faults(self.folder):
            if not self._is_usable():
                self.set_aside()
                for part in ("objects/info", "objects/pack", "refs/heads", "refs/pilotfish"):
                    (self.git / part).mkdir(parents=True, mode=0o700)
                (self.git / "HEAD").write_bytes(b"ref: refs/heads/.none\n")
                self._write_note({"format": _FORMAT, "url": self.url.text})
            else:
                self._remove_leftovers()
            self._write_config()

    def set_aside(self) -> None:
        """Move the repository away, keeping only the newest such wreck for a look."""
        wreck = self.folder / "damaged"
        shutil.rmtree(wreck, ignore_errors=True)
        with contextlib.suppress(FileNotFoundError):
            self.git.rename(wreck)

    @property
    def can_filter(self) -> bool | None:
        """Tell whether the server leaves blobs out when asked; None when not known yet."""
        found = self._note().get("filter")
        return found if isinstance(found, bool) else None

    def remember_filter(self, answer: bool) -> None:
        """Keep whether the server leaves blobs out, for later runs."""
        self._write_note(self._note() | {"filter": answer})

    @property
    def is_shallow(self) -> bool:
        """Tell whether history ends before its beginning."""
        return bool(self.shallow_commits())

    def shallow_commits(self) -> frozenset[str]:
        """Return the commits whose parents are not here."""
        try:
            return frozenset((self.git / "shallow").read_text("ascii").split())
        except (FileNotFoundError, UnicodeDecodeError):
            return frozenset()

    def unmarked(self, needles: Sequence[bytes]) -> set[str]:
        """Return the ids of blobs known to hold none of `needles`."""
        try:
            return set(self._memory(needles).read_text("ascii").split())
        except (FileNotFoundError, UnicodeDecodeError):
            return set()

    def remember_unmarked(self, needles: Sequence[bytes], blobs: Iterable[str]) -> None:
        """Keep the ids of blobs that hold none of `needles`; too many are forgotten whole."""
        kept = sorted(blobs)
        if len(kept) > _MAX_REMEMBERED:
            kept = []
        with _disk_faults(self.folder):
            _replace(self._memory(needles), "\n".join(kept).encode())

    def _memory(self, needles: Sequence[bytes]) -> Path:
        name = hashlib.sha256(b"\0".join(needles)).hexdigest()[:16]
        return self.folder / f"unmarked-{name}"

    def _is_usable(self) -> bool:
        note = self._note()
        return (
            note.get("format") == _FORMAT
            and note.get("url") == self.url.text
            and (self.git / "HEAD").is_file()
            and (self.git / "objects" / "pack").is_dir()
            and (self.git / "refs").is_dir()
            and len(list((self.git / "objects" / "pack").glob("*.pack"))) <= _MAX_PACKS
            and len(list((self.git / "objects").glob("17/*"))) <= _MAX_LOOSE
        )

    def _remove_leftovers(self) -> None:
        for path in self.git.rglob("*.lock"):
            path.unlink(missing_ok=True)
        (self.git / "gc.pid").unlink(missing_ok=True)
        for pattern in ("objects/pack/tmp_*", "objects/tmp_*", "objects/*/tmp_obj_*"):
            for path in self.git.glob(pattern):
                path.unlink() if path.is_file() else shutil.rmtree(path)
        for path in self.git.glob("objects/incoming-*"):
            shutil.rmtree(path)

    def _write_config(self) -> None:
        own = [
            ("core.repositoryformatversion", "0"),
            ("core.bare", "true"),
            ("core.filemode", "true"),
            *OWN_SETTINGS,
            ("remote.origin.url", _address(self.url)),
        ]
        _replace(self.git / "config", config_file(own))

    def _note(self) -> dict[str, object]:
        try:
            found = json.loads((self.git / "pilotfish.json").read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def _write_note(self, note: dict[str, object]) -> None:
        with _disk_faults(self.folder):
            _replace(self.git / "pilotfish.json", json.dumps(note).encode())


@contextlib.asynccontextmanager
async def open_cache(
    url: RemoteUrl, *, cache_folder: Path | None, clock: Clock
) -> AsyncIterator[Cache]:
    """Give the cache of `url`, ours alone until it is closed.

    Raises:
        RefusedError: The folder is another user's, or open to others.
        GitUnavailableError: Another process keeps it for longer than five minutes.
        DiskFullError: It cannot be written.
    """
    root = cache_folder if cache_folder is not None else user_cache_path("pilotfish")
    key = hashlib.sha256(_address(url).encode()).hexdigest()[:24]
    folder = root / "git" / key
    with _disk_faults(folder):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        _check_private(folder)
        lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        await _take_turn(lock, clock, url)
        cache = Cache(folder=folder, url=url)
        cache.prepare()
        yield cache
    finally:
        os.close(lock)


async def _take_turn(lock: int, clock: Clock, url: RemoteUrl) -> None:
    begun = clock.monotonic_s()
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if clock.monotonic_s() - begun > _LOCK_WAIT_S:
                raise GitUnavailableError(
                    "another run of pilotfish has been using this repository's cache for long",
                    where=url.text,
                    hint="Wait for it, stop it, or name another cache folder",
                ) from None
            await clock.sleep(_LOCK_PAUSE_S)
        else:
            return


def _check_private(folder: Path) -> None:
    status = folder.stat()
    if status.st_uid != os.geteuid() or status.st_mode & 0o077:
        raise RefusedError(
            "the cache folder belongs to another user or is open to others",
            where=str(folder),
            hint="Remove it, or name another cache folder",
        )


def _address(url: RemoteUrl) -> str:
    """Return the address as git gets it; a relative path is taken from where we stand."""
    is_plain_path = not url.host and not url.text.startswith("file://")
    return str(Path(url.path).expanduser().absolute()) if is_plain_path else url.text


def _replace(path: Path, content: bytes) -> None:
    scratch = path.with_name(path.name + ".new")
    scratch.write_bytes(content)
    scratch.replace(path)


@contextlib.contextmanager
def _disk_faults(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as fault:
        raise DiskFullError(
            f"the cached copy cannot be written ({fault.strerror})",
            where=str(folder),
            hint="Free some space, check the folder's rights, or name another cache folder",
        ) from fault
