"""Moves one ref on the remote, and knows afterwards whether it moved.

Every push carries a lease: the commit the ref must still have, or that it must not exist
(finding E9), so no one's work is ever overwritten (I7). When the answer is lost the remote is
asked before anything is decided, and the very same commit is sent again, never a re-made one
(finding E8, FG4). One ref per push (FG5).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from bot.git.faults import (
    GitUnavailableError,
    MovedError,
    PushRefusedError,
    remote_lines,
    translate_network,
)
from bot.git.fetching import parse_refs, with_patience
from bot.process import Completed, ProgramTimeoutError
from bot.telemetry import shown

if TYPE_CHECKING:
    from bot.clock import Clock
    from bot.errors import ProductError
    from bot.git.command import Git
    from bot.git.names import Sha

_TRIES = 3
_PAUSE_S = 1.0  # before the same commit is sent again; arbitrary
_MOVED = re.compile(r"stale info|non-fast-forward|fetch first|needs force|already exists")
_RACED = re.compile(
    r"cannot lock ref|failed to update ref|incorrect old value|reference already exists"
)


class PushResult(Enum):
    """`PUSHED`: the ref has the commit by our push. `ALREADY`: it had it before."""

    PUSHED = "pushed"
    ALREADY = "already"


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A ref by its full name, where it must be (None: it must not exist) and where it goes.

    `new` None deletes it.
    """

    ref: str
    expected: Sha | None
    new: Sha | None


async def move_ref(git: Git, clock: Clock, move: Move) -> PushResult:
    """Make the remote's ref what `move` says.

    Safe to repeat: the second time it finds the ref moved already.

    Raises:
        MovedError: The ref is somewhere else; it was left alone.
        PushRefusedError: A hook or a rule of the remote refuses; says what it said.
        GitAccessError: We may not push.
        GitUnavailableError: The remote is down; `move` may be tried again later.
    """
    for attempt in range(1, _TRIES + 1):
        fault = await _try(git, move)
        if isinstance(fault, PushResult):
            return fault if attempt == 1 else PushResult.PUSHED
        if not isinstance(fault, (GitUnavailableError, MovedError, ProgramTimeoutError)):
            raise fault
        found = await ask(git, clock, move.ref)
        if found == move.new:
            return PushResult.ALREADY if isinstance(fault, MovedError) else PushResult.PUSHED
        if found != move.expected:
            raise MovedError(
                f"{_named(move.ref)} was moved by someone else meanwhile",
                where=git.where,
                hint="The change is planned again on what is there now",
            ) from fault
        if attempt == _TRIES:
            raise fault
        await clock.sleep(_PAUSE_S * attempt)
    raise AssertionError("unreachable")


async def ask(git: Git, clock: Clock, ref: str) -> Sha | None:
    """Return the commit that the remote's ref has now, None when there is no such ref."""
    result = await with_patience(
        git, clock, "ls-remote", "--refs", "--end-of-options", "origin", ref
    )
    return parse_refs(result.stdout).commits.get(ref)


async def _try(git: Git, move: Move) -> PushResult | ProductError:
    """Push once and return the outcome; a fault is returned, for the caller to look further."""
    try:
        result = await git.network(
            "push", "--porcelain", "--no-verify", "--no-follow-tags", "--no-signed",
            f"--force-with-lease={move.ref}:{move.expected or ''}",
            "--end-of-options", "origin", f"{move.new or ''}:{move.ref}",
        )  # fmt: skip
    except ProgramTimeoutError as fault:
        return fault
    flag, summary = _verdict(result, move.ref)
    if result.code == 0:
        return PushResult.ALREADY if flag == "=" else PushResult.PUSHED
    if flag == "!":
        return _rejected(git, result, move, summary)
    return translate_network(result, where=git.where)


def _verdict(result: Completed, ref: str) -> tuple[str, str]:
    """Return the flag and the text of the porcelain line about `ref`; empty when there is none."""
    for line in result.stdout.decode("utf-8", "replace").splitlines():
        fields = line.split("\t")
        if len(fields) >= _FIELDS and fields[1].rpartition(":")[2] == ref:
            return fields[0], fields[2]
    return "", ""


_FIELDS = 3


def _rejected(git: Git, result: Completed, move: Move, summary: str) -> ProductError:
    if _MOVED.search(summary):
        return MovedError(f"{_named(move.ref)} is not where it was", where=git.where)
    if _RACED.search(summary):
        return MovedError(f"{_named(move.ref)} is being moved by someone else", where=git.where)
    if "remote failure" in summary or "unpacker error" in summary or "no match" in summary:
        return translate_network(result, where=git.where)
    said = remote_lines(result.error_text)
    reason = shown(summary.removeprefix("[remote rejected]").strip(" ()"))
    return PushRefusedError(
        f"the remote refused to change {_named(move.ref)} ({reason})"
        + (f". It said: {said}" if said else ""),
        where=git.where,
        hint=_ADMIT_US
        if _NO_RIGHT.search(said)
        else "Let the rule or hook admit this change, or deliver it another way "
        "(a pull request instead of a commit)",
    )


_NO_RIGHT = re.compile("permission denied|not allowed to push code", re.IGNORECASE)
_ADMIT_US = "Give the account of this token or key the right to write to the repository"


def _named(ref: str) -> str:
    branch = ref.removeprefix("refs/heads/")
    return f"branch {shown(branch)}" if branch != ref else shown(ref)
