"""What to do about proposals: planned ones against the branches that are there.

A table over what was planned and what stands on the remote (`peers.md` 3.4, `product.md` 10.8
to 10.11): open, refresh in place, leave, delete, or leave to the person who edited it. Every
pair of states has a row in `decide`; nothing else decides. A plan that is not known, because a
registry failed, never closes anything (rule P-safe of the failure model).

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import Enum
from typing import TYPE_CHECKING

from bot.config.schedule import is_open, next_opening
from bot.planning.grouping import kind_of
from bot.planning.remembered import ChangeRecord, ClosedRecord
from bot.proposals.closed import without_closed
from bot.proposals.wishes import Wishes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from bot.config.model import Limits
    from bot.planning.plan import PlannedProposal, Update
    from bot.planning.remembered import Remembered

_HOUR = timedelta(hours=1)


class Standing(Enum):
    """What the branch of a proposal is found to be."""

    ABSENT = "absent"
    OURS = "ours"  # its head is our recorded commit and reproduces the recorded plan
    EDITED = "edited"  # grown on ours: a person pushed to it
    FOREIGN = "foreign"  # of our name, and not ours
    MERGED = "merged"  # its head is in the base, or the forge merged it
    UNPROPOSED = "unproposed"  # ours, and the forge has no open proposal for it
    REFUSED = "refused"  # ours as it was when a person closed its proposal


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenBranch:
    """A branch under our prefix as it stands on the remote.

    `changes` are those recorded in its trailers; `conflicts` is true where the base has moved
    one of its files since it was made, `behind` where the base has moved at all. `number` is
    that of its open proposal on a forge.
    """

    branch: str
    head: str
    standing: Standing
    key: str = ""
    changes: frozenset[ChangeRecord] = frozenset()
    conflicts: bool = False
    behind: bool = False
    number: int = 0


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
    """One thing to do to one proposal, with the reason.

    `number` is that of the open proposal on a forge, `ignored` what a person closed before and
    is left out, `successor` the branch that its changes moved to. `stands`: the branch holds
    exactly what is planned already, so that nothing is to be pushed.
    """

    operation: Operation
    branch: str
    key: str
    reason: str
    planned: PlannedProposal | None = None
    expected: str = ""
    remember_closed: frozenset[ChangeRecord] = frozenset()
    number: int = 0
    ignored: tuple[Update, ...] = ()
    successor: str = ""
    stands: bool = False


def changes_of(planned: PlannedProposal) -> frozenset[ChangeRecord]:
    """Return what a proposal changes, as it is recorded."""
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What a run knows beside the plan and the branches.

    `unknown_keys` are the proposals whose plan could not be made in this run; they stay as they
    are. `opened` are the moments at which proposals were opened lately, where the memory's own
    do not tell, and `pushed` when each branch was pushed last. `up_to_date`: the base takes only
    what is made on its tip.
    """

    limits: Limits
    now: datetime
    unknown_keys: frozenset[str] = frozenset()
    opened: tuple[datetime, ...] = ()
    pushed: Mapping[str, datetime] = field(default_factory=dict)
    wishes: Wishes = field(default_factory=Wishes)
    up_to_date: bool = False


