"""The only reader of the time of day, and the only sleeper.

Whatever decides takes `now` as an argument; edges take a `Clock`, so that tests move it
instead of waiting.
"""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Tells the time and waits."""

    def now(self) -> datetime:
        """Return the time of day, in UTC, aware."""

    def monotonic_s(self) -> float:
        """Return seconds that only grow, for durations."""

    async def sleep(self, seconds: float) -> None:
        """Wait for `seconds`."""


class SystemClock:
    """The clock of the machine."""

    def now(self) -> datetime:
        """Return the time of day, in UTC, aware."""
        return datetime.now(UTC)

    def monotonic_s(self) -> float:
        """Return seconds that only grow, for durations."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait for `seconds`."""
        await asyncio.sleep(seconds)
