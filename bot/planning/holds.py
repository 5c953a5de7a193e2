"""Which holds are in force: what people said, what was taken back, what was closed.

An unhold lifts what was held for its policy before it. A hold with an end is over at that
moment. What a revert holds is found from history each time (`bot/planning/reverts.py`) and
is subject to the same unholds (`product.md` 10.11). What is said twice counts once, and what
was said last counts, in whatever order it arrives.

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from bot.errors import ConfigError
from policies.gates import TagHold

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from bot.planning.plan import Binding
    from bot.planning.remembered import HoldRecord, Remembered, UnholdRecord


LEVELS = ("major", "minor", "patch")
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldBook:
    """Every hold in force at one moment."""

    records: tuple[HoldRecord, ...]

    def for_binding(self, binding: Binding) -> tuple[TagHold, ...]:
        """Return the holds that concern one field's policy and update."""
        return tuple(
            TagHold(
                tag=one.tag or None,
                above=one.above or None,
                up_to=one.up_to or None,
                level=one.level or None,
                all=not one.tag and not one.up_to and not one.level,
                reason=one.reason,
                until=one.until,
                who=one.who,
            )
            for one in self.records
            if _concerns(one, binding)
        )


def _concerns(record: HoldRecord, binding: Binding) -> bool:
    if record.update and record.update != binding.update.name:
        return False
    return record.policy in names_of(binding)


def names_of(binding: Binding) -> frozenset[str]:
    """Return every name that people may call a binding's policy by."""
    return frozenset({binding.policy_name, binding.group, binding.image})


def holds_in_force(
    remembered: Remembered,
    reverts: Iterable[HoldRecord],
    now: datetime,
    *,
    bindings: Iterable[Binding] = (),
) -> HoldBook:
    """Return what is held at `now`, people's words first, then what history shows.

    `bindings` say which names mean the same policy: an unhold may use another than the hold.
    """
    records = [*remembered.holds, *reverts]
    called: dict[str, set[str]] = {}
    for names in {names_of(one) for one in bindings}:
        for name in names:
            called.setdefault(name, set()).update(names)
    return HoldBook(
        records=tuple(
            one
            for one in records
            if (one.until is None or one.until > now)
            and not any(_lifts(unhold, one, called) for unhold in remembered.unholds)
        )
    )


def ends_by(record: HoldRecord, *, lift: str) -> str:
    """Say what ends a hold without a date: a level and a policy stay held whatever appears.

    `lift` is the command, as it is written where this is shown.
    """
    one_by_one = record.up_to or (record.tag and not record.level)
    return f"something newer, or {lift}" if one_by_one else lift


def _lifts(unhold: UnholdRecord, record: HoldRecord, called: Mapping[str, set[str]]) -> bool:
    """Return whether one lifts the other; `called` are by each name the names beside it."""
    if unhold.when < record.when:
        return False
    if unhold.policy != record.policy and unhold.policy not in called.get(record.policy, ()):
        return False
    return not unhold.tag or unhold.tag in {record.tag, record.up_to}


def with_hold(known: Remembered, record: HoldRecord) -> Remembered:
    """Return the memory with `record` in place of what was said of the same before it."""
    same = [one for one in known.holds if _sameness(one) == _sameness(record)]
    if any(one.when >= record.when for one in same):
        return known
    return replace(known, holds=(*(one for one in known.holds if one not in same), record))


def with_unhold(known: Remembered, lift: UnholdRecord) -> Remembered:
    """Return the memory without what `lift` lifts, the lift kept for what history shows."""
    holds = tuple(
        one
        for one in known.holds
        if one.policy != lift.policy or one.when > lift.when or (lift.tag and one.tag != lift.tag)
    )
    same = [one for one in known.unholds if (one.policy, one.tag) == (lift.policy, lift.tag)]
    if any(one.when >= lift.when for one in same):
        return replace(known, holds=holds)
    unholds = (*(one for one in known.unholds if one not in same), lift)
    return replace(known, holds=holds, unholds=unholds)


def _sameness(record: HoldRecord) -> tuple[str, str, str, str]:
    return record.policy, record.tag, record.level, record.update


def read_until(text: str, now: datetime, *, word: str = "until") -> datetime | None:
    """Return the end of a hold: a span from `now` (`14d`, `36h`) or a date; nothing for ever.

    `word` is what it stands behind, for the fault.

    Raises:
        ConfigError: It is neither, or it is past.
    """
    if not text:
        return None
    span = re.fullmatch(r"([0-9]{1,6})([mhdw])", text)
    try:
        end = (
            now + timedelta(**{_UNITS[span[2]]: int(span[1])})
            if span
            else datetime.fromisoformat(text)
        )
    except (ValueError, OverflowError) as fault:
        raise ConfigError(
            f"{word} {text!r} is neither a span nor a date", hint="Write 14d, 36h or 2027-01-31"
        ) from fault
    end = end if end.tzinfo else end.replace(tzinfo=UTC)
    if end <= now:
        raise ConfigError(f"{word} {text} is past", hint="Name a moment to come")
    return end
