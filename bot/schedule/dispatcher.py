"""Runs what is due: so many at once, the longest overdue first, each under a time-out.

Every errand is known by its key and runs at most once at a time; what is asked meanwhile is
one more turn, so the queue is never longer than the timetable (FS7). One that fails, hangs or
has a fault of ours ends alone (FS6).

Must not know what an errand does.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from bot.schedule.alarm import Alarm
    from bot.schedule.timetable import Timetable

_log = logging.getLogger(__name__)

Run = Callable[[str], Awaitable[None]]


class Dispatcher:
    """Takes from the timetable and starts; `look` is called whenever something may be due."""

    def __init__(
        self,
        timetable: Timetable,
        run: Run,
        *,
        concurrent: int,
        timeout_s: float,
        shut: Callable[[str, datetime], None],
    ) -> None:
        """Take what runs an errand; `shut` hears once of each that its window keeps waiting."""
        self.concurrent = concurrent
        self.timeout_s = timeout_s
        self._timetable = timetable
        self._run = run
        self._shut = shut
        self._waiting: deque[str] = deque()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._changed = asyncio.Event()
        self._stopping = False

    @property
    def waiting(self) -> int:
        """Return how many errands are due and wait for a free place."""
        return len(self._waiting)

    @property
    def running(self) -> list[str]:
        """Return what runs now."""
        return list(self._tasks)

    def look(self) -> None:
        """Have the timetable looked at soon; safe to call at any time, from the loop."""
        self._changed.set()

    async def serve(self, alarm: Alarm, *, grace_s: float) -> None:
        """Run errands until `stop`, then let those that run end within `grace_s`."""
        async with asyncio.TaskGroup() as group:
            while not self._stopping:
                self._changed.clear()
                self._start_due(group)
                alarm.set_for(self._timetable.wait_s())
                await self._changed.wait()
            if self._tasks:
                await asyncio.wait(self._tasks.values(), timeout=grace_s)
            for task in self._tasks.values():
                task.cancel()

    def stop(self) -> None:
        """Start nothing any more."""
        self._stopping = True
        self._waiting.clear()
        self._changed.set()

    def _start_due(self, group: asyncio.TaskGroup) -> None:
        for key, opening in self._timetable.newly_shut():
            self._shut(key, opening)
        self._waiting.extend(self._timetable.take_due())
        while self._waiting and len(self._tasks) < self.concurrent:
            key = self._waiting.popleft()
            self._tasks[key] = group.create_task(self._one(key), name=key)

    async def _one(self, key: str) -> None:
        try:
            async with asyncio.timeout(self.timeout_s):
                await self._run(key)
        except TimeoutError:
            _log.error("errand took too long", extra={"errand": key, "after_s": self.timeout_s})
        except Exception:  # noqa: BLE001  # the work queue: no errand ends the others
            _log.exception("errand has a fault of ours", extra={"errand": key})
        finally:
            self._tasks.pop(key, None)
            self._timetable.finished(key)
            self._changed.set()
