"""Copies of a database that is being written to, that is damaged, that is not open, and without room."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from itertools import count
from pathlib import Path

import pytest

from agentic_atlas.backend.ports import Store
from agentic_atlas.backend.store import copying
from agentic_atlas.backend.store import sqlite as sqlite_store
from agentic_atlas.backend.store.copying import check, copy_closed, describe
from agentic_atlas.backend.store.database import open_store
from agentic_atlas.backend.store.migrations import REVISIONS
from agentic_atlas.backend.store.migrations.upgrade import upgrade
from agentic_atlas.errors import AtlasError, Busy, ConfigurationError, Unavailable
from tests.conformance.store.samples import NOW, Numbered, populate, submitted
from tests.integration.store.conftest import Open
from tests.integration.store.test_trouble import fill, small_disk  # noqa: F401  # a fixture

LATEST = REVISIONS[-1]
LARGE = b'"' + b"x" * 20_000 + b'"'


def quiet(_size: int) -> None:
    pass


def tasks_in(path: Path) -> set[str]:
    with closing(sqlite3.connect(f"{path.as_uri()}?immutable=1", uri=True)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return {task_id for (task_id,) in connection.execute("SELECT id FROM tasks")}


class Load:
    """Writers that add tasks one after the other, and what was acknowledged to them."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._numbers = count()
        self.acknowledged: set[str] = set()

    async def write(self) -> None:
        while True:
            added = await self._store.tasks.add(submitted(next(self._numbers), input=LARGE))
            self.acknowledged.add(added.task.id)

    async def more(self, number: int) -> None:
        """Return when so many more are acknowledged."""
        most = len(self.acknowledged) + number
        while len(self.acknowledged) < most:
            await self._store.tasks.change("task_none", lambda task: None)


@pytest.fixture
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copying, "STEP", 64 * 1024)


@pytest.mark.usefixtures("small_steps")
async def test_a_copy_under_a_writing_load_is_of_one_moment_and_has_all_that_was_acknowledged_before(
    path: Path, opened: Open, tmp_path: Path
) -> None:
    """Writers go on through the copy; what they add meanwhile is in none of it, for it sees one state."""
    target = tmp_path / "copy.db"

    async with opened() as store:
        load = Load(store)
        loop, pieces = asyncio.get_running_loop(), count(1)

        def told(_size: int) -> None:
            if next(pieces) == 20:  # in the middle: go on when more has been written beside the copy
                asyncio.run_coroutine_threadsafe(load.more(50), loop).result(30)

        async with asyncio.TaskGroup() as group:
            writers = [group.create_task(load.write()) for _ in range(4)]
            await load.more(200)
            before = set(load.acknowledged)
            await store.copy(target, told)
            assert next(pieces) > 20
            after = set(load.acknowledged)
            for writer in writers:
                writer.cancel()
        copied = tasks_in(target)
        assert before - copied == set()
        assert len(after - copied) >= 50 - 4

    assert tasks_in(target) <= tasks_in(path)


async def test_reads_and_writes_are_answered_while_a_copy_is_made_and_a_second_one_is_not(
    opened: Open, tmp_path: Path
) -> None:
    async with opened() as store:
        loop, begun, go_on = asyncio.get_running_loop(), asyncio.Event(), asyncio.Event()

        def told(_size: int) -> None:
            loop.call_soon_threadsafe(begun.set)
            asyncio.run_coroutine_threadsafe(go_on.wait(), loop).result(30)

        async with asyncio.TaskGroup() as group:
            copying = group.create_task(store.copy(tmp_path / "copy.db", told))
            await begun.wait()
            assert (await store.tasks.add(submitted(1))).created
            reads = [group.create_task(store.tasks.get("task_00000001")) for _ in range(50)]
            await asyncio.wait(reads)
            with pytest.raises(Busy):
                await store.copy(tmp_path / "other.db", told)
            assert not copying.done()
            go_on.set()

    assert tasks_in(tmp_path / "copy.db") == set()


