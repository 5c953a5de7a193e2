"""Which holds are in force: what people said, what was taken back, what was closed.

An unhold lifts what was held for its policy before it. A hold with an end is over at that
moment. What a revert holds is found from history each time (`bot/planning/reverts.py`) and
is subject to the same unholds (`product.md` 10.11).

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from policies.gates import TagHold

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from bot.planning.plan import Binding
    from bot.planning.remembered import HoldRecord, Remembered, UnholdRecord


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
                all=not one.tag and not one.up_to,
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
    called = {names_of(one) for one in bindings}
    return HoldBook(
        records=tuple(
            one
            for one in records
            if (one.until is None or one.until > now)
            and not any(_lifts(unhold, one, called) for unhold in remembered.unholds)
        )
    )


def same_policy(one: str, other: str, called: Iterable[frozenset[str]]) -> bool:
    """Return whether two names mean one policy; `called` are the names of each binding."""
    return one == other or any(one in names and other in names for names in called)


def _lifts(unhold: UnholdRecord, record: HoldRecord, called: set[frozenset[str]]) -> bool:
    if unhold.when < record.when or not same_policy(unhold.policy, record.policy, called):
        return False
    return not unhold.tag or unhold.tag in {record.tag, record.up_to}
