"""Wakes the server when something is due; the door to APScheduler.

APScheduler is used for one thing, with one job: to call us at a moment (its settings are those
that lose no wake-up: no grace for lateness, missed ones joined, one at a time, in memory).
What is due is decided in `bot/schedule/timetable.py`: APScheduler reads the wall clock alone,
which may jump, so a look at the timetable every few seconds stands beside it.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from apscheduler.executors.asyncio import AsyncIOExecutor
from apscheduler.jobstores.memory import MemoryJobStore
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.date import DateTrigger

if TYPE_CHECKING:
    from collections.abc import Callable

    from bot.clock import Clock

_JOB = "wake"
_SOONEST_S = 0.01


class Alarm:
    """Calls `wake` at the moment it was last set for."""

    def __init__(self, clock: Clock, wake: Callable[[], None]) -> None:
        self._clock = clock
        self._wake = wake
        self._scheduler = AsyncIOScheduler(
            timezone="UTC",
            jobstores={"default": MemoryJobStore()},
            executors={"default": AsyncIOExecutor()},
            job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1},
        )

    def start(self) -> None:
        """Begin, in the running loop."""
        self._scheduler.start()

    def set_for(self, wait_s: float) -> None:
        """Wake once after `wait_s`, instead of when it was set for before."""
        moment = self._clock.now() + timedelta(seconds=max(wait_s, _SOONEST_S))
        self._scheduler.add_job(
            self._ring,
            DateTrigger(run_date=moment),
            id=_JOB,
            replace_existing=True,
        )

    def stop(self) -> None:
        """End; nothing is called any more."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)

    async def _ring(self) -> None:
        self._wake()
