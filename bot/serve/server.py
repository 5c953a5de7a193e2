"""The long-running process: wires everything, and stops cleanly.

One process, one loop: errands on their intervals, a look at the configuration every few
seconds, health and metrics. A signal to stop lets what runs end for some seconds, then cuts
it off: everything is safe to repeat (FP1, FP6). A configuration that is wrong is refused
whole, and the one in use stays (FG10).

Must not know how anything works.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from bot.errors import ConfigError, FaultsError
from bot.events import Event, Kind
from bot.schedule.alarm import Alarm
from bot.schedule.dispatcher import Dispatcher
from bot.schedule.timetable import Timetable
from bot.serve.endpoints import listening
from bot.serve.errands import REPOSITORY, TARGET, Errands, errands_of
from bot.serve.generation import Generation, load, open_generation
from bot.serve.metrics import Metrics
from bot.serve.repositories import Repositories
from bot.serve.targets import Targets
from bot.serve.telling import Teller
from bot.serve.watch import Watch
from bot.store.memory import Memory, StoreUnavailableError, open_memory
from bot.version import __version__

if TYPE_CHECKING:
    from datetime import datetime

    from bot.clock import Clock
    from bot.config.server_model import ServerConfig
    from bot.git.names import Sha
    from bot.schedule.timetable import Errand
    from bot.serve.outcome import Outcome
    from bot.telemetry import LogLines

_LOOK_EVERY_S = 2.0
_GRACE_S = 5.0
_JUMP_S = 300.0  # of the wall clock against the steady one, to be told (threat S12)


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """The operator's file, and where caches and the store live when it does not say."""

    file: Path
    cache: Path
    state: Path


async def serve(places: Places, *, clock: Clock, lines: LogLines | None = None) -> None:
    """Serve until a signal to stop.

    Raises:
        ConfigError: The configuration, or the address to listen at, cannot be used.
        StoreUnavailableError: Another process keeps the store, or it cannot be written.
    """
    config = await asyncio.to_thread(load, places.file)
    store = Path(config.store) if config.store else places.state / "pilotfish.db"
    async with open_memory(store, kept_runs=config.kept_runs) as memory:
        server = _Server(places, memory, clock, lines)
        await server.run(config)


