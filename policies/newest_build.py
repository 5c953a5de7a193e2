"""The newest-built policy: the image that was built last, by the date it states.

Needs `Fact.CREATED` for every candidate. A build date is forged or fixed easily (row R18 of
the threat list), so it decides only where a policy asks for it, and one that cannot be is
no date: see `policies.age`.

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from policies.age import believed_created, order_by_date, rank_by_date
from policies.policy import Candidate, Fact, Facts, Ranking

if TYPE_CHECKING:
    from policies.variant import Identity


@dataclass(frozen=True, slots=True, kw_only=True)
class NewestBuilt:
    """The latest build date wins."""

    @property
    def text(self) -> str:
        """Return the rule in words."""
        return "newest-built"

    @property
    def needs(self) -> frozenset[Fact]:
        """Return the build date."""
        return frozenset({Fact.CREATED})

    def rank(
        self,
        candidates: Sequence[Candidate],
        *,
        facts: Mapping[str, Facts],
        identity: Identity | None,
    ) -> Ranking:
        """Order by build date; built at the same instant: the greatest tag is best."""
        return rank_by_date(candidates, facts, fact=Fact.CREATED, read=believed_created)

    def order(self, a: Candidate, b: Candidate, *, facts: Mapping[str, Facts]) -> int | None:
        """Compare the build dates; unknown when either is."""
        return order_by_date(a, b, facts, read=believed_created)
