"""What to do about proposals: planned ones against the branches that are there.

A table over what was planned and what stands on the remote (`peers.md` 3.4, `product.md` 10.8
to 10.11): open, refresh in place, leave, delete, or leave to the person who edited it. Every
pair of states has a row in `decide`; nothing else decides. A plan that is not known, because a
registry failed, never closes anything (rule P-safe of the failure model).

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from typing import TYPE_CHECKING

from bot.config.schedule import is_open, next_opening

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from bot.config.model import Limits
    from bot.planning.plan import PlannedProposal
    from bot.planning.remembered import ChangeRecord, Remembered

_HOUR = timedelta(hours=1)


class Standing(Enum):
    """What the branch of a proposal is found to be."""

    ABSENT = "absent"
    OURS = "ours"  # its head is our recorded commit and reproduces the recorded plan
    EDITED = "edited"  # grown on ours: a person pushed to it
    FOREIGN = "foreign"  # of our name, and not ours
    MERGED = "merged"  # its head is in the base


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenBranch:
    """A branch under our prefix as it stands on the remote.

    `changes` are those recorded in its trailers; `conflicts` is true where the base has moved
    one of its files since it was made.
    """

    branch: str
    head: str
    standing: Standing
    key: str = ""
    changes: frozenset[ChangeRecord] = frozenset()
    conflicts: bool = False


class Operation(Enum):
    """What is done, in the words of the command's JSON."""

    OPENED = "opened"
    REFRESHED = "refreshed"
    CLOSED = "closed"
    UNCHANGED = "unchanged"
    WAITING = "waiting"
    IGNORED = "ignored"
    LEFT = "left"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing to do to one proposal, with the reason."""

    operation: Operation
    branch: str
    key: str
    reason: str
    planned: PlannedProposal | None = None
    expected: str = ""
    remember_closed: frozenset[ChangeRecord] = frozenset()


def changes_of(planned: PlannedProposal) -> frozenset[ChangeRecord]:
    """Return what a proposal changes, as it is recorded."""
    from bot.planning.remembered import ChangeRecord

    return frozenset(
        ChangeRecord(
            file=one.file,
            line=one.binding.field.line,
            policy=one.binding.policy_name,
            old=one.binding.field.value,
            new=one.value,
        )
        for one in planned.updates
    )


def decide(
    planned: Iterable[PlannedProposal],
    branches: Mapping[str, OpenBranch],
    remembered: Remembered,
    *,
    unknown_keys: frozenset[str],
    limits: Limits,
    now: datetime,
) -> list[Step]:
    """Return the steps that bring the remote's proposals in line with the plan.

    `unknown_keys` are the proposals whose plan could not be made in this run; they stay as they
    are. Closing comes before opening, so that limits do not block.
    """
    wanted = {one.branch: one for one in planned}
    recorded = {one.branch: one for one in remembered.proposals}
    closing: list[Step] = []
    keeping: list[Step] = []
    opening: list[Step] = []
    for branch, found in sorted(branches.items()):
        if branch not in wanted:
            step = _unwanted(found, unknown_keys)
            (closing if step.operation is Operation.CLOSED else keeping).append(step)
    for branch, one in sorted(wanted.items()):
        found = branches.get(branch) or OpenBranch(branch=branch, head="", standing=Standing.ABSENT)
        was_open = recorded[branch].changes if branch in recorded else ()
        step = _wanted(one, found, frozenset(was_open), remembered)
        rows = {Operation.OPENED: opening, Operation.CLOSED: closing}
        rows.get(step.operation, keeping).append(step)
    still_open = sum(1 for step in keeping if step.operation in _OPEN_OPERATIONS)
    return [
        *closing,
        *_limited_pushes(_in_their_windows(keeping, now), remembered, limits, now),
        *_limited(_in_their_windows(opening, now), still_open, remembered, limits, now),
    ]


_OPEN_OPERATIONS = {Operation.REFRESHED, Operation.UNCHANGED, Operation.LEFT}


def _unwanted(found: OpenBranch, unknown_keys: frozenset[str]) -> Step:
    def step(operation: Operation, reason: str) -> Step:
        return Step(
            operation=operation,
            branch=found.branch,
            key=found.key,
            reason=reason,
            expected=found.head,
        )

    match found.standing:
        case Standing.MERGED:
            return step(Operation.CLOSED, "it is merged; its branch is deleted")
        case Standing.EDITED:
            return step(
                Operation.LEFT, "a person pushed to this branch; it is theirs until it is deleted"
            )
        case Standing.FOREIGN:
            return step(
                Operation.LEFT, "a branch of our name that we did not make; it is never touched"
            )
        case _ if found.key in unknown_keys:
            return step(Operation.UNCHANGED, "what is newest could not be asked; it stays as it is")
        case _:
            return step(
                Operation.CLOSED, "nothing is left to change: the base has it, or it is held"
            )


def _wanted(
    one: PlannedProposal,
    found: OpenBranch,
    was_open: frozenset[ChangeRecord],
    remembered: Remembered,
) -> Step:
    changes = changes_of(one)

    def step(
        operation: Operation, reason: str, *, closed: frozenset[ChangeRecord] = frozenset()
    ) -> Step:
        return Step(
            operation=operation,
            branch=one.branch,
            key=one.key,
            reason=reason,
            planned=one,
            expected=found.head,
            remember_closed=closed,
        )

    match found.standing:
        case Standing.FOREIGN:
            return step(
                Operation.REFUSED,
                "a branch of this name exists that we did not make; rename or delete it",
            )
        case Standing.EDITED:
            return step(
                Operation.LEFT,
                "a person pushed to this branch; delete it to have it made anew",
            )
        case Standing.OURS:
            return step(*_of_ours(found, changes, remembered))
        case Standing.MERGED:
            return step(Operation.OPENED, "the one before is merged, and there is something newer")
        case _ if was_open and _same_set(was_open, changes):
            return step(
                Operation.IGNORED,
                "a person closed exactly this by deleting its branch; it waits for something new",
                closed=was_open,
            )
        case _ if _was_closed(remembered, changes):
            return step(
                Operation.IGNORED, "a person closed exactly this; it waits for something new"
            )
        case _:
            return step(
                Operation.OPENED, "there is something newer", closed=was_open or frozenset()
            )


def _of_ours(
    found: OpenBranch, changes: frozenset[ChangeRecord], remembered: Remembered
) -> tuple[Operation, str]:
    if found.changes == changes:
        if found.conflicts:
            return Operation.REFRESHED, "the base moved a file that it changes"
        return Operation.UNCHANGED, "it is up to date"
    if _was_closed(remembered, changes):
        return (
            Operation.CLOSED,
            "what is left is what a person closed; it waits for something new",
        )
    return Operation.REFRESHED, "there is something newer"


def _was_closed(remembered: Remembered, changes: frozenset[ChangeRecord]) -> bool:
    return any(_same_set(closed.changes, changes) for closed in remembered.closed)


def _same_set(before: Iterable[ChangeRecord], now: Iterable[ChangeRecord]) -> bool:
    """Compare what would be written, not from where: lines move, and so does the base."""
    return {(c.file, c.policy, c.new) for c in before} == {(c.file, c.policy, c.new) for c in now}


def _in_their_windows(steps: list[Step], now: datetime) -> list[Step]:
    """Open and refresh within the update's schedule; outside of it the step says until when."""
    return [_in_its_window(step, now) for step in steps]


