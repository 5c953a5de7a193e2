"""The alphabetical policy: the last, or first, in byte order.

Flux's rule: no locale, no folding; `99` stands above `100`.

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from policies.policy import Candidate, Fact, Facts, Ranking

if TYPE_CHECKING:
    from policies.variant import Identity


@dataclass(frozen=True, slots=True, kw_only=True)
class Alphabetical:
    """The greatest value wins, or the smallest when `descending`."""

    descending: bool = False

    @property
    def text(self) -> str:
        """Return the rule in words."""
        return f"alphabetical {'desc' if self.descending else 'asc'}"

    @property
    def needs(self) -> frozenset[Fact]:
        """Return no fact: tags are enough."""
        return frozenset()

    def rank(
        self,
        candidates: Sequence[Candidate],
        *,
        facts: Mapping[str, Facts],
        identity: Identity | None,
    ) -> Ranking:
        """Order by value; equal values keep the stored order."""
        ordered = sorted(candidates, key=lambda c: c.value, reverse=not self.descending)
        return Ranking(best_first=ordered)

    def order(
        self,
        a: Candidate,
        b: Candidate,
        *,
        facts: Mapping[str, Facts],
    ) -> int:
        """Compare the values as text; never unknown."""
        rising = (a.value > b.value) - (a.value < b.value)
        return -rising if self.descending else rising