async def test_a_damaged_database_does_not_go_on_in_a_copy(path: Path, opened: Open, tmp_path: Path) -> None:
    async with opened() as store:
        await populate(store)

    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (root,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'tokens'").fetchone()
    with path.open("r+b") as file:
        file.seek((root - 1) * 4096)
        file.write(b"\xff" * 4096)

    async with opened() as store:
        with pytest.raises(AtlasError, match="damaged") as refused:
            await store.copy(tmp_path / "copy.db", quiet)
        assert refused.value.code == "store_damaged"


async def test_a_copy_without_room_is_told_so_and_the_store_goes_on(small_disk: Path, tmp_path: Path) -> None:  # noqa: F811

    async with open_store(tmp_path / "atlas.db", clock=lambda: NOW, ids=Numbered()) as store:
        for number in range(200):
            await store.tasks.add(submitted(number, input=LARGE))
        fill(small_disk / "filler")
        with pytest.raises((Unavailable, OSError)) as refused:
            await store.copy(small_disk / "copy.db", quiet)
        assert getattr(refused.value, "code", None) == "storage_full" or "No space" in str(refused.value)
        assert (await store.tasks.add(submitted(1_000))).created
        (small_disk / "filler").unlink()
        await store.copy(small_disk / "copy.db", quiet)
    assert len(tasks_in(small_disk / "copy.db")) == 201


async def test_a_closed_database_is_copied_with_what_a_kill_left_in_its_log_and_its_schema_as_it_is(
    path: Path, opened: Open, tmp_path: Path
) -> None:
    async with opened() as store:
        await store.tasks.add(submitted(1))

    with closing(sqlite3.connect(path, isolation_level=None)) as killed:
        killed.execute("UPDATE alembic_version SET version_num = '0000'")
        killed.execute("PRAGMA wal_autocheckpoint = 0")
        killed.execute("UPDATE network SET id = 'net_log'")  # in the log alone, until the connection is closed
        left = tmp_path / "left"
        left.mkdir()
        for end in ("", "-wal"):
            (left / f"atlas.db{end}").write_bytes(path.with_name(f"{path.name}{end}").read_bytes())
    copied = copy_closed(left / "atlas.db", tmp_path / "copy.db", quiet)
    assert (copied.schema, copied.network) == ("0000", "net_log")
    assert check(tmp_path / "copy.db", LATEST) == copied == describe(left / "atlas.db")
    assert tasks_in(tmp_path / "copy.db") == {"task_00000001"}


def test_an_empty_database_is_no_network_to_copy(tmp_path: Path) -> None:
    (tmp_path / "atlas.db").touch()
    with pytest.raises(ConfigurationError, match="no network"):
        describe(tmp_path / "atlas.db")


@pytest.mark.parametrize("content", [b"", b"no database" * 1_000])
def test_what_is_no_database_of_ours_does_not_pass_the_check(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.db").write_bytes(content)
    with pytest.raises(ConfigurationError) as refused:
        check(tmp_path / "a.db", LATEST)
    assert refused.value.code == "backup_damaged"


OTHERWISE_MADE = {
    "a trigger": "CREATE TRIGGER t AFTER INSERT ON api_keys BEGIN UPDATE users SET role = 'admin'; END",
    "a view": "CREATE VIEW v AS SELECT 1",
    "a view in a table's place": "ALTER TABLE events RENAME TO e; CREATE VIEW events AS SELECT * FROM e",
    "another table": "CREATE TABLE theirs (x)",
    "a table less": "DROP TABLE events",
    "another column": "ALTER TABLE users ADD COLUMN more",
    "a computed column": "ALTER TABLE users ADD COLUMN more GENERATED ALWAYS AS (1)",
    "a column less": "ALTER TABLE tasks DROP COLUMN dialogue",
    "another index": "CREATE INDEX theirs ON users (role)",
    "an index less": "DROP INDEX tasks_of_owner",
}


@pytest.mark.parametrize("what", OTHERWISE_MADE)
async def test_a_database_that_is_made_otherwise_than_its_revision_does_not_pass_the_check(
    path: Path, opened: Open, what: str
) -> None:
    async with opened() as store:
        await populate(store)

    assert check(path, LATEST).schema == LATEST
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(f"PRAGMA legacy_alter_table = ON; PRAGMA foreign_keys = OFF; {OTHERWISE_MADE[what]}")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with pytest.raises(ConfigurationError, match="not made as schema") as refused:
        check(path, LATEST)
    assert refused.value.code == "backup_damaged"


def test_a_backup_of_an_earlier_schema_is_compared_with_that_one(path: Path) -> None:
    engine = sqlite_store.writing_engine(path)
    path.parent.mkdir()
    path.touch()
    sqlite_store.examine(path)
    upgrade(engine, to="0001")
    with engine.begin() as connection:
        connection.exec_driver_sql("INSERT INTO network (id, created_at) VALUES ('net_old', 0)")
    engine.dispose()
    assert check(path, "0001").schema == "0001"
    with pytest.raises(ConfigurationError, match=f"not made as schema {LATEST}"):
        check(path, LATEST)


async def test_what_sqlite_keeps_for_itself_is_no_part_of_a_schema(path: Path, opened: Open) -> None:
    async with opened() as store:
        await populate(store)

    with closing(sqlite3.connect(path)) as connection:
        connection.execute("ANALYZE")
        connection.commit()
    assert check(path, LATEST).schema == LATEST
