"""Errands run side by side within bounds, and none of them ends the others."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from bot.clock import SystemClock
from bot.schedule.alarm import Alarm
from bot.schedule.dispatcher import Dispatcher
from bot.schedule.timetable import Errand, Timetable

SECOND = timedelta(seconds=1)


class Stage:
    """A dispatcher with an alarm, on the machine's clock."""

    def __init__(
        self,
        run: Callable[[str], Awaitable[None]],
        *errands: Errand,
        concurrent: int = 4,
        timeout_s: float = 5.0,
    ) -> None:
        clock = SystemClock()
        self.timetable = Timetable(clock, share=lambda: 0.0)
        self.timetable.set(errands, {})
        self.dispatcher = Dispatcher(
            self.timetable, run, concurrent=concurrent, timeout_s=timeout_s, shut=lambda *_: None
        )
        self.alarm = Alarm(clock, self.dispatcher.look)

    async def play(self, until: asyncio.Event, *, grace_s: float = 1.0) -> None:
        """Serve until something happened, five seconds at most."""
        self.alarm.start()
        async with asyncio.timeout(5), asyncio.TaskGroup() as group:
            group.create_task(self.dispatcher.serve(self.alarm, grace_s=grace_s))
            await until.wait()
            self.dispatcher.stop()
        self.alarm.stop()


async def test_an_errand_runs_again_and_again_by_the_alarm() -> None:
    enough, count = asyncio.Event(), 0

    async def run(_: str) -> None:
        nonlocal count
        count += 1
        if count == 3:
            enough.set()

    await Stage(run, Errand(key="a", interval=SECOND / 10)).play(enough)

    assert count >= 3


async def test_no_more_run_at_once_than_allowed_and_all_have_their_turn() -> None:
    done, now, most, seen = asyncio.Event(), 0, 0, set()

    async def run(key: str) -> None:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.01)
        now -= 1
        seen.add(key)
        if len(seen) == 20:
            done.set()

    errands = [Errand(key=str(n), interval=3600 * SECOND) for n in range(20)]
    await Stage(run, *errands, concurrent=3).play(done)

    assert (most, len(seen)) == (3, 20)


@pytest.mark.parametrize("way", ["fails", "hangs"])
async def test_one_that_fails_or_hangs_leaves_the_others_alone(way: str) -> None:
    done = asyncio.Event()
    runs = 0

    async def run(key: str) -> None:
        nonlocal runs
        if key == "bad":
            if way == "fails":
                raise ZeroDivisionError
            await asyncio.Event().wait()
        runs += 1
        if runs == 5:
            done.set()

    errands = [Errand(key="bad", interval=SECOND / 20), Errand(key="good", interval=SECOND / 20)]
    await Stage(run, *errands, concurrent=1, timeout_s=0.05).play(done)

    assert runs >= 5


async def test_stopping_lets_a_short_errand_end_and_cuts_a_long_one_off() -> None:
    begun, ended = asyncio.Event(), []

    async def run(key: str) -> None:
        try:
            begun.set()
            await asyncio.sleep(0.05 if key == "short" else 60)
            ended.append(key)
        except asyncio.CancelledError:
            ended.append(f"{key} cut off")
            raise

    errands = [Errand(key=key, interval=60 * SECOND) for key in ("short", "long")]
    await Stage(run, *errands).play(begun, grace_s=0.3)

    assert sorted(ended) == ["long cut off", "short"]
