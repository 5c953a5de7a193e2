"""Where the files of a run come from: a folder on disk, or one commit of a remote.

Both answer the same three questions, so that the journey does not know which it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from bot.errors import Problem, Severity
from bot.folder import visit

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from bot.git.names import Sha
    from bot.git.remote import Remote


def accepts(path: str) -> bool:
    """Return whether Flux's rule visits a file of this name (`image-automation.md` 3.3)."""
    return path.endswith((".yaml", ".yml")) or path.rpartition("/")[2] == "Kustomization"


def _as_they_are(file: str, content: bytes) -> tuple[str, bytes]:
    return file, content


class Tree(Protocol):
    """Files of one state of a repository."""

    @property
    def where(self) -> str:
        """Return what people call it."""

    async def read(self, path: str) -> bytes | None:
        """Return one file, `None` when there is none."""

    async def containing(
        self, needles: Sequence[bytes], paths: Sequence[str]
    ) -> tuple[list[tuple[str, bytes]], list[Problem]]:
        """Return the YAML files below `paths` that hold one of `needles`, and what failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderTree:
    """A folder on disk; file names are relative to `root`."""

    root: Path

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

    async def containing(
        self, needles: Sequence[bytes], paths: Sequence[str]
    ) -> tuple[list[tuple[str, bytes]], list[Problem]]:
        """Return the YAML files below `paths` that hold one of `needles`, and what failed."""
        files: list[tuple[str, bytes]] = []
        problems: list[Problem] = []
        for below in paths or [""]:
            found = visit(self.root, below or None, needles, _as_they_are)
            files += found.results
            problems += found.problems
        return files, problems


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitTree:
    """One commit of a remote; nothing is checked out."""

    remote: Remote
    commit: Sha
    branch: str

    @property
    def where(self) -> str:
        """Return what people call it."""
        return f"{self.remote.url} ({self.branch})"

    async def read(self, path: str) -> bytes | None:
        """Return one file, `None` when there is none."""
        found = await self.remote.read(self.commit, [path])
        return found.get(path)

    async def containing(
        self, needles: Sequence[bytes], paths: Sequence[str]
    ) -> tuple[list[tuple[str, bytes]], list[Problem]]:
        """Return the YAML files below `paths` that hold one of `needles`, and what failed."""
        files = await self.remote.marked_files(self.commit, paths, needles, accepts)
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
