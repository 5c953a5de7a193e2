"""What is known for certain about a chosen tag: among how many it was best, its date, the checks.

A proposal shows these as ticks, so each one is something that was looked at and found true;
what nobody asked for is left out (`peers.md` 3.2, 5).

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from policies.age import known_date, without_future
from policies.platform import missing_platforms
from policies.policy import describe_age

if TYPE_CHECKING:
    from datetime import datetime

    from policies.age import Dated
    from policies.policy import Facts, Gates
    from policies.selection import Selection


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """How a tag was chosen and what was found true of it.

    `candidates` are the tags that filter and exclusions left, `admitted` those of them that
    the rule admits; both 0 where no rule chose. `checks` are facts in words.
    """

    candidates: int = 0
    admitted: int = 0
    dated: Dated | None = None
    checks: tuple[str, ...] = ()

    def as_json(self) -> dict[str, object]:
        """Return the form of `plan` and `run`."""
        return {
            "candidates": self.candidates,
            "admitted": self.admitted,
            "dated": self.dated.at.isoformat() if self.dated else None,
            "datedBy": self.dated.source if self.dated else None,
            "checks": list(self.checks),
        }


NO_EVIDENCE = Evidence()


def evidence_of(
    gates: Gates, selection: Selection | None, facts: Facts, *, digest: str, now: datetime
) -> Evidence:
    """Return what is known of a tag that `gates` let pass; no selection means no rule chose."""
    known = without_future(facts, now)
    dated = known_date(known)
    checks: list[str] = []
    if gates.min_age is not None and dated is not None and dated.at + gates.min_age <= now:
        checks.append(
            f"older than {describe_age(gates.min_age)}: "
            f"{dated.at:%Y-%m-%d %H:%M} UTC, {dated.source}"
        )
    there = known.platforms
    if gates.platforms and there is not None and not missing_platforms(gates.platforms, there):
        many = len(gates.platforms) > 1
        checks.append(f"{' and '.join(gates.platforms)} {'are' if many else 'is'} there")
    if digest and digest == known.digest:
        checks.append(f"digest {digest} read from the registry")
    passed = [one for one in selection.verdicts if one.passed_filter] if selection else []
    return Evidence(
        candidates=len(passed),
        admitted=sum(one.admitted for one in passed),
        dated=dated,
        checks=tuple(checks),
    )
