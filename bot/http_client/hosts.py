"""How hard one host is asked: so many at once, so many a second, and not at all while parked.

A host that asked us to wait, or that does not answer, is parked: whoever asks it meanwhile
fails at once with the reason, so that one bad host never holds up the others (faults FR1,
FR15, FR21; threat R5). After the time one may try again; an answer ends it.

Must not know HTTP.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from bot.errors import UnavailableError

if TYPE_CHECKING:
    from bot.clock import Clock

_FAILURES_IN_A_ROW = 3  # arbitrary: one bad answer is an accident, three are a state
_LONGEST_PARK_S = 3600.0


class ParkedHostError(UnavailableError):
    """The host is not asked for now; says since what."""


class Patience:
    """How many seconds one request may still spend on waiting."""

    def __init__(self, seconds: float) -> None:
        self.left_s = seconds

    def spend(self, seconds: float) -> bool:
        """Take `seconds` off; `False`, and nothing taken, when there are not as many."""
        if seconds > self.left_s:
            return False
        self.left_s -= seconds
        return True


class HostGate:
    """The one way to a host: everyone who asks it passes here."""

    def __init__(
        self, host: str, *, clock: Clock, concurrency: int, rate_per_s: float | None, park_s: float
    ) -> None:
        self.host = host
        self._clock = clock
        self._slots = asyncio.Semaphore(max(1, concurrency))
        self._step_s = 1.0 / rate_per_s if rate_per_s else 0.0
        self._burst_s = max(0.0, 1.0 - self._step_s)
        self._next_s = 0.0
        self._quiet_until_s = 0.0
        self._first_park_s = park_s
        self._park_s = park_s
        self._parked_until_s = 0.0
        self._reason = ""
        self._hint = ""
        self._failures = 0

    @asynccontextmanager
    async def turn(self, patience: Patience) -> AsyncIterator[None]:
        """Wait for one's turn, and hold it.

        Raises:
            ParkedHostError: The host is parked, or asked for more quiet than `patience` allows.
        """
        self.check()
        async with self._slots:
            self.check()
            await self._keep_quiet(patience)
            await self._keep_pace()
            self.check()
            yield

    def check(self) -> None:
        """Fail at once when the host is parked."""
        left_s = self._parked_until_s - self._clock.monotonic_s()
        if self._reason and left_s > 0:
            raise self._parked(left_s)

    def be_quiet(self, seconds: float) -> None:
        """Let everyone wait: the host asked for it."""
        self._quiet_until_s = max(self._quiet_until_s, self._clock.monotonic_s() + seconds)

    def park(self, fault: UnavailableError, seconds: float) -> None:
        """Ask the host nothing for `seconds`; whoever asks is told of `fault`."""
        self._reason, self._hint = fault.what, fault.hint
        self._parked_until_s = max(self._parked_until_s, self._clock.monotonic_s() + seconds)

    def failed(self, fault: UnavailableError, *, at_once: bool) -> None:
        """Count a request that was given up; park the host `at_once` or after some in a row."""
        self._failures += 1
        enough = at_once or self._failures >= _FAILURES_IN_A_ROW
        if enough and self._parked_until_s <= self._clock.monotonic_s():
            self.park(fault, self._park_s)
            self._park_s = min(self._park_s * 2, _LONGEST_PARK_S)

    def answered(self) -> None:
        """Forget what was wrong: the host is well."""
        if self._failures or self._reason:
            self._failures = 0
            self._reason = self._hint = ""
            self._park_s = self._first_park_s

    async def _keep_quiet(self, patience: Patience) -> None:
        while (left_s := self._quiet_until_s - self._clock.monotonic_s()) > 0:
            if not patience.spend(left_s):
                raise self._parked(left_s)
            await self._clock.sleep(left_s)

    async def _keep_pace(self) -> None:
        if not self._step_s:
            return
        now_s = self._clock.monotonic_s()
        mine_s = max(self._next_s, now_s - self._burst_s)
        self._next_s = mine_s + self._step_s
        if mine_s > now_s:
            await self._clock.sleep(mine_s - now_s)

    def _parked(self, left_s: float) -> ParkedHostError:
        reason = self._reason or "it asked us to wait"
        return ParkedHostError(
            f"not asked again for {left_s:.0f} s: {reason}",
            where=self.host,
            hint=self._hint or "Others go on; the next run tries it again",
            wait_s=left_s,
            cause=reason,
        )
