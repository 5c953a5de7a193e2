"""How old is a tag, and which of its dates can be believed?

Order of trust: the registry's push date or `Last-Modified`, the build date that the image
states, the time when we first saw it. A date from before containers, such as epoch 0 or
1980-01-01, is the mark of a reproducible build and no date; a date in the future is none
either (peers survey 6.4, threat row R18). The source goes with the date.

Pure: no I/O, no clock, no logging.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from policies.policy import NO_FACTS, Candidate, Fact, Facts, Ranking

_FIRST_BELIEVED = datetime(1980, 1, 3, tzinfo=UTC)  # 1980-01-01 in every time zone is before
_CLOCK_SKEW = timedelta(minutes=10)  # how far ahead another machine's clock may run (R18)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dated:
    """When a tag's present content came to be, and who says so."""

    at: datetime
    source: str


def believed_created(facts: Facts) -> datetime | None:
    """Return the build date unless it is one that reproducible builds set."""
    return _believed(facts.created)


def believed_pushed(facts: Facts) -> datetime | None:
    """Return the push date unless it cannot be one."""
    return _believed(facts.pushed)


def _believed(date: datetime | None) -> datetime | None:
    return date if date is not None and date >= _FIRST_BELIEVED else None


def without_future(facts: Facts, now: datetime) -> Facts:
    """Return `facts` with each date after `now` turned into "not to be had", and why."""
    limit = now + _CLOCK_SKEW
    why = dict(facts.unavailable)
    created, pushed = facts.created, facts.pushed
    if created is not None and created > limit:
        created, why[Fact.CREATED] = None, f"it lies in the future ({created:%Y-%m-%d})"
    if pushed is not None and pushed > limit:
        pushed, why[Fact.PUSHED] = None, f"it lies in the future ({pushed:%Y-%m-%d})"
    if why == facts.unavailable:
        return facts
    return replace(facts, created=created, pushed=pushed, unavailable=why)


def known_date(facts: Facts) -> Dated | None:
    """Return the date to trust most, None when there is none at all."""
    pushed, created = believed_pushed(facts), believed_created(facts)
    if pushed is not None:
        return Dated(at=pushed, source=facts.dated_by or "push date")
    if created is not None:
        return Dated(at=created, source="build date stated by the image")
    if facts.first_seen is not None:
        return Dated(at=facts.first_seen, source="first seen by us")
    return None


def missing_for_age(facts: Facts) -> Fact | None:
    """Return the next fact to ask for before `known_date` is final, None when it is."""
    if facts.pushed is None and Fact.PUSHED not in facts.unavailable:
        return Fact.PUSHED
    if believed_pushed(facts) is not None:
        return None
    if facts.created is None and Fact.CREATED not in facts.unavailable:
        return Fact.CREATED
    return None


def order_by_date(
    a: Candidate,
    b: Candidate,
    facts: Mapping[str, Facts],
    *,
    read: Callable[[Facts], datetime | None],
) -> int | None:
    """Return 1 when `a` is newer by the date that `read` gives, -1, 0, None when one has none."""
    first, second = (read(facts.get(one.tag, NO_FACTS)) for one in (a, b))
    if first is None or second is None:
        return None
    return (first > second) - (first < second)


def rank_by_date(
    candidates: Sequence[Candidate],
    facts: Mapping[str, Facts],
    *,
    fact: Fact,
    read: Callable[[Facts], datetime | None],
) -> Ranking:
    """Order `candidates` by the date that `read` gives, newest first; ties keep their order.

    Nobody is best while a date is still to be asked for: `missing` names the tags.
    """
    dated: list[tuple[datetime, Candidate]] = []
    refused: dict[str, str] = {}
    missing: dict[str, frozenset[Fact]] = {}
    for candidate in candidates:
        known = facts.get(candidate.tag, NO_FACTS)
        date = read(known)
        if date is not None:
            dated.append((date, candidate))
        elif fact in known.unavailable:
            refused[candidate.tag] = f"no {fact.value} date: {known.unavailable[fact]}"
        elif getattr(known, fact.value) is None:
            missing[candidate.tag] = frozenset({fact})
        else:
            refused[candidate.tag] = (
                f"its {fact.value} date is that of a reproducible build, which says nothing"
            )
    dated.sort(key=lambda pair: pair[0], reverse=True)
    return Ranking(best_first=[c for _, c in dated], refused=refused, missing=missing)