def decide(
    planned: Iterable[PlannedProposal],
    branches: Mapping[str, OpenBranch],
    remembered: Remembered,
    around: Circumstances,
) -> list[Step]:
    """Return the steps that bring the remote's proposals in line with the plan.

    Closing comes before opening, so that limits do not block.
    """
    wanted = {one.branch: one for one in planned}
    recorded = {one.branch: one for one in remembered.proposals}
    closing: list[Step] = []
    keeping: list[Step] = []
    opening: list[Step] = []
    for branch, found in sorted(branches.items()):
        if branch not in wanted:
            step = _unwanted(found, around.unknown_keys, wanted)
            (closing if step.operation is Operation.CLOSED else keeping).append(step)
    for branch, one in sorted(wanted.items()):
        found = branches.get(branch) or OpenBranch(branch=branch, head="", standing=Standing.ABSENT)
        was_open = recorded[branch].changes if branch in recorded else ()
        step = _wanted(one, found, frozenset(was_open), remembered, around)
        rows = {Operation.OPENED: opening, Operation.CLOSED: closing}
        rows.get(step.operation, keeping).append(step)
    still_open = sum(1 for step in keeping if step.operation in _OPEN_OPERATIONS)
    limits, now = around.limits, around.now
    opened = around.opened or tuple(one.opened for one in remembered.proposals)
    return [
        *closing,
        *_limited_pushes(_in_their_windows(keeping, around), remembered, limits, now),
        *_limited(_in_their_windows(opening, around), still_open, opened, around),
    ]


_OPEN_OPERATIONS = {Operation.REFRESHED, Operation.UNCHANGED, Operation.LEFT}


