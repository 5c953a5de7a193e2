"""How a forge's library is asked: in a thread, one request at a time, at the forge's pace.

The libraries know no event loop, sleep where they stand and repeat what must not be repeated, so
all of that is switched off there and done here: writes keep `pace_s` apart, reads are asked again
after a cut connection or a 5xx, a write only where that is safe, and a rate limit stops everything
that this credential would send (fault FF4). Every request that was really sent is counted.

Must not know any forge.
"""

from __future__ import annotations

import asyncio
import email.utils
import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from bot.errors import UnavailableError
from bot.forges.forge import RateLimitedError

if TYPE_CHECKING:
    from bot.clock import Clock

log = logging.getLogger(__name__)

TIMEOUT_S = 30
_TRIES = 3
_BACKOFF_S = 1.0
_PATIENCE_S = 60.0  # a limit that ends sooner is waited for
_FIRST_WAIT_S = 60.0  # where the forge does not say how long; doubled each time
_LONGEST_WAIT_S = 3600.0
_FIRST_SERVER_FAULT = 500
_TIMED_OUT, _TOO_MANY = 408, 429
_RESETS = ("x-ratelimit-reset", "ratelimit-reset")
_LEFT = ("x-ratelimit-remaining", "ratelimit-remaining")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One request. `path` is below the API's address, quoted; `body` becomes JSON.

    `writes`: it may change something; unset, all but GET and HEAD do. `repeatable`: sending it
    twice does no more than sending it once. `authorization` is the header's whole value.
    """

    method: str
    path: str
    query: Mapping[str, str | int] = field(default_factory=dict)
    body: object = None
    writes: bool | None = None
    repeatable: bool = False
    authorization: str = field(default="", repr=False)

    @property
    def mutates(self) -> bool:
        """Return whether it may change something on the forge."""
        return self.method not in {"GET", "HEAD"} if self.writes is None else self.writes


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One answer, whatever its status. Names in `headers` are lower-case."""

    status: int
    headers: Mapping[str, str]
    text: str = field(repr=False)

    def header(self, name: str) -> str:
        """Return a header's text, empty when there is none."""
        return self.headers.get(name, "")


class CutError(UnavailableError):
    """No answer was had; `sent` is false where the request surely never reached the forge."""

    def __init__(self, what: str, *, where: str = "", hint: str = "", sent: bool = True) -> None:
        super().__init__(what, where=where, hint=hint)
        self.sent = sent


class Gate:
    """What one credential may send and when; doors that share a credential share it.

    `pace_s` keeps writes apart, in seconds. GitHub asks for one (its rules of secondary limits);
    other forges ask for nothing.
    """

    def __init__(self, clock: Clock, *, pace_s: float = 0.0) -> None:
        self._clock = clock
        self._pace_s = pace_s
        self._next_write_s = 0.0
        self._closed_until_s = 0.0
        self._silent_limits = 0

    async def turn(self, *, writes: bool, where: str) -> None:
        """Wait until something may be sent.

        Raises:
            RateLimitedError: It would take more than a minute, because of a limit.
        """
        while (left_s := self._closed_until_s - self._clock.monotonic_s()) > 0:
            if left_s > _PATIENCE_S:
                raise _used_up(left_s, where)
            await self._clock.sleep(left_s)
        if writes and self._pace_s:
            now_s = self._clock.monotonic_s()
            mine_s = max(now_s, self._next_write_s)
            self._next_write_s = mine_s + self._pace_s
            if mine_s > now_s:
                await self._clock.sleep(mine_s - now_s)

    def wrote(self) -> None:
        """Note that a write has just ended."""
        soonest_s = self._clock.monotonic_s() + self._pace_s
        self._next_write_s = max(self._next_write_s, soonest_s)

    def answered(self) -> None:
        """Note that the forge does not limit us."""
        self._silent_limits = 0

    def limited(self, wait_s: float | None) -> float:
        """Send nothing for `wait_s`, or ever longer where the forge did not say how long."""
        if wait_s is None:
            wait_s = _FIRST_WAIT_S * 2**self._silent_limits
            self._silent_limits += 1
        wait_s = min(wait_s, _LONGEST_WAIT_S)
        self._closed_until_s = max(self._closed_until_s, self._clock.monotonic_s() + wait_s)
        return wait_s


