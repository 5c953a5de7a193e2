"""What tests of Git start from: an opener with a private cache, and a clock that never waits."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from bot.git.names import Identity, Sha
from bot.git.remote import Remote, open_remote
from bot.git.settings import GitAccess
from tests.servers.remote import Remote as Stand

BOT = Identity(name="pilotfish", email="pilotfish@users.noreply.example.test")
WHEN = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
ANYONE = GitAccess()


@dataclass
class HastyClock:
    """Tells a fixed time of day and lets every wait pass at once, noting how long it was."""

    waits: list[float] = field(default_factory=list)
    ahead_s: float = 0.0

    def now(self) -> datetime:
        return WHEN

    def monotonic_s(self) -> float:
        return time.monotonic() + self.ahead_s

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.ahead_s += seconds


@dataclass(frozen=True)
class Opener:
    """Opens remotes with one cache folder, as one bot would."""

    cache_folder: Path
    clock: HastyClock

    def __call__(
        self,
        url: str,
        *,
        access: GitAccess = ANYONE,
        allow_file: bool = False,
        import_person: bool = False,
        person_folder: Path | None = None,
        cache_folder: Path | None = None,
    ) -> AbstractAsyncContextManager[Remote]:
        return open_remote(
            url,
            access=access,
            cache_folder=cache_folder or self.cache_folder,
            allow_file=allow_file,
            clock=self.clock,
            import_person=import_person,
            person_folder=person_folder,
        )

    def git_folder(self) -> Path:
        """Return the bare repository of the only remote opened so far."""
        (folder,) = self.cache_folder.glob("git/*/git")
        return folder


async def build(
    remote: Remote, parent: Sha, path: str = "a.yaml", content: bytes = b"image: x:2\n"
) -> Sha:
    """Build a commit that changes one file, and return it."""
    made = await remote.commit(parent, {path: content}, message="Update x", author=BOT, when=WHEN)
    assert made is not None
    return made


@contextmanager
def recorded_git(folder: Path, real: str) -> Iterator[tuple[Path, Path]]:
    """Make a folder whose `git` notes arguments and environment and then is the real one.

    Gives the folder, to be put before all others on the PATH, and the file of notes.
    """
    folder.mkdir()
    notes = folder / "notes"
    notes.touch()
    program = folder / "git"
    program.write_text(
        f'#!/bin/sh\n{{ for word in "$@"; do printf "argument %s\\n" "$word"; done; env; }}'
        f' >> {notes}\nexec {real} "$@"\n'
    )
    program.chmod(0o755)
    yield folder, notes


def plant(fleet: Stand, listing: str, *, branch: str = "main") -> str:
    """Put a commit whose tree is `listing`, as `git mktree` reads it, at the tip of a branch."""
    commit = hash_object(
        fleet,
        "commit",
        f"tree {mktree(fleet, listing)}\nauthor A <a@b.test> 0 +0000\n"
        "committer A <a@b.test> 0 +0000\n\nPlant\n",
    )
    fleet.git("update-ref", f"refs/heads/{branch}", commit)
    return commit


def mktree(fleet: Stand, listing: str) -> str:
    """Store a tree that people would have to make by hand, and return its id."""
    return _feed(fleet, ["mktree", "--missing"], listing)


def hash_object(fleet: Stand, kind: str, text: str) -> str:
    """Store an object as it is, faults and all, and return its id."""
    return _feed(fleet, ["hash-object", "-t", kind, "-w", "--stdin", "--literally"], text)


def _feed(fleet: Stand, arguments: list[str], text: str) -> str:
    done = subprocess.run(
        ["git", "--git-dir", str(fleet.folder), *arguments],
        input=text.encode(),
        capture_output=True,
        check=True,
    )
    return done.stdout.decode().strip()
