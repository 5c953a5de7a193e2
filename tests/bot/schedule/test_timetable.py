"""Which errand is due: intervals, jitter, windows, missed ticks, and clocks that jump."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.config.model import Schedule
from bot.schedule.timetable import Errand, Timetable
from bot.store.records import ErrandRecord
from tests.bot.schedule.moved_clock import MovedClock

MINUTE = timedelta(minutes=1)


def table(
    clock: MovedClock, *errands: Errand, share: float = 0.0, memory: tuple[ErrandRecord, ...] = ()
) -> Timetable:
    made = Timetable(clock, share=lambda: share)
    made.set(errands, {one.key: one for one in memory})
    return made


def ended(clock: MovedClock, key: str, ago: timedelta, *, cut_off: bool = False) -> ErrandRecord:
    began = clock.now() - ago
    return ErrandRecord(key=key, started=began, run="r", ended=None if cut_off else began)


def run_all(made: Timetable) -> list[str]:
    keys = made.take_due()
    for key in keys:
        made.finished(key)
    return keys


def test_an_errand_is_due_at_once_and_then_after_its_interval() -> None:
    clock = MovedClock()
    made = table(clock, Errand(key="a", interval=5 * MINUTE))
    assert run_all(made) == ["a"]
    clock.pass_time(299)
    assert run_all(made) == []
    assert made.wait_s() == 1
    clock.pass_time(1)
    assert run_all(made) == ["a"]


def test_missed_ticks_are_one() -> None:
    clock = MovedClock()
    made = table(clock, Errand(key="a", interval=MINUTE))
    run_all(made)
    clock.pass_time(3 * 86_400)

    assert [run_all(made), run_all(made)] == [["a"], []]


def test_what_runs_is_not_due_and_is_due_at_once_when_it_took_longer_than_its_interval() -> None:
    clock = MovedClock()
    made = table(clock, Errand(key="a", interval=MINUTE))
    made.take_due()
    clock.pass_time(600)
    assert made.take_due() == []
    made.finished("a")
    assert made.take_due() == ["a"]


def test_however_often_it_is_asked_for_it_runs_once_more() -> None:
    clock = MovedClock()
    made = table(clock, Errand(key="a", interval=60 * MINUTE))
    made.take_due()
    for _ in range(100_000):
        made.ask("a")
    made.finished("a")

    assert [run_all(made), run_all(made)] == [["a"], []]


def test_who_has_been_due_for_longest_comes_first() -> None:
    clock = MovedClock()
    made = table(
        clock,
        *(
            Errand(key=key, interval=timedelta(minutes=n))
            for key, n in zip("cab", (3, 1, 2), strict=True)
        ),
    )
    run_all(made)
    clock.pass_time(600)

    assert made.take_due() == ["a", "b", "c"]


@given(share=st.floats(0, 1), jitter=st.floats(0, 1))
def test_jitter_only_delays_and_by_no_more_than_its_share(share: float, jitter: float) -> None:
    clock = MovedClock()
    made = table(clock, Errand(key="a", interval=10 * MINUTE, jitter=jitter), share=share)
    clock.pass_time(60)
    assert run_all(made) == ["a"]
    wait = made.wait_s()
    assert wait + 1e-6 >= 600
    assert wait <= 600 * (1 + jitter) + 1e-6


def test_a_start_spreads_what_is_overdue_over_at_most_a_minute() -> None:
    clock = MovedClock()
    errand = Errand(key="a", interval=timedelta(hours=10), jitter=0.5)
    made = table(clock, errand, share=1.0, memory=(ended(clock, "a", timedelta(days=9)),))

    assert made.wait_s() == 60


def test_after_a_restart_the_rest_of_the_interval_is_waited_for() -> None:
    clock = MovedClock()
    made = table(
        clock, Errand(key="a", interval=10 * MINUTE), memory=(ended(clock, "a", 4 * MINUTE),)
    )

    assert (made.take_due(), made.wait_s()) == ([], 360)


def test_what_was_cut_off_is_due_at_once() -> None:
    clock = MovedClock()
    record = ended(clock, "a", MINUTE, cut_off=True)

    assert table(clock, Errand(key="a", interval=10 * MINUTE), memory=(record,)).take_due() == ["a"]


@pytest.mark.parametrize("jump", [timedelta(days=365), timedelta(days=-365)])
def test_a_wall_clock_that_jumps_drops_nothing_and_repeats_nothing(jump: timedelta) -> None:
    clock = MovedClock()
    made = table(clock, Errand(key="a", interval=10 * MINUTE))
    run_all(made)
    clock.jump(jump)
    assert (run_all(made), made.wait_s()) == ([], 600)
    clock.pass_time(600)
    assert run_all(made) == ["a"]


def test_a_record_from_the_future_delays_by_one_interval_at_most() -> None:
    clock = MovedClock()
    made = table(
        clock,
        Errand(key="a", interval=10 * MINUTE),
        memory=(ended(clock, "a", -timedelta(days=400)),),
    )

    assert made.wait_s() == 600


WORKDAYS = Schedule(within="Mon-Fri 08:00-17:00", timezone="Europe/Berlin")


def test_outside_of_its_window_an_errand_waits_for_the_opening_and_says_so_once() -> None:
    clock = MovedClock(datetime(2026, 3, 6, 18, 0, tzinfo=UTC))  # Friday evening
    made = table(clock, Errand(key="a", interval=MINUTE, schedule=WORKDAYS))
    monday = datetime(2026, 3, 9, 7, 0, tzinfo=UTC)

    assert made.take_due() == []
    assert [made.newly_shut(), made.newly_shut()] == [[("a", monday)], []]
    clock.pass_time((monday - clock.now()).total_seconds() - 1)
    assert (made.take_due(), made.wait_s()) == ([], 1)
    clock.pass_time(1)
    assert made.take_due() == ["a"]


def test_a_window_moves_with_the_clocks_of_its_people() -> None:
    clock = MovedClock(datetime(2026, 3, 27, 17, 0, tzinfo=UTC))  # the Friday before the change
    made = table(clock, Errand(key="a", interval=MINUTE, schedule=WORKDAYS))
    opened: list[datetime] = []
    for _ in range(24 * 4 * 4):
        if run_all(made):
            opened.append(clock.now())
        clock.pass_time(900)

    assert opened[0] == datetime(2026, 3, 30, 6, 0, tzinfo=UTC)  # 08:00 is an hour earlier now


@pytest.mark.parametrize(
    ("day", "hours"),
    [
        pytest.param(datetime(2026, 3, 29, tzinfo=UTC), 1, id="the-hour-that-is-left-out"),
        pytest.param(datetime(2026, 10, 25, tzinfo=UTC), 3, id="the-hour-that-comes-twice"),
    ],
)
def test_in_the_night_of_a_clock_change_the_wall_clock_counts(day: datetime, hours: int) -> None:
    clock = MovedClock(day - timedelta(hours=2))
    night = Schedule(within="01:00-03:00", timezone="Europe/Berlin")
    made = table(clock, Errand(key="a", interval=timedelta(minutes=15), schedule=night))
    runs = 0
    for _ in range(8 * 60):
        runs += len(run_all(made))
        clock.pass_time(60)

    assert runs == hours * 4


def test_a_suspended_errand_is_never_due_and_a_reload_lets_it_go_on() -> None:
    clock = MovedClock()
    made = table(clock, Errand(key="a", interval=MINUTE, suspended=True))
    clock.pass_time(3600)
    assert (made.take_due(), made.ask("a")) == ([], False)
    made.set([Errand(key="a", interval=MINUTE)], {})
    assert made.take_due() == ["a"]


def test_a_reload_keeps_turns_adds_what_is_new_and_drops_what_is_gone() -> None:
    clock = MovedClock()
    made = table(
        clock, Errand(key="a", interval=10 * MINUTE), Errand(key="gone", interval=10 * MINUTE)
    )
    run_all(made)
    clock.pass_time(60)
    made.set([Errand(key="a", interval=10 * MINUTE), Errand(key="new", interval=MINUTE)], {})

    assert run_all(made) == ["new"]
    assert sorted(made.keys()) == ["a", "new"]
    clock.pass_time(539)
    assert "a" not in run_all(made)
    clock.pass_time(1)
    assert "a" in run_all(made)


def test_a_shorter_interval_counts_from_the_reload_on() -> None:
    clock = MovedClock()
    made = table(clock, Errand(key="a", interval=timedelta(hours=10)))
    run_all(made)
    made.set([Errand(key="a", interval=MINUTE)], {})

    assert made.wait_s() == 60


def test_an_errand_that_is_dropped_while_it_runs_ends_in_peace() -> None:
    clock = MovedClock()
    made = table(clock, Errand(key="a", interval=MINUTE))
    made.take_due()
    made.set([], {})
    made.finished("a")

    assert (made.take_due(), made.wait_s()) == ([], 3600)