def _in_its_window(step: Step, now: datetime) -> Step:
    schedule = step.planned.update.schedule if step.planned else None
    if schedule is None or step.operation not in {Operation.OPENED, Operation.REFRESHED}:
        return step
    if is_open(schedule, now):
        return step
    opening = next_opening(schedule, now)
    return _waiting(step, f"its schedule opens at {opening.isoformat(timespec='minutes')}")


_PRIORITY = {"patch": 0, "minor": 1, "other": 2, "major": 3, "digest": 4}


def _urgency(step: Step) -> tuple[int, str]:
    updates = step.planned.updates if step.planned else ()
    return max((_PRIORITY.get(one.update_type, 2) for one in updates), default=9), step.key


def _limited(
    opening: list[Step],
    still_open: int,
    remembered: Remembered,
    limits: Limits,
    now: datetime,
) -> list[Step]:
    """Open the most urgent first; the rest waits and says for what."""
    recent = sum(1 for one in remembered.proposals if now - one.opened < _HOUR)
    steps: list[Step] = []
    for step in sorted(opening, key=_urgency):
        if step.operation is not Operation.OPENED:
            steps.append(step)
        elif still_open >= limits.open:
            steps.append(_waiting(step, f"{limits.open} proposals are open, the limit"))
        elif recent >= limits.new_per_hour:
            steps.append(
                _waiting(step, f"{limits.new_per_hour} were opened within the hour, the limit")
            )
        else:
            still_open += 1
            recent += 1
            steps.append(step)
    return steps


def _limited_pushes(
    keeping: list[Step], remembered: Remembered, limits: Limits, now: datetime
) -> list[Step]:
    """Refresh only as often as the limit on pushes allows."""
    pushed = sum(1 for one in remembered.proposals for moment in one.pushed if now - moment < _HOUR)
    steps: list[Step] = []
    for step in keeping:
        if step.operation is Operation.REFRESHED:
            if pushed >= limits.pushes_per_hour:
                steps.append(
                    _waiting(step, f"{limits.pushes_per_hour} pushes within the hour, the limit")
                )
                continue
            pushed += 1
        steps.append(step)
    return steps


def _waiting(step: Step, reason: str) -> Step:
    return Step(
        operation=Operation.WAITING,
        branch=step.branch,
        key=step.key,
        reason=reason,
        planned=step.planned,
        expected=step.expected,
    )
