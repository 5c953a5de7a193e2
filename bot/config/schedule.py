"""When proposals may be opened: `Mon-Fri 08:00-17:00`, in a time zone.

Windows are joined by `;`. Each names days (`Mon-Fri`, `Sat,Sun`, none for all), times
(`08:00-12:00,13:00-17:00`, none for all day), or both; a time range that ends before it
starts runs past midnight and belongs to the day it starts on. Wall time counts, so that
a change of the clocks moves the window with the people.
"""

from __future__ import annotations

import re
import zoneinfo
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bot.config.model import Schedule

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_WEEK = len(_DAYS)
_TIMES = re.compile(r"([0-9]{1,2}):([0-9]{2})-([0-9]{1,2}):([0-9]{2})")
_MINUTES_OF_DAY = 24 * 60


class UnreadableSchedule(ValueError):
    """The text is not a schedule."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Days (0 is Monday) and a range of minutes of the day; `end` below `start` is tomorrow's."""

    days: frozenset[int]
    start: int = 0
    end: int = _MINUTES_OF_DAY


def read_windows(within: str) -> tuple[Window, ...]:
    """Return the windows that `within` names.

    Raises:
        UnreadableSchedule: A part is neither days nor times.
    """
    return tuple(window for part in within.split(";") for window in _windows(part))


def is_zone(name: str) -> bool:
    """Return whether `name` is a time zone of the IANA database."""
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def is_open(schedule: Schedule, now: datetime) -> bool:
    """Return whether `now`, aware, lies in a window of `schedule`."""
    local = now.astimezone(zoneinfo.ZoneInfo(schedule.timezone))
    minute, today = local.hour * 60 + local.minute, local.weekday()
    for window in read_windows(schedule.within):
        if window.start < window.end:
            if today in window.days and window.start <= minute < window.end:
                return True
        elif (today in window.days and minute >= window.start) or (
            (today - 1) % _WEEK in window.days and minute < window.end
        ):
            return True
    return False


def next_opening(schedule: Schedule, now: datetime) -> datetime:
    """Return when the next window opens, in UTC; `now` itself while one is open."""
    if is_open(schedule, now):
        return now
    zone = zoneinfo.ZoneInfo(schedule.timezone)
    midnight = now.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    openings = [
        (day + timedelta(minutes=window.start)).astimezone(UTC)
        for day in (midnight + timedelta(days=ahead) for ahead in range(_WEEK + 1))
        for window in read_windows(schedule.within)
        if day.weekday() in window.days
    ]
    return min(opening for opening in openings if opening > now)


def _windows(part: str) -> list[Window]:
    words = part.split()
    if not words or len(words) > 2:  # noqa: PLR2004  # days and times
        raise UnreadableSchedule(f"{part.strip()!r} is not days and times")
    days = frozenset(range(_WEEK))
    if not words[0][0].isdigit():
        days = _read_days(words.pop(0))
    if not words:
        return [Window(days=days)]
    return [_read_times(times, days) for times in words[0].split(",")]


def _read_days(text: str) -> frozenset[int]:
    days: set[int] = set()
    for part in text.split(","):
        first, _, last = part.partition("-")
        start = _day(first)
        end = _day(last) if last or part.endswith("-") else start
        days.update((start + step) % _WEEK for step in range((end - start) % _WEEK + 1))
    return frozenset(days)


def _day(word: str) -> int:
    try:
        return _DAYS.index(word.lower())
    except ValueError as fault:
        raise UnreadableSchedule(f"{word!r} is no day; days are Mon, Tue … Sun") from fault


def _read_times(text: str, days: frozenset[int]) -> Window:
    found = _TIMES.fullmatch(text)
    if found is None:
        raise UnreadableSchedule(f"{text!r} is no range of times such as 08:00-17:00")
    hours = [int(number) for number in found.groups()]
    start, end = hours[0] * 60 + hours[1], hours[2] * 60 + hours[3]
    if max(hours[1], hours[3]) > 59 or start >= _MINUTES_OF_DAY or end > _MINUTES_OF_DAY:  # noqa: PLR2004
        raise UnreadableSchedule(f"{text!r} holds a time that no clock shows")
    if start == end:
        raise UnreadableSchedule(f"{text!r} is empty")
    return Window(days=days, start=start, end=end)
