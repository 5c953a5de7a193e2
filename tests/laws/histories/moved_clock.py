"""A clock that moves only when it is moved: waiting moves it, and takes no time."""

import asyncio
from datetime import datetime, timedelta
from typing import Protocol

START = datetime.fromisoformat("2026-03-02T08:00:00+00:00")


class Ahead(Protocol):
    """Keeps how far the clock has moved since `START`."""

    ahead_s: float


class MovedClock:
    """Ours on the time that a server keeps, so that both sides agree."""

    def __init__(self, kept: Ahead) -> None:
        self._kept = kept

    def now(self) -> datetime:
        return START + timedelta(seconds=self._kept.ahead_s)

    def monotonic_s(self) -> float:
        return self._kept.ahead_s

    async def sleep(self, seconds: float) -> None:
        self._kept.ahead_s += seconds
        await asyncio.sleep(0)