def asked_wait_s(reply: Reply, now: datetime) -> float | None:
    """Return how long a limit lasts by the forge's word, `None` where it does not say.

    A moment that is not in the future says nothing: clocks differ (faults FF4, FF19).
    """
    text = reply.header("retry-after").strip()
    if text.isdecimal():
        return min(float(text), _LONGEST_WAIT_S)
    wait_s = _until(text, now)
    if wait_s is None and any(reply.header(name).strip() == "0" for name in _LEFT):
        resets = (reply.header(name).strip() for name in _RESETS)
        wait_s = next((float(one) - now.timestamp() for one in resets if one.isdecimal()), None)
    return min(wait_s, _LONGEST_WAIT_S) if wait_s is not None and wait_s > 0 else None


def _until(text: str, now: datetime) -> float | None:
    try:
        when = email.utils.parsedate_to_datetime(text)
    except ValueError:
        return None
    return ((when if when.tzinfo else when.replace(tzinfo=UTC)) - now).total_seconds()


def _used_up(wait_s: float, where: str) -> RateLimitedError:
    return RateLimitedError(
        f"the forge's rate limit is used up for another {round(wait_s)} s",
        where=where,
        hint="The next run goes on by itself; fewer runs an hour would avoid it",
        wait_s=wait_s,
    )


def _too_many(reply: Reply) -> bool:
    return reply.status == _TOO_MANY


class SyncDoor:
    """Asks through `send`, which blocks, is called in one thread at a time, and never retries.

    `send` returns every answer, whatever its status, and raises `CutError` where there is none.
    `limited` tells an answer that is a rate limit.
    """

    def __init__(
        self,
        send: Callable[[Ask], Reply],
        *,
        clock: Clock,
        gate: Gate,
        where: str,
        limited: Callable[[Reply], bool] = _too_many,
    ) -> None:
        self.requests = 0
        self._send = send
        self._clock = clock
        self._gate = gate
        self._where = where
        self._limited = limited
        self._order = asyncio.Lock()
        self._alone = threading.Lock()

    async def ask(self, ask: Ask) -> Reply:
        """Return the answer to one request; neither a 5xx nor a rate limit is returned.

        Raises:
            RateLimitedError: The forge wants us to stop for more than a minute.
            UnavailableError: No answer, or only a 5xx, also after trying again. Of a write it is
                not known then whether it was done.
        """
        async with self._order:
            for attempt in range(1, _TRIES + 1):
                await self._gate.turn(writes=ask.mutates, where=self._where)
                fault, again = await self._once(ask)
                if isinstance(fault, Reply):
                    return fault
                if attempt == _TRIES or not again:
                    raise fault
                if not isinstance(fault, RateLimitedError):
                    await self._clock.sleep(_BACKOFF_S * 2 ** (attempt - 1))
                log.debug("asking again", extra={"where": self._where, "why": fault.what})
        raise AssertionError("the last try returns or raises")  # pragma: no cover

    async def _once(self, ask: Ask) -> tuple[Reply | UnavailableError, bool]:
        """Return the answer, or what went wrong and whether to try again."""
        safe = not ask.mutates or ask.repeatable
        self.requests += 1
        try:
            reply = await asyncio.to_thread(self._send_alone, ask)
        except CutError as fault:
            fault.where = fault.where or self._where
            return fault, safe or not fault.sent
        finally:
            if ask.mutates:
                self._gate.wrote()
        if self._limited(reply):
            wait_s = self._gate.limited(asked_wait_s(reply, self._clock.now()))
            return _used_up(wait_s, self._where), True  # a limited request was not carried out
        self._gate.answered()
        if reply.status >= _FIRST_SERVER_FAULT or reply.status == _TIMED_OUT:
            return self._broken(reply, safe=safe), safe
        return reply, False

    def _send_alone(self, ask: Ask) -> Reply:
        with self._alone:  # a cancelled caller leaves its thread behind
            return self._send(ask)

    def _broken(self, reply: Reply, *, safe: bool) -> UnavailableError:
        doubt = "" if safe else ", and what was asked may have been done all the same"
        return UnavailableError(
            f"the forge answered {reply.status}{doubt}",
            where=self._where,
            hint="Look at the forge's status page; the next run tries again",
            wait_s=asked_wait_s(reply, self._clock.now()),
        )
