"""What to do about proposals: planned ones against the branches that are there.

A table over what was planned and what stands on the remote (`peers.md` 3.4, `product.md` 10.8
to 10.11): open, refresh in place, leave, delete, or leave to the person who edited it. Every
pair of states has a row in `decide`; nothing else decides. A plan that is not known, because a
registry failed, never closes anything (rule P-safe of the failure model).

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.planning.remembered import ChangeRecord, ClosedRecord
from bot.proposals.closed import without_closed
from bot.proposals.openings import at_its_gate, one_merge, pushed_first
from bot.proposals.paused import beside_paused, steps_of_paused
from bot.proposals.steps import (
    Circumstances,
    OpenBranch,
    Operation,
    Standing,
    Step,
    changes_of,
)
from bot.proposals.turns import in_their_windows, limited, limited_pushes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from bot.planning.plan import PlannedProposal
    from bot.planning.remembered import Remembered

__all__ = [
    "Circumstances",
    "OpenBranch",
    "Operation",
    "Standing",
    "Step",
    "changes_of",
    "decide",
]


def decide(
    planned: Iterable[PlannedProposal],
    branches: Mapping[str, OpenBranch],
    remembered: Remembered,
    around: Circumstances,
) -> list[Step]:
    """Return the steps that bring the remote's proposals in line with the plan.

    Closing comes before opening, so that limits do not block.
    """
    everything = {one.branch: one for one in planned}
    wanted = {one.branch: one for one in beside_paused(everything.values(), branches)}
    recorded = {one.branch: one for one in remembered.proposals}
    closing: list[Step] = []
    keeping = steps_of_paused(everything, branches)
    opening: list[Step] = []
    for branch, found in sorted(branches.items()):
        if branch not in wanted and not found.paused:
            step = _unwanted(found, around, wanted)
            (closing if step.operation is Operation.CLOSED else keeping).append(step)
    for branch, one in sorted(wanted.items()):
        found = branches.get(branch) or OpenBranch(branch=branch, head="", standing=Standing.ABSENT)
        was_open = recorded[branch].changes if branch in recorded else ()
        step = _wanted(one, found, frozenset(was_open), remembered, around)
        step = at_its_gate(step, found, around)
        rows = {Operation.OPENED: opening, Operation.CLOSED: closing}
        rows.get(step.operation, keeping).append(step)
    still_open = sum(1 for step in keeping if step.operation in _OPEN_OPERATIONS)
    limits, now = around.limits, around.now
    opened = around.opened or tuple(one.opened for one in remembered.proposals)
    turns = limited(in_their_windows(opening, around), still_open, opened, around)
    return one_merge(
        [
            *closing,
            *limited_pushes(in_their_windows(keeping, around), remembered, limits, now),
            *(pushed_first(step, around) for step in turns),
        ]
    )


_OPEN_OPERATIONS = {
    Operation.REFRESHED,
    Operation.UNCHANGED,
    Operation.LEFT,
    Operation.PAUSED,
}


def _unwanted(
    found: OpenBranch, around: Circumstances, wanted: Mapping[str, PlannedProposal]
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
        case _ if found.key in around.unknown_keys:
            return step(Operation.UNCHANGED, "what is newest could not be asked; it stays as it is")
        case _:
            successor = _successor(found, wanted)
            return step(
                Operation.CLOSED,
                f"its changes moved to {successor}" if successor else _why_gone(found, around),
                successor=successor,
            )


def _why_gone(found: OpenBranch, around: Circumstances) -> str:
    """Say why nothing is left of a proposal, as exactly as is known."""
    held = sorted({around.held[one.policy] for one in found.changes if one.policy in around.held})
    if held:
        return f"nothing is left to change: {'; '.join(held)}"
    return "nothing is left to change: the base has it, or its policy went"


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
            # On a forge a deleted branch closes its proposal, and a close is a no.
            way = "comment `/recreate`" if found.number else "delete it"
            return step(
                Operation.LEFT, f"a person pushed to this branch; {way} to have it made anew"
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


_WHAT_MAY_COME = "what may come now has changed"


def _of_ours(
    found: OpenBranch, changes: frozenset[ChangeRecord], around: Circumstances
) -> tuple[Operation, str]:
    if found.changes != changes:
        held = {one.policy for one in found.changes} & set(around.held)
        return Operation.REFRESHED, _WHAT_MAY_COME if held else "there is something newer"
    if found.conflicts:
        return Operation.REFRESHED, "the base moved what stands at its changes"
    if found.branch in around.wishes.rebase | around.wishes.recreate and found.behind:
        return Operation.REFRESHED, "a person asked to have it made on the base as it is now"
    if found.behind and around.up_to_date:
        return Operation.REFRESHED, "the base takes only what is made on its tip"
    return Operation.UNCHANGED, "it is up to date"
