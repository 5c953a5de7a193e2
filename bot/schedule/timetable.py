"""Which errand is due: intervals with jitter, windows, and what was missed.

An interval is measured on the monotonic clock, so that no jump of the wall clock drops or
repeats anything; the wall clock decides only about windows, and about the time that passed
while the process was down (FS5). However many ticks were missed, an errand is due once (FS1,
FS3), and while it runs it is due at most once more. Nothing here waits or runs anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from bot.config.schedule import is_open, next_opening

if TYPE_CHECKING:
    from bot.clock import Clock
    from bot.config.model import Schedule
    from bot.store.records import ErrandRecord

_LONGEST_SPREAD_S = 60.0  # over which what is overdue at the start is spread (FS2)
_LONGEST_WAIT_S = 3600.0  # between two looks; arbitrary


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """Something to do again and again, known by its key.

    It begins between one interval and `1 + jitter` of it after it last began, and only while
    `schedule`, where there is one, is open.
    """

    key: str
    interval: timedelta
    jitter: float = 0.0
    schedule: Schedule | None = None
    suspended: bool = False


@dataclass(slots=True, kw_only=True)
class _Place:
    errand: Errand
    due_s: float
    running: bool = False
    began_s: float = 0.0
    again: bool = False
    waits_for: datetime | None = None


class Timetable:
    """What is due when; `share` gives numbers from 0 to 1 for the jitter."""

    def __init__(self, clock: Clock, *, share: Callable[[], float]) -> None:
        self._clock = clock
        self._share = share
        self._places: dict[str, _Place] = {}

    def set(self, errands: Iterable[Errand], memory: Mapping[str, ErrandRecord]) -> None:
        """Follow exactly `errands` from now on; what runs meanwhile ends as it is.

        Of one that is new `memory` says when it last began. One that is known already keeps its
        turn, or comes sooner where its interval became shorter.
        """
        now_s = self._clock.monotonic_s()
        places: dict[str, _Place] = {}
        for errand in errands:
            place = self._places.get(errand.key)
            if place is None:
                due_s = now_s + self._first_wait_s(errand, memory.get(errand.key))
                place = _Place(errand=errand, due_s=due_s)
            elif place.errand.interval != errand.interval:
                place.due_s = min(place.due_s, now_s + self._interval_s(errand))
            place.errand = errand
            places[errand.key] = place
        self._places = places

    def take_due(self) -> list[str]:
        """Return the keys that are due now, longest overdue first; each is running from now on."""
        now_s, now = self._clock.monotonic_s(), self._clock.now()
        due = sorted(
            (place.due_s, key)
            for key, place in self._places.items()
            if not place.running and place.due_s <= now_s and self._may_run(place, now)
        )
        for _, key in due:
            place = self._places[key]
            place.running, place.began_s, place.again = True, now_s, False
        return [key for _, key in due]

    def finished(self, key: str) -> None:
        """Note that an errand ended: its next turn counts from when it began."""
        place = self._places.get(key)
        if place is None:
            return
        now_s = self._clock.monotonic_s()
        place.running = False
        place.due_s = now_s if place.again else place.began_s + self._interval_s(place.errand)
        place.due_s = max(place.due_s, now_s)

    def ask(self, key: str) -> bool:
        """Make an errand due now, or again at once where it runs; however often it is asked.

        `False` when there is no such errand, or it is suspended.
        """
        place = self._places.get(key)
        if place is None or place.errand.suspended:
            return False
        if place.running:
            place.again = True
        else:
            place.due_s = min(place.due_s, self._clock.monotonic_s())
        return True

    def wait_s(self) -> float:
        """Return how long from now there is nothing to do, at most an hour."""
        now_s, now = self._clock.monotonic_s(), self._clock.now()
        waits = [_LONGEST_WAIT_S]
        for place in self._places.values():
            if place.running or place.errand.suspended:
                continue
            wait_s = max(0.0, place.due_s - now_s)
            schedule = place.errand.schedule
            if not wait_s and schedule is not None and not is_open(schedule, now):
                wait_s = (next_opening(schedule, now) - now).total_seconds()
            waits.append(wait_s)
        return min(waits)

    def newly_shut(self) -> list[tuple[str, datetime]]:
        """Return the errands that are due outside of their window, and when that opens, once."""
        now_s, now = self._clock.monotonic_s(), self._clock.now()
        found: list[tuple[str, datetime]] = []
        for key, place in self._places.items():
            schedule = place.errand.schedule
            if place.running or place.errand.suspended or schedule is None or place.due_s > now_s:
                continue
            if is_open(schedule, now):
                place.waits_for = None
            elif place.waits_for is None or place.waits_for <= now:
                place.waits_for = next_opening(schedule, now)
                found.append((key, place.waits_for))
        return found

    def keys(self) -> list[str]:
        """Return every errand that is followed."""
        return list(self._places)

    def overdue_s(self) -> float:
        """Return for how long the errand that waits longest has been due."""
        now_s, now = self._clock.monotonic_s(), self._clock.now()
        return max(
            (
                now_s - place.due_s
                for place in self._places.values()
                if not place.running and place.due_s <= now_s and self._may_run(place, now)
            ),
            default=0.0,
        )

    @staticmethod
    def _may_run(place: _Place, now: datetime) -> bool:
        errand = place.errand
        return not errand.suspended and (errand.schedule is None or is_open(errand.schedule, now))

    def _interval_s(self, errand: Errand) -> float:
        return errand.interval.total_seconds() * (1 + errand.jitter * self._share())

    def _first_wait_s(self, errand: Errand, record: ErrandRecord | None) -> float:
        """Return how long to wait after a start: what is left of the interval, or a spread."""
        interval_s = errand.interval.total_seconds()
        spread_s = min(_LONGEST_SPREAD_S, interval_s * errand.jitter) * self._share()
        if record is None or record.ended is None:
            return spread_s
        passed_s = (self._clock.now() - record.started).total_seconds()
        left_s = interval_s - max(0.0, passed_s)
        return left_s + spread_s if left_s > 0 else spread_s