def _unwanted(
    found: OpenBranch, unknown_keys: frozenset[str], wanted: Mapping[str, PlannedProposal]
) -> Step:
    def step(operation: Operation, reason: str, *, successor: str = "") -> Step:
        return Step(
            operation=operation,
            branch=found.branch,
            key=found.key,
            reason=reason,
            expected=found.head,
            number=found.number,
            successor=successor,
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
        case Standing.REFUSED:
            return step(Operation.IGNORED, "a person closed it; its branch is left as it is")
        case _ if found.key in unknown_keys:
            return step(Operation.UNCHANGED, "what is newest could not be asked; it stays as it is")
        case _:
            successor = _successor(found, wanted)
            return step(
                Operation.CLOSED,
                f"its changes moved to {successor}"
                if successor
                else "nothing is left to change: the base has it, or it is held",
                successor=successor,
            )


def _successor(found: OpenBranch, wanted: Mapping[str, PlannedProposal]) -> str:
    """Return the branch that now plans a field of this proposal, empty where none does."""
    fields = {(one.file, one.policy) for one in found.changes}
    return next(
        (
            branch
            for branch, one in sorted(wanted.items())
            if fields & {(u.file, u.binding.policy_name) for u in one.updates}
        ),
        "",
    )


def _wanted(
    one: PlannedProposal,
    found: OpenBranch,
    was_open: frozenset[ChangeRecord],
    remembered: Remembered,
    around: Circumstances,
) -> Step:
    gone = was_open if found.standing is Standing.ABSENT else frozenset()
    closed = [
        *remembered.closed,
        ClosedRecord(key=one.key, when=around.now, changes=tuple(sorted(gone))),
    ]
    open_now = found.changes if found.standing is Standing.OURS else ()
    left, ignored = without_closed(one, closed, remembered.unholds, open_now=open_now)

    def step(operation: Operation, reason: str) -> Step:
        return Step(
            operation=operation,
            branch=one.branch,
            key=one.key,
            reason=reason,
            planned=left or one,
            expected=found.head,
            remember_closed=gone,
            number=found.number,
            ignored=ignored,
            stands=found.standing is Standing.UNPROPOSED
            and not found.conflicts
            and found.changes == changes_of(left or one),
        )

    match found.standing:
        case Standing.FOREIGN:
            return step(
                Operation.REFUSED,
                "a branch of this name exists that we did not make; rename or delete it",
            )
        case Standing.EDITED if one.branch not in around.wishes.recreate:
            return step(
                Operation.LEFT,
                "a person pushed to this branch; delete it to have it made anew",
            )
        case _ if left is None:
            return step(*_all_closed(found, was_open=bool(gone)))
        case Standing.EDITED:
            return step(Operation.REFRESHED, "a person asked to have it made anew")
        case Standing.OURS:
            return step(*_of_ours(found, changes_of(left), around))
        case Standing.MERGED:
            return step(Operation.OPENED, "the one before is merged, and there is something newer")
        case Standing.UNPROPOSED:
            return step(Operation.OPENED, "its branch stands, and no proposal is open for it")
        case _:
            return step(Operation.OPENED, "there is something newer")


def _all_closed(found: OpenBranch, *, was_open: bool) -> tuple[Operation, str]:
    """Say what becomes of a proposal of which a person closed everything."""
    match found.standing:
        case Standing.OURS | Standing.UNPROPOSED:
            return (
                Operation.CLOSED,
                "what is left is what a person closed; it waits for something new",
            )
        case Standing.MERGED:
            return Operation.CLOSED, "it is merged; its branch is deleted"
        case _:
            how = " by deleting its branch" if was_open else ""
            return (
                Operation.IGNORED,
                f"a person closed exactly this{how}; it waits for something new",
            )


def _of_ours(
    found: OpenBranch, changes: frozenset[ChangeRecord], around: Circumstances
) -> tuple[Operation, str]:
    if found.changes != changes:
        return Operation.REFRESHED, "there is something newer"
    if found.conflicts:
        return Operation.REFRESHED, "the base moved a file that it changes"
    if found.branch in around.wishes.rebase | around.wishes.recreate and found.behind:
        return Operation.REFRESHED, "a person asked to have it made on the base as it is now"
    if found.behind and around.up_to_date:
        return Operation.REFRESHED, "the base takes only what is made on its tip"
    return Operation.UNCHANGED, "it is up to date"


def _in_their_windows(steps: list[Step], around: Circumstances) -> list[Step]:
    """Open and refresh within the update's schedule; outside of it the step says until when."""
    return [_at_its_pace(_in_its_window(step, around.now), around) for step in steps]


def _in_its_window(step: Step, now: datetime) -> Step:
    schedule = step.planned.update.schedule if step.planned else None
    if schedule is None or step.operation not in _PUSHES:
        return step
    if is_open(schedule, now):
        return step
    opening = next_opening(schedule, now)
    return _waiting(step, f"its schedule opens at {opening.isoformat(timespec='minutes')}")


def _at_its_pace(step: Step, around: Circumstances) -> Step:
    """Let new digests of tags that stay wait until the last ones are old enough (`peers.md` 2)."""
    planned = step.planned
    last = around.pushed.get(step.branch)
    if planned is None or last is None or step.operation not in _PUSHES:
        return step
    if any(kind_of(one, planned.updates) != "digest" for one in planned.updates):
        return step
    next_one = last + planned.update.digests.every
    if next_one <= around.now:
        return step
    return _waiting(step, f"new digests wait until {next_one.isoformat(timespec='minutes')}")


_PUSHES = {Operation.OPENED, Operation.REFRESHED}
_PRIORITY = {"patch": 0, "minor": 1, "other": 2, "major": 3, "digest": 4}


def _urgency(step: Step) -> tuple[bool, int, str]:
    """Order by what must go first: a tag that is denied, then the smaller step (`peers.md` 3.5)."""
    updates = step.planned.updates if step.planned else ()
    is_fine = not any(_is_denied(one) for one in updates)
    size = max((_PRIORITY.get(one.update_type, 2) for one in updates), default=9)
    return is_fine, size, step.key


def _is_denied(update: Update) -> bool:
    return any(one.tag == update.from_tag for one in update.binding.policy.gates.deny)


def _limited(
    opening: list[Step],
    still_open: int,
    opened: Iterable[datetime],
    around: Circumstances,
) -> list[Step]:
    """Open what was asked for first, then the most urgent; the rest waits and says for what."""
    limits = around.limits
    recent = sum(1 for moment in opened if around.now - moment < _HOUR)
    steps: list[Step] = []
    asked_for = around.wishes.approve
    for step in sorted(opening, key=lambda one: (one.branch not in asked_for, _urgency(one))):
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
    return replace(step, operation=Operation.WAITING, reason=reason)
