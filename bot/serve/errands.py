"""Runs one errand by its key: from the record that it began to the line that says how it ended.

Whatever goes wrong ends here, as a failed errand with its reason; the next turn begins anew
from what Git and the cluster say. A store that fails is told, and the work goes on: it is
memory, not truth.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from bot.errors import FaultsError, ProductError
from bot.events import Event, Kind
from bot.schedule.timetable import Errand
from bot.serve.outcome import Outcome, Result, of_problems
from bot.store.memory import StoreUnavailableError
from bot.store.records import ErrandRecord, RunRecord
from bot.telemetry import run_id

if TYPE_CHECKING:
    from bot.clock import Clock
    from bot.config.server_model import ServerConfig
    from bot.serve.generation import Generation
    from bot.serve.metrics import Metrics
    from bot.serve.telling import Teller
    from bot.store.memory import Memory

_log = logging.getLogger(__name__)
_MOST_DECISIONS_KEPT = 200  # of one run, in the store; arbitrary

REPOSITORY, TARGET = "repository", "target"
Work = Callable[[str, "Generation"], Awaitable[Outcome]]


def errands_of(config: ServerConfig) -> list[Errand]:
    """Return an errand for each repository and each target."""
    return [
        Errand(
            key=f"{kind}/{one.name}",
            interval=one.interval,
            jitter=config.jitter,
            schedule=one.schedule,
            suspended=one.suspended,
        )
        for kind, entries in ((REPOSITORY, config.repositories), (TARGET, config.targets))
        for one in entries
    ]


class Errands:
    """Carries errands out; `works` say by the kind of errand what is to be done."""

    def __init__(
        self,
        works: dict[str, Work],
        *,
        current: Callable[[], Generation],
        memory: Memory,
        metrics: Metrics,
        teller: Teller,
        clock: Clock,
    ) -> None:
        self._works = works
        self._current = current
        self._memory = memory
        self._metrics = metrics
        self._teller = teller
        self._clock = clock
        self.failures: dict[str, int] = {}
        self.followed: frozenset[str] = frozenset()

    async def run(self, key: str) -> None:
        """Do the errand `key` once, and tell how it ended."""
        run_id.set(f"r-{secrets.token_hex(5)}")
        kind, _, name = key.partition("/")
        began_s, generation = self._clock.monotonic_s(), self._current()
        record = ErrandRecord(
            key=key,
            started=self._clock.now(),
            run=run_id.get(),
            failures=self.failures.get(key, 0),
        )
        await self._remember(self._memory.keep_errand(record))
        try:
            with generation.used():
                outcome = await self._works[kind](name, generation)
        except asyncio.CancelledError:
            self._metrics.add("pilotfish_errands_total", key, Result.STOPPED.value)
            self._teller.tell(
                Event(kind=Kind.ERRAND_STOPPED, where=name, subject=kind, reason="it is begun anew")
            )
            raise
        except Exception as fault:  # noqa: BLE001  # no errand ends the server
            outcome = _failed(kind, name, fault)
        took_s = self._clock.monotonic_s() - began_s
        await self._end(key, record, outcome, took_s)

    async def _end(self, key: str, record: ErrandRecord, outcome: Outcome, took_s: float) -> None:
        kind, _, name = key.partition("/")
        self._teller.tell_run(key, outcome.events)
        failed = outcome.result is Result.FAILED
        self.failures[key] = self.failures.get(key, 0) + 1 if failed else 0
        facts: dict[str, str | int | float] = {
            "result": outcome.result.value,
            "took_s": round(took_s, 3),
        }
        if failed:
            facts["failures_in_a_row"] = self.failures[key]
        self._teller.tell(
            Event(
                kind=Kind.ERRAND_FAILED if failed else Kind.ERRAND_ENDED,
                where=name,
                subject=kind,
                reason=outcome.summary,
                facts=MappingProxyType(facts),
            )
        )
        ended = self._clock.now()
        if key in self.followed:  # one that was dropped while it ran leaves no figure behind
            self._measure(key, outcome, took_s)
        await self._remember(
            self._memory.keep_run(
                RunRecord(
                    run=record.run,
                    errand=key,
                    started=record.started,
                    ended=ended,
                    result=outcome.result.value,
                    decisions=tuple(one.sentence for one in outcome.events[:_MOST_DECISIONS_KEPT]),
                ),
                replace(
                    record,
                    ended=ended,
                    result=outcome.result.value,
                    failures=self.failures[key],
                ),
            )
        )

    def _measure(self, key: str, outcome: Outcome, took_s: float) -> None:
        kind, _, name = key.partition("/")
        self._metrics.add("pilotfish_errands_total", key, outcome.result.value)
        self._metrics.observe("pilotfish_errand_seconds", took_s, kind)
        for gauge, value in outcome.gauges.items():
            self._metrics.set(gauge, value, name)
        for count, by in outcome.counts.items():
            self._metrics.add(count, name, by=by)
        if outcome.result is not Result.FAILED:
            moment = self._clock.now().timestamp()
            self._metrics.set("pilotfish_errand_last_success_timestamp_seconds", moment, key)

    async def _remember(self, writing: Awaitable[None]) -> None:
        try:
            await writing
        except StoreUnavailableError as fault:
            self._metrics.add("pilotfish_store_failures_total")
            self._teller.tell(Event(kind=Kind.STORE_FAILED, where=fault.where, reason=str(fault)))


def _failed(kind: str, name: str, fault: BaseException) -> Outcome:
    if isinstance(fault, FaultsError):
        return Outcome(
            result=Result.FAILED,
            summary=f"faults of its configuration: {len(fault.problems)}",
            events=tuple(of_problems(name, fault.problems)),
        )
    if isinstance(fault, ProductError):
        return Outcome(result=Result.FAILED, summary=str(fault))
    _log.error("errand has a fault of ours", extra={"errand": f"{kind}/{name}"}, exc_info=fault)
    return Outcome(result=Result.FAILED, summary=f"a fault of ours: {type(fault).__name__}")
