"""How writes share commits, and what happens to them when the database can't be had."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from sqlalchemy import Connection, Engine, event, insert, select

from agentic_atlas.backend.domain.lifecycle import Change
from agentic_atlas.backend.domain.records import Task
from agentic_atlas.backend.ports import Write
from agentic_atlas.backend.store.sqlite import wait_for_lock, writing_engine
from agentic_atlas.backend.store.tables import events, network, tasks
from agentic_atlas.backend.store.writer import (
    LONGEST_ON_LOOP,
    MOST_ON_LOOP,
    Writer,
    add_task,
    change_task,
    statement,
)
from agentic_atlas.errors import AtlasError, Busy, Conflict, NotFound, Unavailable
from tests.conformance.store.samples import claimed, completed, submitted, task
from tests.unit.backend.store.conftest import driver, new_engine

Made: TypeAlias = Callable[..., Writer]


@pytest.fixture(params=[None, wait_for_lock], ids=["on the thread", "on the loop"])
def made(request: pytest.FixtureRequest) -> Made:
    """Return what makes a writer, of both kinds that there are."""
    return partial(Writer, wait_for_lock=request.param)


@contextmanager
def writing(writer: Writer) -> Iterator[None]:
    """Start the writer on what was submitted, and close it."""
    writer.start()
    try:
        yield
    finally:
        writer.close()


def commits(engine: Engine) -> list[int]:
    """Return a list that grows by one number a commit: how many tasks there are then."""
    counts: list[int] = []

    def on_commit(connection: Connection) -> None:
        counts.append(driver_count(connection))

    event.listen(engine, "commit", on_commit)
    return counts


def driver_count(connection: Connection) -> int:
    return int(connection.exec_driver_sql("SELECT count(*) FROM tasks").scalar_one())


def reading(engine: Engine) -> list[str]:
    """Return a list that grows by each query."""
    reads: list[str] = []
    driver(engine).set_trace_callback(lambda text: reads.append(text) if text.startswith("SELECT") else None)
    return reads


async def outcome(write: Write[Any]) -> object:
    try:
        return await write
    except (AtlasError, LookupError) as error:
        return type(error)


async def test_what_waits_shares_one_commit(engine: Engine, made: Made) -> None:
    counts = commits(engine)
    writer = made(engine)
    writes = [writer.submit(add_task(submitted(n))) for n in range(100)]
    with writing(writer):
        assert [(await write).created for write in writes] == [True] * 100
    assert counts == [100]


async def test_a_group_is_no_longer_than_its_limit(engine: Engine, made: Made) -> None:
    counts = commits(engine)
    writer = made(engine, most_in_group=40)
    writes = [writer.submit(add_task(submitted(n))) for n in range(100)]
    with writing(writer):
        assert (await writes[-1]).created
    assert counts == [40, 80, 100]


async def test_a_write_is_done_only_after_its_commit(engine: Engine, made: Made) -> None:
    writer = made(engine)
    write = writer.submit(add_task(submitted(1)))
    done_at_commit: list[bool] = []
    event.listen(engine, "commit", lambda connection: done_at_commit.append(write.done))
    with writing(writer):
        await write
    assert done_at_commit == [False]


async def test_all_writes_of_a_group_are_settled_by_one_call_of_the_loop(
    engine: Engine, made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = asyncio.get_running_loop()
    calls: list[object] = []
    original = loop.call_soon_threadsafe

    def counting(callback: Any, *arguments: Any) -> Any:
        calls.append(callback)
        return original(callback, *arguments)

    monkeypatch.setattr(loop, "call_soon_threadsafe", counting)
    writer = made(engine)
    writes = [writer.submit(add_task(submitted(n))) for n in range(50)]
    with writing(writer):
        for write in writes:
            await write
    assert len(calls) == 1


async def test_more_than_the_limit_are_told_to_come_back(engine: Engine, made: Made) -> None:
    writer = made(engine, most_waiting=3)
    writes = [writer.submit(add_task(submitted(n))) for n in range(5)]
    for refused in writes[3:]:
        with pytest.raises(Busy) as busy:
            await refused
        assert busy.value.retry_after == 1.0
    with writing(writer):
        assert [(await write).created for write in writes[:3]] == [True] * 3


async def test_closing_finishes_what_waits_and_refuses_the_rest(engine: Engine, made: Made) -> None:
    writer = made(engine, most_in_group=10)
    writes = [writer.submit(add_task(submitted(n))) for n in range(95)]
    writer.start()
    writer.close()
    assert [(await write).created for write in writes] == [True] * 95
    with pytest.raises(Unavailable):
        await writer.submit(add_task(submitted(100)))
    writer.close()


async def test_a_loop_that_is_gone_does_not_stop_the_writer(engine: Engine, made: Made) -> None:
    writer = made(engine)

    writer.submit(add_task(submitted(1)))

    write = writer.submit(add_task(submitted(2)))
    with writing(writer):
        assert (await write).created


async def test_only_the_guilty_one_of_a_group_fails_and_the_others_need_few_commits(engine: Engine, made: Made) -> None:
    def double(connection: Connection) -> None:
        for _ in range(2):
            connection.execute(insert(network).values(id="net_1", created_at=0.0))

    counts = commits(engine)
    writer = made(engine)
    before = [writer.submit(add_task(submitted(n))) for n in range(50)]
    guilty = writer.submit(statement(double))
    after = [writer.submit(add_task(submitted(n))) for n in range(50, 128)]
    with writing(writer):
        assert await outcome(guilty) is Conflict
        assert [(await write).created for write in before + after] == [True] * 128
    assert counts[-1] == 128
    assert len(counts) <= 10


async def test_a_statement_that_raises_leaves_nothing_of_itself(engine: Engine, made: Made) -> None:
    def half(connection: Connection) -> None:
        connection.execute(insert(network).values(id="net_1", created_at=0.0))
        raise LookupError("half way")

    writer = made(engine)
    guilty = writer.submit(statement(half))
    there = writer.submit(statement(lambda connection: connection.scalars(select(network.c.id)).all()))
    with writing(writer):
        assert await outcome(guilty) is LookupError
        assert await there == []


async def test_a_change_after_a_statement_sees_what_the_statement_wrote(engine: Engine, made: Made) -> None:
    def rename(connection: Connection) -> None:
        connection.execute(tasks.update().values(skill="renamed"))

    seen: list[str] = []

    def look(task: Task) -> None:
        seen.append(task.skill)

    writer = made(engine, remembered_bytes=1_000_000)
    writer.submit(add_task(submitted(1)))
    writer.submit(change_task("task_00000001", look))
    with writing(writer):
        await writer.submit(change_task("task_00000001", claimed))
        writer.submit(statement(rename))
        await writer.submit(change_task("task_00000001", look))
        await writer.submit(change_task("task_00000001", look))
    assert seen == ["search", "renamed", "renamed"]


async def test_what_a_statement_changed_in_the_same_commit_is_not_remembered_as_it_was(
    engine: Engine, made: Made
) -> None:
    def rename(connection: Connection) -> None:
        connection.execute(tasks.update().values(skill="renamed"))

    writer = made(engine, remembered_bytes=1_000_000)
    writer.submit(add_task(submitted(1)))
    renamed = writer.submit(statement(rename))
    with writing(writer):
        await renamed
        found = (await writer.submit(change_task("task_00000001", lambda task: None))).task
    assert found is not None
    assert found.skill == "renamed"


async def test_a_task_that_is_remembered_is_not_read_again(engine: Engine, made: Made) -> None:
    reads = reading(engine)
    writer = made(engine, remembered_bytes=1_000_000)
    with writing(writer):
        await writer.submit(add_task(submitted(1)))
        await writer.submit(change_task("task_00000001", claimed))
        assert reads == []
        await writer.submit(change_task("task_00000001", completed))
        await writer.submit(change_task("task_00000001", completed))
        assert len(reads) == 1


async def test_what_there_is_no_room_for_is_read_again(engine: Engine, made: Made) -> None:
    writer = made(engine, remembered_bytes=10_000)
    with writing(writer):
        await writer.submit(add_task(submitted(1)))
        await writer.submit(add_task(submitted(2, input=bytes(8_500))))
        reads = reading(engine)
        await writer.submit(change_task("task_00000002", claimed))
        assert reads == []
        await writer.submit(change_task("task_00000001", claimed))
        assert len(reads) == 1


async def test_one_id_added_twice_in_a_commit_is_stored_once(engine: Engine, made: Made) -> None:
    writer = made(engine)
    first, second = (writer.submit(add_task(Change(task(1, skill=skill)))) for skill in ("first", "second"))
    stored = writer.submit(statement(lambda connection: connection.scalars(select(tasks.c.skill)).all()))
    with writing(writer):
        assert (await first).created
        assert await outcome(second) is Conflict
        assert await stored == ["first"]


async def test_a_commit_that_fails_is_undone_and_only_its_cause_is_told(engine: Engine, made: Made) -> None:
    def orphan(connection: Connection) -> None:
        connection.exec_driver_sql("PRAGMA defer_foreign_keys = ON")  # the fault is found by the commit alone
        connection.execute(events.insert().values(task_id="none", seq=1, at=0.0, kind="log", attempt=1, data=b""))

    writer = made(engine)
    before = writer.submit(add_task(submitted(1)))
    guilty = writer.submit(statement(orphan))
    after = writer.submit(add_task(submitted(2)))
    with writing(writer):
        assert (await before).created
        assert await outcome(guilty) is NotFound
        assert (await after).created
        assert await outcome(writer.submit(statement(orphan))) is NotFound
        assert (await writer.submit(add_task(submitted(3)))).created


async def test_what_could_not_be_committed_is_not_remembered(engine: Engine, made: Made) -> None:
    def refuse(connection: Connection) -> None:
        raise LookupError("no commit")

    writer = made(engine, remembered_bytes=1_000_000)
    with writing(writer):
        added = (await writer.submit(add_task(submitted(1)))).task
        event.listen(engine, "commit", refuse)
        assert await outcome(writer.submit(change_task(added.id, claimed))) is LookupError
        event.remove(engine, "commit", refuse)
        assert (await writer.submit(change_task(added.id, lambda task: None))).task == added


async def test_what_was_rolled_back_is_not_remembered(engine: Engine, made: Made) -> None:
    writer = made(engine, remembered_bytes=1_000_000)
    with writing(writer):
        added = (await writer.submit(add_task(submitted(1)))).task
        driver(engine).execute("PRAGMA query_only = ON")
        assert await outcome(writer.submit(change_task(added.id, claimed))) is Unavailable
        driver(engine).execute("PRAGMA query_only = OFF")
        assert (await writer.submit(change_task(added.id, lambda task: None))).task == added


async def test_a_database_that_cant_be_written_fails_all_that_waits_at_once(engine: Engine, made: Made) -> None:
    writer = made(engine, most_in_group=10)
    driver(engine).execute("PRAGMA query_only = ON")
    attempts: list[object] = []
    event.listen(engine, "handle_error", lambda context: attempts.append(context.statement))
    writes = [writer.submit(add_task(submitted(n))) for n in range(100)]
    with writing(writer):
        assert {await outcome(write) for write in writes} == {Unavailable}
        assert set(attempts) == {"BEGIN IMMEDIATE"}
        assert len(attempts) <= 2
        driver(engine).execute("PRAGMA query_only = OFF")
        assert (await writer.submit(add_task(submitted(1)))).created


async def test_when_no_room_is_left_writes_fail_and_work_again_when_there_is(engine: Engine, made: Made) -> None:
    (pages,) = driver(engine).execute("PRAGMA page_count").fetchone()
    driver(engine).execute(f"PRAGMA max_page_count = {pages + 20}")
    writer = made(engine)
    with writing(writer):
        stored: list[str] = []
        for n in range(100):
            try:
                stored.append((await writer.submit(add_task(submitted(n, input=bytes(4_000))))).task.id)
            except Unavailable as error:
                full = error
        assert full.code == "storage_full"
        assert 0 < len(stored) < 100
        ids = await writer.submit(statement(lambda connection: connection.scalars(select(tasks.c.id)).all()))
        assert sorted(ids) == stored
        driver(engine).execute("PRAGMA max_page_count = 100000")
        assert (await writer.submit(add_task(submitted(200, input=bytes(4_000))))).created


async def test_statements_run_on_the_writers_own_thread(engine: Engine, made: Made) -> None:
    writer = made(engine)
    name = writer.submit(statement(lambda connection: threading.current_thread().name))
    with writing(writer):
        assert await name == "store-writer"


def threads(engine: Engine) -> list[str]:
    """Return a list that grows by the thread of each statement that writes, and of each commit."""
    names: list[str] = []

    def note(*_: object) -> None:
        names.append(threading.current_thread().name)

    event.listen(engine, "commit", note)
    event.listen(engine, "before_cursor_execute", note)
    return names


async def test_statements_that_take_no_time_are_carried_out_on_the_loop_and_the_commit_waits_elsewhere(
    engine: Engine,
) -> None:
    writer = Writer(engine, wait_for_lock=wait_for_lock)
    names = threads(engine)
    with writing(writer):
        await writer.submit(add_task(submitted(1)))
    here = threading.current_thread().name
    assert names[-1] == "store-writer"
    assert set(names[:-1]) == {here}


async def test_after_a_slow_group_the_thread_is_given_all_for_a_while(engine: Engine) -> None:
    now = 0.0

    def slow(task: Task) -> Change | None:
        nonlocal now
        now += LONGEST_ON_LOOP * 2
        return None

    async def written_by(number: int) -> str:
        await writer.submit(add_task(submitted(number)))
        return names[-2]  # the last is that of the commit

    writer = Writer(engine, wait_for_lock=wait_for_lock, clock=lambda: now)
    names = threads(engine)
    here = threading.current_thread().name
    with writing(writer):
        assert await written_by(1) == here
        await writer.submit(change_task("task_00000001", slow))
        assert await written_by(2) == "store-writer"
        now += 1.0
        assert await written_by(3) == here
        await writer.submit(change_task("task_00000001", slow))
        now += 1.0
        assert await written_by(4) == "store-writer"
        now += 1.0
        assert await written_by(5) == here


async def test_more_than_a_loop_may_do_at_once_is_the_threads(engine: Engine) -> None:
    writer = Writer(engine, wait_for_lock=wait_for_lock)
    names = threads(engine)
    writes = [writer.submit(add_task(submitted(n))) for n in range(MOST_ON_LOOP + 1)]
    with writing(writer):
        await writes[-1]
    assert set(names) == {"store-writer"}


async def test_a_lock_of_another_program_is_waited_for_on_the_thread(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    driver(engine := new_engine()).execute("VACUUM INTO ?", (str(path),))
    engine.dispose()
    engine = writing_engine(path)
    waits = asyncio.Event()
    loop = asyncio.get_running_loop()

    def note(connection: Connection, cursor: object, statement: str, *_: object) -> None:
        if statement == "BEGIN IMMEDIATE" and threading.current_thread().name == "store-writer":
            loop.call_soon_threadsafe(waits.set)

    event.listen(engine, "before_cursor_execute", note)
    writer = Writer(engine, wait_for_lock=wait_for_lock)
    with closing(sqlite3.connect(path, isolation_level=None)) as other, writing(writer):
        other.execute("BEGIN IMMEDIATE")
        write = writer.submit(add_task(submitted(1)))
        async with asyncio.timeout(5):
            await waits.wait()
        assert not write.done
        other.execute("COMMIT")
        assert (await write).created
    engine.dispose()
