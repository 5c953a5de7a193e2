"""The store: what it keeps, and that no fault of its file costs more than memory."""

import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from bot.errors import ConfigError
from bot.store.memory import StoreUnavailableError, open_memory
from bot.store.records import ErrandRecord, RunRecord, Sighting
from bot.store.sql import MIGRATIONS, migrate, open_engine

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
ERRAND = ErrandRecord(key="repository/fleet", started=NOW, run="r-1")
TAG = Sighting(image="ghcr.io/acme/web", tag="1.2.0", digest="sha256:aa")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "state" / "memory.db"


def a_run(number: int, errand: str = "repository/fleet") -> RunRecord:
    began = NOW + timedelta(minutes=number)
    return RunRecord(
        run=f"r-{number}",
        errand=errand,
        started=began,
        ended=began,
        result="done",
        decisions=("opened the proposal web",),
    )


async def test_what_is_kept_is_there_after_a_restart(file: Path) -> None:
    async with open_memory(file, kept_runs=100) as memory:
        await memory.keep_run(a_run(1), ERRAND)
        await memory.see([TAG], NOW)
    async with open_memory(file, kept_runs=100) as memory:
        assert await memory.errands() == {ERRAND.key: ERRAND}
        assert await memory.runs() == [a_run(1)]
        assert await memory.see([TAG], NOW + timedelta(days=2)) == {TAG: NOW}


async def test_a_tag_that_moved_is_seen_for_the_first_time_again(file: Path) -> None:
    moved = Sighting(image=TAG.image, tag=TAG.tag, digest="sha256:bb")
    async with open_memory(file, kept_runs=100) as memory:
        await memory.see([TAG], NOW)
        seen = await memory.see([TAG, moved], NOW + timedelta(days=2))

    assert seen == {TAG: NOW, moved: NOW + timedelta(days=2)}


async def test_the_log_of_runs_is_bounded_and_newest_first(file: Path) -> None:
    async with open_memory(file, kept_runs=5) as memory:
        for number in range(12):
            await memory.keep_run(a_run(number, f"repository/{number % 2}"), ERRAND)
        runs = await memory.runs()
        of_one = await memory.runs(errand="repository/1", most=2)

    assert [one.run for one in runs] == ["r-11", "r-10", "r-9", "r-8", "r-7"]
    assert [one.run for one in of_one] == ["r-11", "r-9"]


async def test_errands_that_are_configured_no_more_are_forgotten(file: Path) -> None:
    async with open_memory(file, kept_runs=5) as memory:
        await memory.keep_errand(ERRAND)
        await memory.forget_errands(["repository/other"])

        assert await memory.errands() == {}


@pytest.mark.parametrize("damage", ["all of it", "one page", "cut off", "no database at all"])
async def test_a_damaged_file_is_set_aside_and_work_goes_on(file: Path, damage: str) -> None:
    async with open_memory(file, kept_runs=1000) as memory:
        for number in range(300):
            await memory.keep_run(a_run(number), ERRAND)
    content = bytearray(file.read_bytes())
    if damage == "all of it":
        content[:] = b"\xa5" * len(content)
    elif damage == "one page":
        content[4096 * 3 : 4096 * 5] = b"\xa5" * 4096 * 2
    elif damage == "cut off":
        del content[len(content) // 2 :]
    else:
        content[:] = b"this is a letter, not a database"
    file.write_bytes(content)
    async with open_memory(file, kept_runs=10) as memory:
        assert await memory.errands() == {}
        await memory.keep_errand(ERRAND)
        assert await memory.errands() == {ERRAND.key: ERRAND}

    assert file.with_name("memory.db.damaged").read_bytes() == bytes(content)


async def test_a_file_that_is_deleted_between_runs_is_made_anew(file: Path) -> None:
    async with open_memory(file, kept_runs=10) as memory:
        await memory.keep_errand(ERRAND)
    file.unlink()
    async with open_memory(file, kept_runs=10) as memory:
        assert await memory.errands() == {}


async def test_a_schema_of_a_newer_program_is_refused_and_left_alone(file: Path) -> None:
    async with open_memory(file, kept_runs=10):
        pass
    with sqlite3.connect(file) as connection:
        connection.execute("UPDATE pilotfish_schema SET version = 99")
    connection.close()
    before = file.read_bytes()
    with pytest.raises(ConfigError, match="version 99"):
        async with open_memory(file, kept_runs=10):
            pass

    assert file.read_bytes() == before


async def test_a_second_process_is_turned_away(file: Path) -> None:
    async with open_memory(file, kept_runs=10):
        with pytest.raises(StoreUnavailableError, match="another process"):
            async with open_memory(file, kept_runs=10):
                pass


async def test_a_file_that_someone_locks_is_told_and_used_again_later(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.store.sql.BUSY_TIMEOUT_S", 0.05)
    async with open_memory(file, kept_runs=10) as memory:
        other = sqlite3.connect(file, isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StoreUnavailableError, match="locked"):
            await memory.keep_errand(ERRAND)
        other.execute("ROLLBACK")
        other.close()
        await memory.keep_errand(ERRAND)

        assert await memory.errands() == {ERRAND.key: ERRAND}


async def test_a_folder_that_cannot_be_written_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(StoreUnavailableError) as raised:
        async with open_memory(tmp_path / "taken" / "memory.db", kept_runs=10):
            pass

    assert "taken" in raised.value.where


def _broken(connection: Any) -> None:
    connection.execute(text("CREATE TABLE half_made (x INTEGER)"))
    raise RuntimeError("power cut")


def _second(connection: Any) -> None:
    connection.execute(text("CREATE TABLE pages (x INTEGER)"))


async def test_a_migration_that_breaks_off_leaves_the_old_schema_whole(file: Path) -> None:
    async with open_memory(file, kept_runs=10) as memory:
        await memory.keep_errand(ERRAND)
    with pytest.raises(RuntimeError):
        async with open_memory(file, kept_runs=10, migrations=(*MIGRATIONS, _broken)):
            pass
    async with open_memory(file, kept_runs=10) as memory:
        assert await memory.errands() == {ERRAND.key: ERRAND}
    with sqlite3.connect(file) as connection:
        tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}
    connection.close()
    assert "half_made" not in tables


async def test_a_migration_keeps_a_whole_copy_of_what_was(file: Path) -> None:
    async with open_memory(file, kept_runs=10) as memory:
        await memory.keep_errand(ERRAND)
    async with open_memory(file, kept_runs=10, migrations=(*MIGRATIONS, _second)) as memory:
        assert await memory.errands() == {ERRAND.key: ERRAND}
    copy = file.with_name("memory.db.before")
    engine = open_engine(copy)
    migrate(engine)
    engine.dispose()
    async with open_memory(copy, kept_runs=10) as memory:
        assert await memory.errands() == {ERRAND.key: ERRAND}
