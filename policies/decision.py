"""The words of a decision: holds that come in; what is chosen, held and rejected that goes out.

Plans, commit messages, pages and `explain` print these same values.

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from policies.policy import Candidate, Fact


@dataclass(frozen=True, slots=True, kw_only=True)
class TagHold:
    """A person's, or a revert's, "not this one".

    Covers `tag` alone; or everything above `above` (exclusive) up to `up_to` (inclusive) by
    the policy's order, either end open when None; or every tag whose step from the written one
    is of `level` (major, minor, patch), with `tag` only those that are no such step from it; or,
    with `all`, every tag. Ends at `until`.
    """

    tag: str | None = None
    above: str | None = None
    up_to: str | None = None
    all: bool = False
    level: str | None = None
    reason: str = ""
    who: str = ""
    until: datetime | None = None

    def held(self, tag: str, doubt: str) -> Held:
        """Return `tag` as held by this; `doubt` is added to the reason."""
        by = f" by {self.who}" if self.who else ""
        above = f"a tag above {self.up_to}, or {_UNHOLD}"
        return Held(
            tag=tag,
            reason=f"held{by}" + (f": {self.reason}" if self.reason else "") + doubt,
            until=self.until,
            needs=above if self.up_to is not None and not self.all else _UNHOLD,
            by_hold=True,
        )


_UNHOLD = "`pilotfish unhold`"


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A better tag that must wait: `until` when it is known, `needs` says what else ends it.

    `by_hold`: a person's hold, or a revert, is the cause.
    """

    tag: str
    reason: str
    until: datetime | None = None
    needs: str = ""
    by_hold: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """A better tag that is never proposed, and why."""

    tag: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What to write now.

    `chosen` is None when the field stays as it is; with the written tag itself only its
    digest is new. While `missing` names facts nothing is decided: find them out, ask again.
    `floor` says below what nothing is chosen, or why there is no floor.
    """

    chosen: Candidate | None
    digest: str | None = None
    update_type: str = "none"
    reason: str
    held: tuple[Held, ...] = ()
    rejected: tuple[Rejected, ...] = ()
    missing: Mapping[str, frozenset[Fact]] = field(default_factory=dict)
    floor: str
