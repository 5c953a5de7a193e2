"""The store as the server uses it: one file, one writer, one thread.

SQLite calls block, so they run in a thread of their own, one after the other. The file is
checked when it is opened: one that is damaged is set aside and an empty one takes its place,
because everything in it can be found out again (FD1, FD2); one that another process keeps is
an error at once (FD3). A write that fails is told to the caller, who goes on without it.

Must not know what the records mean.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import os
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from bot.errors import UnavailableError
from bot.store import sql

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, Engine

    from bot.store.records import ErrandRecord, RunRecord, Sighting

T = TypeVar("T")

_log = logging.getLogger(__name__)
_SIGHTINGS_KEPT = timedelta(days=180)  # since a tag was last asked for; arbitrary
_FORGET_EVERY = 500  # runs; arbitrary


class StoreUnavailableError(UnavailableError):
    """The store's file cannot be read or written now."""


class Memory:
    """An open store; made by `open_memory`."""

    def __init__(
        self,
        engine: Engine,
        thread: ThreadPoolExecutor,
        *,
        kept_runs: int,
        migrations: Sequence[sql.Migration],
    ) -> None:
        self._engine = engine
        self._thread = thread
        self._kept_runs = kept_runs
        self._migrations = migrations
        self._written = 0
        self._doubtful = False

    async def errands(self) -> dict[str, ErrandRecord]:
        """Return what is remembered of every errand, by its key."""
        return await self._do(sql.errands)

    async def keep_errand(self, record: ErrandRecord) -> None:
        """Remember how far an errand is; safe to repeat."""
        await self._do(lambda c: sql.keep_errand(c, record))

    async def forget_errands(self, kept: Iterable[str]) -> None:
        """Forget every errand but those in `kept`."""
        await self._do(lambda c: sql.forget_errands(c, kept))

    async def keep_run(self, record: RunRecord, errand: ErrandRecord) -> None:
        """Remember a run that ended, and its errand with it."""

        def write(connection: Connection) -> None:
            sql.keep_run(connection, record, most=self._kept_runs)
            sql.keep_errand(connection, errand)
            self._written += 1
            if self._written % _FORGET_EVERY == 1:
                sql.forget_sightings(connection, before=record.ended - _SIGHTINGS_KEPT)

        await self._do(write)

    async def runs(self, *, errand: str = "", most: int = 100) -> list[RunRecord]:
        """Return the last runs, newest first."""
        return await self._do(lambda c: sql.runs(c, errand=errand, most=most))

    async def see(self, sightings: Sequence[Sighting], now: datetime) -> dict[Sighting, datetime]:
        """Return when each tag was first seen with its digest, which may be now."""
        return await self._do(lambda c: sql.see(c, sightings, now))

    async def _do(self, work: Callable[[Connection], T]) -> T:
        """Do `work` in one transaction in the store's thread.

        Raises:
            StoreUnavailableError: The disk is full, the file locked, damaged or gone.
        """
        try:
            return await asyncio.get_running_loop().run_in_executor(
                self._thread, self._transact, work
            )
        except sql.FAULTS as fault:
            self._doubtful = True
            raise StoreUnavailableError(
                f"the store cannot be used: {fault.orig}",
                where=str(self._engine.url.database),
                hint="Check the disk and the rights of its folder; nothing is decided by it",
            ) from fault

    def _transact(self, work: Callable[[Connection], T]) -> T:
        if self._doubtful:
            file = Path(str(self._engine.url.database))
            self._engine.dispose()
            self._engine = _open_sound(file, self._migrations)
            self._doubtful = False
        with self._engine.begin() as connection:
            return work(connection)

    def close(self) -> None:
        """Close the file; to be called in the store's thread."""
        self._engine.dispose()


@contextlib.asynccontextmanager
async def open_memory(
    file: Path, *, kept_runs: int, migrations: Sequence[sql.Migration] = sql.MIGRATIONS
) -> AsyncIterator[Memory]:
    """Give the store in `file`, ours alone until it is closed.

    Raises:
        StoreUnavailableError: Another process keeps it, or its folder cannot be written.
        ConfigError: A newer program wrote it.
    """
    with _locked(file), ThreadPoolExecutor(max_workers=1, thread_name_prefix="store") as thread:
        loop = asyncio.get_running_loop()
        engine = await loop.run_in_executor(thread, _open_sound, file, migrations)
        try:
            memory = Memory(engine, thread, kept_runs=kept_runs, migrations=migrations)
            yield memory
        finally:
            await loop.run_in_executor(thread, memory.close)


@contextlib.contextmanager
def _locked(file: Path) -> Iterator[None]:
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = os.open(f"{file}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as fault:
        raise StoreUnavailableError(
            f"the store's folder cannot be written ({fault.strerror})",
            where=str(file),
            hint="Check its path and rights, or name another file under `store`",
        ) from fault
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as fault:
        os.close(lock)
        raise StoreUnavailableError(
            "another process keeps this store",
            where=str(file),
            hint="Stop the other `pilotfish serve`, or give this one a store of its own",
        ) from fault
    try:
        yield
    finally:
        os.close(lock)


def _open_sound(file: Path, migrations: Sequence[sql.Migration]) -> Engine:
    engine = sql.open_engine(file)
    if not sql.is_sound(engine):
        engine.dispose()
        _set_aside(file)
        engine = sql.open_engine(file)
    try:
        sql.back_up_before_migrating(engine, file.with_name(f"{file.name}.before"), migrations)
        sql.migrate(engine, migrations)
    except BaseException:
        engine.dispose()
        raise
    return engine


def _set_aside(file: Path) -> None:
    """Move a damaged store away, keeping only the newest such wreck for a look."""
    wreck = file.with_name(f"{file.name}.damaged")
    with contextlib.suppress(FileNotFoundError):
        file.replace(wreck)
    for tail in ("-wal", "-shm"):
        file.with_name(file.name + tail).unlink(missing_ok=True)
    _log.error(
        "store was damaged",
        extra={"file": str(file), "kept": str(wreck), "says": "an empty one takes its place"},
    )
