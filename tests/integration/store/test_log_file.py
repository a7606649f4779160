"""The file with log lines: killed, locked, damaged, full or another's; the store goes on when it can be had again."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from agentic_atlas.backend.domain.logs import LogBatch, LogFilter, LogLimits, LogSight, TaskOwner
from agentic_atlas.backend.store import logs as log_store
from agentic_atlas.backend.store import sqlite
from agentic_atlas.backend.store.log_blocks import SHORT
from agentic_atlas.backend.store.log_search import search
from agentic_atlas.backend.store.logs import AGAIN, SqlLogs, open_logs
from agentic_atlas.errors import Unavailable
from agentic_atlas.protocol.messages import LogLine
from tests.disks import mounted
from tests.integration.store.conftest import process

NOW = 1_800_000_000.0
OWNER = TaskOwner("agent_a", "user_ada", "key_ada", "a" * 32)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "logs.sqlite3"


@contextmanager
def locked(path: Path) -> Iterator[None]:
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


async def keep(logs: SqlLogs, first: int, *messages: str, instance: str = "inst_1", task: str = "") -> int:
    lines = [LogLine(at=NOW, level="info", message=one, source="task", task=task) for one in messages]
    batch = LogBatch("agent_a", instance, first, lines, owners={task: OWNER} if task else {})
    return (await logs.append([batch], NOW, LogLimits()))[0].up_to


async def said(logs: SqlLogs, limit: int = 1_000, text: str = "") -> list[str]:
    found = await logs.find(LogFilter(text=text), LogSight(), limit=limit)
    return [one.line.message for one in found.lines]


def write(file: Path, content: bytes) -> None:
    file.write_bytes(content)


def read(file: Path) -> bytes:
    return file.read_bytes()


def remove(file: Path) -> None:
    file.unlink()


def blocks(file: Path) -> list[tuple[int, int]]:
    with closing(sqlite3.connect(file)) as connection:
        return connection.execute("SELECT lines, size FROM blocks ORDER BY id").fetchall()


async def test_what_was_kept_is_there_after_a_kill(file: Path) -> None:
    with process("tests.integration.store.logging_process", str(file)) as writer:
        assert writer.stdout is not None
        kept = [int(writer.stdout.readline()) for _ in range(200)]
        writer.kill()
        kept += [int(line) for line in writer.stdout.readlines()]
    async with open_logs(file) as logs:
        found = await said(logs, limit=100_000)
        assert len(found) >= kept[-1]
        assert found[::-1][: kept[-1]] == [f"line {n}" for n in range(1, kept[-1] + 1)]
        assert await keep(logs, 1, *["again"] * kept[-1]) >= kept[-1]
        assert await said(logs, text="again") == []


async def test_lines_that_come_one_by_one_fill_blocks(file: Path) -> None:
    async with open_logs(file) as logs:
        for n in range(1, 401):
            await keep(logs, n, f"line {n} {'x' * 80}", task=f"task_{n // 100}")
        assert len(await said(logs)) == 400
    filled = blocks(file)
    assert sum(lines for lines, _ in filled) == 400
    assert len(filled) < 8
    assert all(size <= SHORT + 1_024 for _, size in filled)


async def test_a_process_that_begins_anew_goes_on_behind_what_is_kept(file: Path) -> None:
    for n in (1, 2, 3):
        async with open_logs(file) as logs:
            assert await keep(logs, max(1, n - 1), *[f"line {k}" for k in range(max(1, n - 1), n + 1)]) == n
    async with open_logs(file) as logs:
        assert await said(logs) == ["line 3", "line 2", "line 1"]


async def test_its_owner_alone_can_read_it(file: Path) -> None:
    async with open_logs(file) as logs:
        await keep(logs, 1, "secret")
        assert {path.stat().st_mode & 0o777 for path in file.parent.iterdir()} == {0o600}


async def test_while_another_program_has_it_lines_are_refused_and_kept_later(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT", 0.1)
    async with open_logs(file) as logs:
        await keep(logs, 1, "before")
        with locked(file):
            with pytest.raises(Unavailable):
                await keep(logs, 2, "meanwhile")
            assert await said(logs) == ["before"]
        assert await keep(logs, 2, "meanwhile") == 2


async def test_what_could_not_be_opened_is_tried_again_after_a_while(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT", 0.1)
    now = 0.0
    logs = SqlLogs(file, lambda: now)
    with closing(sqlite3.connect(file)) as other:
        other.execute("CREATE TABLE theirs (x)")
    with pytest.raises(Unavailable, match="another program's database"):
        await keep(logs, 1, "one")
    remove(file)
    with pytest.raises(Unavailable, match="another program's database"):
        await keep(logs, 1, "one")
    now = AGAIN
    assert await keep(logs, 1, "one") == 1
    await logs.close()


@pytest.mark.parametrize("damage", ["no database at all", "its middle is gone"])
async def test_a_damaged_file_is_put_aside_and_another_one_begun(file: Path, damage: str) -> None:
    async with open_logs(file) as logs:
        for n in range(1, 301):
            await keep(logs, n, f"line {n} {'x' * 500}", instance=f"inst_{n}")
            await keep(logs, 1, "first") if n == 1 else None
    whole = read(file)
    spoilt = b"something else" * 1_000 if damage == "no database at all" else whole[:4_096] + b"\xff" * len(whole)
    write(file, spoilt)
    async with open_logs(file) as logs:
        outcomes = []
        for _ in range(3):
            try:
                outcomes.append(await keep(logs, 1, "new"))
            except Unavailable as error:
                outcomes.append(error.code)
        assert outcomes[-1] == 1
        assert await said(logs) == ["new"]
    assert read(Path(f"{file}.damaged")) == spoilt


async def test_on_a_full_disk_lines_are_refused_and_kept_once_there_is_room(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", 2) as folder:
        ballast = folder / "ballast"
        write(ballast, bytes(1_000_000))
        async with open_logs(folder / "logs.sqlite3") as logs:
            n = 1
            with pytest.raises(Unavailable) as full:  # which of them it is depends on the disk
                for n in range(1, 200):
                    await keep(logs, n, "x" * 15_000)
            assert full.value.code == "storage_full"
            kept = await said(logs)
            assert len(kept) == n - 1
            remove(ballast)
            assert await keep(logs, n, "room again") == n


async def test_a_search_that_finds_nothing_ends_and_says_up_to_when_it_has_looked(file: Path) -> None:
    async with open_logs(file) as logs:
        for n in range(1, 101):
            lines = [LogLine(at=NOW + n, level="info", message=f"line {n} {'x' * 9_000}", source="logging")]
            await logs.append([LogBatch("agent_a", "inst_1", n, lines)], NOW + 1_000, LogLimits())
    engine = sqlite.reading_engine(file, 1)
    with engine.connect() as connection:
        before, pages, reached = None, 0, float("inf")
        while True:
            found = search(connection, LogFilter(text="nowhere"), LogSight(), 10, before, most_bytes=100_000)
            pages += 1
            assert found.lines == []
            if found.next is None:
                break
            assert found.searched_to is not None
            assert found.searched_to < reached
            before, reached = found.next, found.searched_to
    engine.dispose()
    assert 3 < pages < 15


def test_the_index_alone_tells_which_blocks_to_open(file: Path) -> None:
    log_store._open(file, damaged=False).dispose()
    with closing(sqlite3.connect(file)) as connection:
        for condition, index in (("agent_id = 'a'", "blocks_by_agent"), ("levels & 8", "blocks_by_time")):
            query = f"SELECT b.id, b.last_at, b.size FROM blocks b WHERE b.{condition} AND b.first_at <= 9 "
            plan = connection.execute(f"EXPLAIN QUERY PLAN {query} ORDER BY b.last_at DESC, b.id DESC").fetchall()
            assert [row[3] for row in plan if "b" in row[3]] == [plan[0][3]]
            assert f"USING COVERING INDEX {index}" in plan[0][3]
