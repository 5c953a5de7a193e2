"""Windows in which proposals may be opened."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.config.model import Schedule
from bot.config.schedule import UnreadableSchedule, is_open, is_zone, next_opening, read_windows

MONDAY = datetime(2026, 6, 1, tzinfo=UTC)


def at(days: int, clock: str) -> datetime:
    hours, minutes = clock.split(":")
    return MONDAY + timedelta(days=days, hours=int(hours), minutes=int(minutes))


@pytest.mark.parametrize(
    ("within", "now", "expected"),
    [
        ("Mon-Fri 08:00-17:00", at(0, "08:00"), True),
        ("Mon-Fri 08:00-17:00", at(0, "17:00"), False),
        ("Mon-Fri 08:00-17:00", at(5, "12:00"), False),
        ("sat,SUN", at(6, "23:59"), True),
        ("Fri-Mon", at(0, "00:00"), True),
        ("Fri-Mon", at(1, "00:00"), False),
        ("22:00-06:00", at(2, "23:00"), True),
        ("22:00-06:00", at(2, "05:59"), True),
        ("22:00-06:00", at(2, "06:00"), False),
        ("Fri 22:00-06:00", at(5, "01:00"), True),
        ("Fri 22:00-06:00", at(4, "01:00"), False),
        ("Mon 08:00-09:00,10:00-24:00", at(0, "23:59"), True),
        ("Mon 08:00-09:00,10:00-24:00", at(0, "09:30"), False),
        ("Mon 08:00-09:00; Tue", at(1, "03:00"), True),
    ],
)
def test_is_open(within: str, now: datetime, expected: bool) -> None:
    assert is_open(Schedule(within=within), now) is expected


def test_wall_time_of_the_zone_counts() -> None:
    schedule = Schedule(within="08:00-09:00", timezone="Europe/Berlin")

    assert is_open(schedule, at(0, "06:30"))
    assert is_open(schedule, datetime(2026, 1, 5, 7, 30, tzinfo=UTC))


def test_the_next_opening_is_told() -> None:
    schedule = Schedule(within="Mon-Fri 08:00-17:00", timezone="Europe/Berlin")

    assert next_opening(schedule, at(4, "18:00")) == at(7, "06:00")
    assert next_opening(schedule, at(0, "10:00")) == at(0, "10:00")


@pytest.mark.parametrize(
    "within",
    ["", ";", "Mun", "Mon-", "Mon 8", "8-9", "08:60-09:00", "24:00-25:00", "08:00-08:00", "a b c"],
)
def test_what_is_no_schedule_is_refused(within: str) -> None:
    with pytest.raises(UnreadableSchedule):
        read_windows(within)


@given(st.integers(0, 60 * 24 * 400))
def test_the_next_opening_is_open_and_not_past(minutes: int) -> None:
    schedule = Schedule(within="Tue 22:00-06:00; Sat 02:00-02:30", timezone="America/New_York")
    now = MONDAY + timedelta(minutes=minutes)

    opening = next_opening(schedule, now)

    assert opening >= now
    assert opening - now < timedelta(days=8)


@pytest.mark.parametrize(
    ("name", "known"), [("UTC", True), ("Europe/Berln", False), ("../x", False)]
)
def test_zones_are_those_of_the_database(name: str, known: bool) -> None:
    assert is_zone(name) is known
