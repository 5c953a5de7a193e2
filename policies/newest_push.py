"""The newest-pushed policy: the tag that was pushed last, by the registry's date.

Needs `Fact.PUSHED` for every candidate. A tag that is pushed again becomes the newest, which
is what tells this policy from newest-built (demand 39 of the peers survey).

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from policies.age import believed_pushed, order_by_date, rank_by_date
from policies.policy import Candidate, Fact, Facts, Ranking

if TYPE_CHECKING:
    from policies.variant import Identity


@dataclass(frozen=True, slots=True, kw_only=True)
class NewestPushed:
    """The latest push date wins."""

    @property
    def text(self) -> str:
        """Return the rule in words."""
        return "newest-pushed"

    @property
    def needs(self) -> frozenset[Fact]:
        """Return the push date."""
        return frozenset({Fact.PUSHED})

    def rank(
        self,
        candidates: Sequence[Candidate],
        *,
        facts: Mapping[str, Facts],
        identity: Identity | None,
    ) -> Ranking:
        """Order by push date; pushed at the same instant: the greatest tag is best."""
        return rank_by_date(candidates, facts, fact=Fact.PUSHED, read=believed_pushed)

    def order(self, a: Candidate, b: Candidate, *, facts: Mapping[str, Facts]) -> int | None:
        """Compare the push dates; unknown when either is."""
        return order_by_date(a, b, facts, read=believed_pushed)
