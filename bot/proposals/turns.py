"""Whose turn it is: schedules, the pace of digests, limits, and what must go first.

What may not be done now waits and says until when or for what (`peers.md` 3.5).

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from bot.config.schedule import is_open, next_opening
from bot.planning.grouping import kind_of
from bot.proposals.steps import Operation, Wait

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from bot.config.model import Limits
    from bot.planning.plan import Update
    from bot.planning.remembered import Remembered
    from bot.proposals.steps import Circumstances, Step

_HOUR = timedelta(hours=1)


def in_their_windows(steps: list[Step], around: Circumstances) -> list[Step]:
    """Open and refresh within the update's schedule; outside of it the step says until when."""
    return [_at_its_pace(_in_its_window(step, around.now), around) for step in steps]


def _in_its_window(step: Step, now: datetime) -> Step:
    schedule = step.planned.update.schedule if step.planned else None
    if schedule is None or step.operation not in _PUSHES:
        return step
    if is_open(schedule, now):
        return step
    opening = next_opening(schedule, now)
    until = opening.isoformat(timespec="minutes")
    return _waiting(step, f"its schedule opens at {until}", Wait.SCHEDULE)


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


_PUSHES = {Operation.OPENED, Operation.REFRESHED, Operation.MERGED}
_PRIORITY = {"patch": 0, "minor": 1, "other": 2, "major": 3, "digest": 4}


def _urgency(step: Step) -> tuple[bool, int, str]:
    """Order by what must go first: a tag that is denied, then the smaller step (`peers.md` 3.5)."""
    updates = step.planned.updates if step.planned else ()
    is_fine = not any(_is_denied(one) for one in updates)
    size = max((_PRIORITY.get(one.update_type, 2) for one in updates), default=9)
    return is_fine, size, step.key


def _is_denied(update: Update) -> bool:
    return any(one.tag == update.from_tag for one in update.binding.policy.gates.deny)


def limited(
    opening: list[Step],
    still_open: int,
    opened: Iterable[datetime],
    around: Circumstances,
) -> list[Step]:
    """Open what was asked for first, then the most urgent; the rest waits and says for what."""
    limits = around.limits
    recent = sum(1 for moment in opened if around.now - moment < _HOUR)
    steps: list[Step] = []
    asked_for = around.wishes.open
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


def limited_pushes(
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


def _waiting(step: Step, reason: str, waits_for: Wait = Wait.TURN) -> Step:
    return replace(step, operation=Operation.WAITING, reason=reason, waits_for=waits_for)
