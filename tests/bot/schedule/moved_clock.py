"""A clock that stands still until a test moves it."""

import asyncio
from datetime import UTC, datetime, timedelta


class MovedClock:
    """Wall clock and monotonic clock, moved together or apart."""

    def __init__(self, start: datetime = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)) -> None:
        self.wall = start
        self.seconds = 1000.0

    def now(self) -> datetime:
        """Return the time of day."""
        return self.wall

    def monotonic_s(self) -> float:
        """Return seconds that only grow."""
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        """Move on by `seconds` without waiting."""
        self.pass_time(seconds)
        await asyncio.sleep(0)

    def pass_time(self, seconds: float) -> None:
        """Let time pass on both clocks."""
        self.seconds += seconds
        self.wall += timedelta(seconds=seconds)

    def jump(self, by: timedelta) -> None:
        """Let somebody set the wall clock."""
        self.wall += by
