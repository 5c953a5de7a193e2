"""Every statement that the store speaks, through SQLAlchemy Core (`product.md` 10.17).

Tables, migrations and queries; each function takes an open connection and is one piece of a
transaction that the caller holds. A migration is recorded in the transaction that makes it
(FD4), and a schema from a newer program is refused, never touched (FD5).

Must not know threads, files, or what a record means.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sqlalchemy import (
    Column,
    Float,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    create_engine,
    delete,
    event,
    insert,
    inspect,
    select,
    text,
    update,
)
from sqlalchemy.exc import DatabaseError, OperationalError

from bot.errors import ConfigError
from bot.store.records import ErrandRecord, RunRecord, Sighting

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy.engine import Connection, Engine

Migration = Callable[["Connection"], None]
FAULTS = (DatabaseError, OperationalError)  # what a statement raises when the file is at fault

BUSY_TIMEOUT_S = 5.0
_METADATA = MetaData()
_SCHEMA = Table("pilotfish_schema", _METADATA, Column("version", Integer, nullable=False))
_ERRANDS = Table(
    "errands",
    _METADATA,
    Column("key", String(255), primary_key=True),
    Column("started", Float, nullable=False),
    Column("ended", Float),
    Column("result", Text, nullable=False),
    Column("run", String(40), nullable=False),
    Column("failures", Integer, nullable=False),
)
_SIGHTINGS = Table(
    "first_seen",
    _METADATA,
    Column("image", String(512), primary_key=True),
    Column("tag", String(128), primary_key=True),
    Column("digest", String(160), primary_key=True),
    Column("seen", Float, nullable=False),
    Column("asked", Float, nullable=False),
    Index("first_seen_asked", "asked"),
)
_RUNS = Table(
    "runs",
    _METADATA,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("run", String(40), nullable=False),
    Column("errand", String(255), nullable=False),
    Column("started", Float, nullable=False),
    Column("ended", Float, nullable=False),
    Column("result", Text, nullable=False),
    Column("decisions", Text, nullable=False),
)


def _first(connection: Connection) -> None:
    for table in (_ERRANDS, _SIGHTINGS, _RUNS):
        table.create(connection)


MIGRATIONS: tuple[Migration, ...] = (_first,)


def open_engine(file: Path) -> Engine:
    """Return an engine for the SQLite file, which is made when it is not there.

    Transactions are SQLAlchemy's own, because the driver would end them before a table is made.
    """
    engine = create_engine(
        f"sqlite:///{file}", connect_args={"timeout": BUSY_TIMEOUT_S, "check_same_thread": False}
    )

    @event.listens_for(engine, "connect")
    def _on_connect(connection: object, _: object) -> None:
        connection.isolation_level = None  # type: ignore[attr-defined]  # the driver's, untyped
        cursor = connection.cursor()  # type: ignore[attr-defined]  # the driver's, untyped
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _on_begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def is_sound(engine: Engine) -> bool:
    """Return whether SQLite finds the file whole."""
    try:
        with engine.connect() as connection:
            return connection.execute(text("PRAGMA quick_check(1)")).scalar() == "ok"
    except FAULTS:
        return False


def back_up_before_migrating(engine: Engine, file: Path, migrations: Sequence[Migration]) -> None:
    """Write a whole copy to `file` where an older schema is about to be changed."""
    with engine.begin() as connection:
        version = _version(connection)
    if 0 < version < len(migrations):
        file.unlink(missing_ok=True)
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("COMMIT")
            connection.exec_driver_sql("VACUUM INTO ?", (str(file),))
            connection.exec_driver_sql("BEGIN")


def migrate(engine: Engine, migrations: Sequence[Migration] = MIGRATIONS) -> None:
    """Bring the schema to the version of this program, in one transaction.

    Raises:
        ConfigError: A newer program has written it.
    """
    with engine.begin() as connection:
        version = _version(connection)
        if version > len(migrations):
            raise ConfigError(
                f"the store has version {version}, and this program knows {len(migrations)}",
                where=str(engine.url.database),
                hint="Start the newer pilotfish again, or name another file under `store`; "
                "nothing that was decided is lost with it",
            )
        for migration in migrations[version:]:
            migration(connection)
        connection.execute(delete(_SCHEMA))
        connection.execute(insert(_SCHEMA).values(version=len(migrations)))


def _version(connection: Connection) -> int:
    if not inspect(connection).has_table(_SCHEMA.name):
        _SCHEMA.create(connection)
        return 0
    return connection.execute(select(_SCHEMA.c.version)).scalar() or 0


def errands(connection: Connection) -> dict[str, ErrandRecord]:
    """Return what is remembered of every errand, by its key."""
    return {
        row.key: ErrandRecord(
            key=row.key,
            started=_time(row.started),
            ended=None if row.ended is None else _time(row.ended),
            result=row.result,
            run=row.run,
            failures=row.failures,
        )
        for row in connection.execute(select(_ERRANDS))
    }


def keep_errand(connection: Connection, record: ErrandRecord) -> None:
    """Put `record` in the place of what stood for its key."""
    connection.execute(delete(_ERRANDS).where(_ERRANDS.c.key == record.key))
    connection.execute(
        insert(_ERRANDS).values(
            key=record.key,
            started=record.started.timestamp(),
            ended=record.ended.timestamp() if record.ended else None,
            result=record.result,
            run=record.run,
            failures=record.failures,
        )
    )


def forget_errands(connection: Connection, kept: Iterable[str]) -> None:
    """Drop the errands that are configured no more."""
    connection.execute(delete(_ERRANDS).where(_ERRANDS.c.key.not_in(list(kept))))


def keep_run(connection: Connection, record: RunRecord, *, most: int) -> None:
    """Add `record` to the log of runs, and drop the oldest beyond `most`."""
    number = connection.execute(
        insert(_RUNS).values(
            run=record.run,
            errand=record.errand,
            started=record.started.timestamp(),
            ended=record.ended.timestamp(),
            result=record.result,
            decisions=json.dumps(record.decisions, ensure_ascii=False),
        )
    ).inserted_primary_key
    if number is not None:
        connection.execute(delete(_RUNS).where(_RUNS.c.number <= number[0] - most))


def runs(connection: Connection, *, errand: str, most: int) -> list[RunRecord]:
    """Return the last runs, newest first; of one errand where it is named."""
    query = select(_RUNS).order_by(_RUNS.c.number.desc()).limit(most)
    if errand:
        query = query.where(_RUNS.c.errand == errand)
    return [
        RunRecord(
            run=row.run,
            errand=row.errand,
            started=_time(row.started),
            ended=_time(row.ended),
            result=row.result,
            decisions=tuple(json.loads(row.decisions)),
        )
        for row in connection.execute(query)
    ]


def see(
    connection: Connection, sightings: Iterable[Sighting], now: datetime
) -> dict[Sighting, datetime]:
    """Return when each was first seen: `now` for those that never were."""
    moment = now.timestamp()
    found: dict[Sighting, datetime] = {}
    for one in dict.fromkeys(sightings):
        same = (
            (_SIGHTINGS.c.image == one.image)
            & (_SIGHTINGS.c.tag == one.tag)
            & (_SIGHTINGS.c.digest == one.digest)
        )
        seen = connection.execute(select(_SIGHTINGS.c.seen).where(same)).scalar()
        if seen is None:
            connection.execute(
                insert(_SIGHTINGS).values(
                    image=one.image, tag=one.tag, digest=one.digest, seen=moment, asked=moment
                )
            )
        else:
            connection.execute(update(_SIGHTINGS).where(same).values(asked=moment))
        found[one] = _time(moment if seen is None else seen)
    return found


def forget_sightings(connection: Connection, *, before: datetime) -> None:
    """Drop what nobody has asked for since `before`."""
    connection.execute(delete(_SIGHTINGS).where(_SIGHTINGS.c.asked < before.timestamp()))


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