class _Server:
    def __init__(
        self, places: Places, memory: Memory, clock: Clock, lines: LogLines | None
    ) -> None:
        self._places = places
        self._memory = memory
        self._clock = clock
        self._lines = lines
        self._metrics = Metrics()
        self._teller = Teller(self._metrics)
        self._repositories = Repositories(
            memory=memory, clock=clock, cache_folder=places.cache, moved=self._base_moved
        )
        self._targets = Targets(self._repositories, clock=clock, cache_folder=places.cache)
        self._timetable = Timetable(clock, share=random.random)
        self._errands = Errands(
            {REPOSITORY: self._look_after, TARGET: self._apply},
            current=lambda: self._generation,
            memory=memory,
            metrics=self._metrics,
            teller=self._teller,
            clock=clock,
        )
        self._dispatcher = Dispatcher(
            self._timetable, self._errands.run, concurrent=1, timeout_s=1, shut=self._tell_shut
        )
        self._watch = Watch([])
        self._reload_asked = False
        self._stop_asked = asyncio.Event()
        self._generation: Generation

    async def run(self, config: ServerConfig) -> None:
        """Run until a signal to stop."""
        alarm = Alarm(self._clock, self._dispatcher.look)
        async with asyncio.TaskGroup() as group:
            await self._switch_to(config, group)
            with self._signals():
                async with listening(
                    config.host,
                    config.port,
                    metrics=self._metrics,
                    refresh=self._refresh,
                    unready=lambda: "stopping" if self._stop_asked.is_set() else "",
                ) as port:
                    alarm.start()
                    self._teller.tell(_started(config, port))
                    watching = group.create_task(self._watch_files(group))
                    await self._dispatcher.serve(alarm, grace_s=_GRACE_S)
                    watching.cancel()
            alarm.stop()
            self._generation.retire()
        self._teller.tell(Event(kind=Kind.SERVER_STOPPED))

    async def _look_after(self, name: str, generation: Generation) -> Outcome:
        return await self._repositories.run(generation.config.repository(name), generation)

    async def _apply(self, name: str, generation: Generation) -> Outcome:
        return await self._targets.run(generation.config.target(name), generation)

    def _base_moved(self, repository: str, tip: Sha) -> None:
        """Have what is applied of a repository applied anew, at once."""
        self._targets.supersede(repository, tip)
        for target in self._generation.config.targets:
            if target.repository == repository:
                self._timetable.ask(f"{TARGET}/{target.name}")
        self._dispatcher.look()

    # The configuration

    async def _switch_to(self, config: ServerConfig, group: asyncio.TaskGroup) -> None:
        """Use `config` from now on."""
        opened: asyncio.Future[Generation] = asyncio.get_running_loop().create_future()
        group.create_task(self._keep_open(config, opened))
        generation = await opened
        if hasattr(self, "_generation"):
            self._generation.retire()
        self._generation = generation
        errands = errands_of(config)
        keys = [errand.key for errand in errands]
        try:
            remembered = await self._memory.errands()
            await self._memory.forget_errands(keys)
        except StoreUnavailableError as fault:
            self._metrics.add("pilotfish_store_failures_total")
            self._teller.tell(Event(kind=Kind.STORE_FAILED, where=fault.where, reason=str(fault)))
            remembered = {}
        self._timetable.set(errands, remembered)
        self._errands.followed = frozenset(keys)
        self._teller.tell(*_suspended(errands))
        self._teller.forget(keys)
        self._metrics.forget("errand", keys)
        self._metrics.forget("repository", (one.name for one in config.repositories))
        self._metrics.forget("target", (one.name for one in config.targets))
        self._metrics.set("pilotfish_config_valid", 1)
        self._metrics.set(
            "pilotfish_config_loaded_timestamp_seconds", self._clock.now().timestamp()
        )
        self._dispatcher.concurrent = config.concurrent
        self._dispatcher.timeout_s = config.errand_timeout.total_seconds()
        self._watch.follow([self._places.file, *map(Path, config.files), *_docker_files()])
        self._dispatcher.look()

    async def _keep_open(self, config: ServerConfig, opened: asyncio.Future[Generation]) -> None:
        try:
            async with open_generation(
                config, clock=self._clock, cache_folder=self._places.cache
            ) as generation:
                opened.set_result(generation)
                await generation.until_over()
        except ConfigError as fault:
            if opened.done():
                raise
            opened.set_exception(fault)

    async def _watch_files(self, group: asyncio.TaskGroup) -> None:
        wall, steady_s = self._clock.now(), self._clock.monotonic_s()
        while True:
            await self._clock.sleep(_LOOK_EVERY_S)
            self._dispatcher.look()
            passed_s = self._clock.monotonic_s() - steady_s
            jump_s = (self._clock.now() - wall).total_seconds() - passed_s
            wall, steady_s = self._clock.now(), self._clock.monotonic_s()
            if abs(jump_s) > _JUMP_S:
                self._teller.tell(_jumped(jump_s))
            changed = await asyncio.to_thread(self._watch.changed)
            if changed or self._reload_asked:
                self._reload_asked = False
                await self._reload(group)

    async def _reload(self, group: asyncio.TaskGroup) -> None:
        old = self._generation.config
        try:
            config = await asyncio.to_thread(load, self._places.file)
            await self._switch_to(config, group)
        except ConfigError as fault:
            self._metrics.set("pilotfish_config_valid", 0)
            self._teller.tell(*_refusals(fault))
            return
        fixed = ("host", "port", "store", "kept_runs")
        kept = [name for name in fixed if getattr(old, name) != getattr(config, name)]
        self._teller.tell(_loaded(config, kept))

    # Telling

    def _tell_shut(self, key: str, opening: datetime) -> None:
        kind, _, name = key.partition("/")
        self._teller.tell(
            Event(
                kind=Kind.ERRAND_SKIPPED,
                where=name,
                subject=kind,
                reason=f"its schedule opens at {opening.isoformat(timespec='minutes')}",
            ),
            errand=key,
        )

    def _refresh(self) -> None:
        self._metrics.set("pilotfish_info", 1, __version__)
        self._metrics.set("pilotfish_errands_running", len(self._dispatcher.running))
        self._metrics.set("pilotfish_errands_waiting", self._dispatcher.waiting)
        self._metrics.set("pilotfish_errand_overdue_seconds", self._timetable.overdue_s())
        if self._lines is not None:
            self._metrics.set("pilotfish_log_lines_dropped", self._lines.dropped)

    # Signals

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._stop, "SIGTERM")
        loop.add_signal_handler(signal.SIGINT, self._stop, "SIGINT")
        loop.add_signal_handler(signal.SIGHUP, self._ask_for_reload)
        try:
            yield
        finally:
            for one in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                loop.remove_signal_handler(one)

    def _stop(self, name: str) -> None:
        if self._stop_asked.is_set():
            return
        self._stop_asked.set()
        running = ", ".join(self._dispatcher.running)
        self._teller.tell(
            Event(
                kind=Kind.SERVER_STOPPING,
                reason=f"{name}; {running or 'nothing'} is under way",
            )
        )
        self._dispatcher.stop()

    def _ask_for_reload(self) -> None:
        self._reload_asked = True


def _started(config: ServerConfig, port: int) -> Event:
    return Event(
        kind=Kind.SERVER_STARTED,
        reason=f"{len(config.repositories)} repositories and {len(config.targets)} targets; "
        f"listening at {config.host}:{port}",
        facts=MappingProxyType({"version": __version__, "host": config.host, "port": port}),
    )


def _jumped(by_s: float) -> Event:
    return Event(
        kind=Kind.CLOCK_JUMPED,
        reason=f"the wall clock went {'forward' if by_s > 0 else 'back'} by {abs(by_s):.0f} s; "
        "intervals go on as they were, windows follow it",
    )


def _suspended(errands: list[Errand]) -> list[Event]:
    return [
        Event(
            kind=Kind.ERRAND_SKIPPED,
            where=one.key.partition("/")[2],
            subject=one.key.partition("/")[0],
            reason="it is suspended",
        )
        for one in errands
        if one.suspended
    ]


def _loaded(config: ServerConfig, kept: list[str]) -> Event:
    reason = f"{len(config.repositories)} repositories and {len(config.targets)} targets"
    if kept:
        reason += f"; what changed in {', '.join(kept)} counts from the next start on"
    return Event(kind=Kind.CONFIG_LOADED, where=config.file, reason=reason)


def _refusals(fault: ConfigError) -> list[Event]:
    told = (
        [(one.where, one.message, one.hint) for one in fault.problems]
        if isinstance(fault, FaultsError)
        else [(fault.where, fault.what, fault.hint)]
    )
    return [
        Event(
            kind=Kind.CONFIG_REFUSED,
            where=where,
            reason=f"{what}; the configuration in use stays",
            facts=MappingProxyType({"hint": hint}),
        )
        for where, what, hint in told
    ]


def _docker_files() -> list[Path]:
    from bot.registry.credentials import docker_folder

    folder = docker_folder(os.environ)
    return [folder / "config.json"] if folder is not None else []
