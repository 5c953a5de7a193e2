"""What a person closed is not proposed again: exactly those changes, until something newer.

A close says no to each change that the proposal held (`peers.md` 3.4, demand 10): what is
planned is what is left without them. A change counts as the same where file, policy and the
value to be written are the same; lines move, and so does the base. `unhold` lifts it.

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from bot.planning.holds import names_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bot.planning.plan import PlannedProposal, Update
    from bot.planning.remembered import ChangeRecord, ClosedRecord, UnholdRecord

Sameness = tuple[str, str, str]


def sameness(change: ChangeRecord) -> Sameness:
    """Return what makes two changes the same for a person."""
    return change.file, change.policy, change.new


def without_closed(
    planned: PlannedProposal,
    closed: Iterable[ClosedRecord],
    unholds: Iterable[UnholdRecord],
    *,
    open_now: Iterable[ChangeRecord] = (),
) -> tuple[PlannedProposal | None, tuple[Update, ...]]:
    """Return the proposal without what was closed (`None`: nothing is left), and what was left out.

    `open_now` are the changes of the proposal that is open: a person who opened it again after
    a close wants them.
    """
    wanted_again = {sameness(one) for one in open_now}
    said_no = [(one.when, {sameness(change) for change in one.changes}) for one in closed]
    lifted = list(unholds)

    def is_closed(update: Update) -> bool:
        same = (update.file, update.binding.policy_name, update.value)
        if same in wanted_again:
            return False
        return any(
            same in changes
            and not any(
                unhold.when >= when
                and unhold.policy in names_of(update.binding)
                and unhold.tag in {"", update.to_tag}
                for unhold in lifted
            )
            for when, changes in said_no
        )

    ignored = tuple(one for one in planned.updates if is_closed(one))
    if not ignored:
        return planned, ()
    left = tuple(one for one in planned.updates if one not in ignored)
    return (replace(planned, updates=left) if left else None), ignored
