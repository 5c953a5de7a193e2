"""The digest policy: one fixed tag, followed by digest.

The tag stays, what it points at is written beside it. Needs `Fact.DIGEST`, which the gates
ask for. Without a tag of its own it follows the very tag that is written.

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
class FollowDigest:
    """`tag` is followed; None means the written one, which `select` fills in."""

    tag: str | None = None

    @property
    def text(self) -> str:
        """Return the rule in words."""
        return f"digest of {self.tag}" if self.tag is not None else "digest of the written tag"

    @property
    def needs(self) -> frozenset[Fact]:
        """Return the digest."""
        return frozenset({Fact.DIGEST})

    def rank(
        self,
        candidates: Sequence[Candidate],
        *,
        facts: Mapping[str, Facts],
        identity: Identity | None,
    ) -> Ranking:
        """Admit the one tag."""
        admitted = [c for c in candidates if c.tag == self.tag]
        why = f"the policy follows {self.tag!r}" if self.tag is not None else "no tag is written"
        refused = {c.tag: why for c in candidates if c.tag != self.tag}
        return Ranking(best_first=admitted, refused=refused)

    def order(
        self,
        a: Candidate,
        b: Candidate,
        *,
        facts: Mapping[str, Facts],
    ) -> int | None:
        """A tag equals itself; two tags have no order."""
        return 0 if a.tag == b.tag else None
