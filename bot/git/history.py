"""Reads commits: who, when, why, with which parents, and what each changed.

All of it needs commits and trees alone, no blob, so that looking far back stays cheap where
blobs were left out. What is far back may have to be fetched first: `bot.git.remote` does.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING

from bot.git.faults import CorruptCacheError
from bot.git.names import Sha
from bot.git.trailers import Trailer, read_trailers

if TYPE_CHECKING:
    from bot.git.command import Git

_FIELDS = "%H%x00%P%x00%T%x00%an%x00%ae%x00%ct%x00%B"
_FIELD_COUNT = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a commit did to one path; None for `old` is an addition, for `new` a removal.

    Modes are as git writes them, `000000` where there is nothing.
    """

    old: Sha | None
    new: Sha | None
    old_mode: str
    new_mode: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """One commit. `when` is when it was committed, in UTC, to the second.

    `author` is `name <email>` as written, foreign text. `changes` is what it changed against
    its first parent, by path, and empty where that was not asked for.
    """

    sha: Sha
    parents: tuple[Sha, ...]
    tree: Sha
    author: str
    when: datetime
    message: str
    changes: Mapping[str, Change] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def trailers(self) -> tuple[Trailer, ...]:
        """Return the trailers of the message, in order."""
        return read_trailers(self.message)

    @property
    def subject(self) -> str:
        """Return the first line of the message."""
        return self.message.split("\n", 1)[0]


async def read_commits(
    git: Git,
    revisions: Sequence[str],
    *,
    limit: int,
    first_parents: bool = False,
    with_changes: bool = False,
    paths: Sequence[str] = (),
) -> list[Commit]:
    """Return up to `limit` commits reachable from `revisions`, newest first.

    `with_changes` adds what each changed against its first parent. `paths` leaves out the
    commits, and of the others the changes, that touch nothing there.

    Raises:
        CorruptCacheError: A commit is not here or cannot be read.
    """
    nonce = secrets.token_hex(8)
    options = ["-z", f"--max-count={limit}", f"--format=tformat:{nonce}{_FIELDS}", "--no-mailmap"]
    options += ["--no-show-signature", "--no-notes", "--no-decorate"]
    if first_parents:
        options.append("--first-parent")
    if with_changes:
        options += ["--raw", "-r", "--no-renames", "--no-abbrev", "--root"]
        options += ["--diff-merges=first-parent"]
    where = ["--", *(f":(top,literal){path}" for path in paths)] if paths else ["--"]
    result = await git.local("log", *options, "--end-of-options", *revisions, *where)
    tokens = result.stdout.decode("utf-8", "surrogateescape").split("\0")
    return _parse(git, tokens, nonce)


async def merge_base(git: Git, one: Sha, other: Sha) -> Sha | None:
    """Return the best common ancestor, or None when there is none here."""
    result = await git.local("merge-base", "--end-of-options", one, other, accepted=(0, 1))
    return Sha(result.stdout.decode("ascii").strip()) if result.code == 0 else None


async def is_ancestor(git: Git, old: Sha, new: Sha) -> bool:
    """Tell whether `old` is `new` or one of its ancestors, as far as they are here."""
    result = await git.local(
        "merge-base", "--is-ancestor", "--end-of-options", old, new, accepted=(0, 1)
    )
    return result.code == 0


def _parse(git: Git, tokens: Sequence[str], nonce: str) -> list[Commit]:
    commits: list[Commit] = []
    at = 0
    while at < len(tokens):
        if not tokens[at].startswith(nonce):
            if tokens[at].strip("\n"):
                raise CorruptCacheError(
                    "git's log cannot be read", where=git.where, hint="It is fetched anew"
                )
            at += 1
            continue
        sha, parents, tree, name, email, when, message = tokens[at : at + _FIELD_COUNT]
        at += _FIELD_COUNT
        changes: dict[str, Change] = {}
        while at < len(tokens) and tokens[at].lstrip("\n").startswith(":"):
            changes[tokens[at + 1]] = _change(tokens[at].lstrip("\n"))
            at += 2
        commits.append(
            Commit(
                sha=Sha(sha.removeprefix(nonce)),
                parents=tuple(Sha(parent) for parent in parents.split()),
                tree=Sha(tree),
                author=f"{name} <{email}>",
                when=datetime.fromtimestamp(int(when), UTC),
                message=message,
                changes=MappingProxyType(changes),
            )
        )
    return commits


def _change(raw: str) -> Change:
    old_mode, new_mode, old, new, _ = raw.removeprefix(":").split(" ", 4)
    return Change(old=_present(old), new=_present(new), old_mode=old_mode, new_mode=new_mode)


def _present(sha: str) -> Sha | None:
    return Sha(sha) if sha.strip("0") else None
