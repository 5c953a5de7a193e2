"""A person closed a major step: that major is not proposed again, smaller steps still are.

`peers.md` 3.4: closing a major ignores that major. It is a hold like any other, found again
from what was closed, so that a lower version is chosen in its place and `unhold` lifts it.

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.planning.remembered import HoldRecord
from bot.planning.reverts import tags_in
from policies.comparison import update_type

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from bot.planning.plan import Binding
    from bot.planning.remembered import ChangeRecord, ClosedRecord
    from bot.rewrite.marker import Part

_LEVEL = "major"


def closed_majors(closed: Iterable[ClosedRecord], bindings: Sequence[Binding]) -> list[HoldRecord]:
    """Return a hold for each major step that a person closed, of fields that are bound now."""
    bound: dict[tuple[str, str], list[Binding]] = {}
    for one in bindings:
        bound.setdefault((one.field.file, one.policy_name), []).append(one)
    found: dict[tuple[str, str, str], HoldRecord] = {}
    for record in closed:
        for change in record.changes:
            fields = bound.get((change.file, change.policy), [])
            tag = major_of(change, {one.field.part for one in fields})
            if not tag:
                continue
            binding = fields[0]
            hold = HoldRecord(
                policy=binding.policy_name,
                tag=tag,
                level=_LEVEL,
                update=binding.update.name,
                reason=f"a person closed the proposal of {tag}",
                who="",
                when=record.when,
            )
            found.setdefault((hold.policy, hold.update, tag), hold)
    return list(found.values())


def major_of(change: ChangeRecord, parts: Collection[Part]) -> str:
    """Return the tag that was closed where it was a major step, else an empty text."""
    olds, news = tags_in(change.old, parts), tags_in(change.new, parts)
    majors = (new for new in sorted(news) for old in olds if update_type(old, new) == _LEVEL)
    return next(majors, "")
