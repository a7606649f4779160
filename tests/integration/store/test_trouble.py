"""A locked file, a full disk, a busy loop: an honest answer at once, and everything works again by itself."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from agentic_atlas.backend.store import sqlite
from agentic_atlas.backend.store.database import open_store
from agentic_atlas.errors import Unavailable
from tests.conformance.store.samples import NOW, Numbered, submitted
from tests.disks import mounted
from tests.integration.store.conftest import Open


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock for writing, as another program would."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


async def test_a_write_waits_for_a_short_lock_of_another_program(path: Path, opened: Open) -> None:
    async with opened() as store:
        await store.tasks.add(submitted(1))
        with locked(path):
            write = store.tasks.add(submitted(2))
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(1.0):
                    await write
            assert not write.done
            assert await store.tasks.get("task_00000001") is not None
        assert (await write).created


async def test_a_long_lock_is_told_to_all_who_wait_and_leaves_no_trace(
    path: Path, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT", 0.2)

    async with opened() as store:
        await store.tasks.add(submitted(0))
        with locked(path):
            writes = [store.tasks.add(submitted(n)) for n in range(1, 2_000)]
            for write in writes:
                await write.over()
        for write in writes:
            error = write.error
            assert isinstance(error, Unavailable)
            assert error.code == "store_unavailable"
            assert error.retry_after > 0
        assert (await store.tasks.add(submitted(1))).created
        assert [task.id for task in await store.tasks.open()] == ["task_00000000", "task_00000001"]


async def test_the_loop_runs_on_while_the_store_is_locked(path: Path, opened: Open) -> None:
    async with opened() as store:
        await store.tasks.add(submitted(1))
        with locked(path):
            loop = asyncio.get_running_loop()
            write = store.tasks.add(submitted(2))
            longest = 0.0
            for _ in range(200):
                before = loop.time()
                await asyncio.sleep(0)
                longest = max(longest, loop.time() - before)
            assert not write.done
            assert longest < 0.1
        await write


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    with mounted(tmp_path / "disk", megabytes=16) as folder:
        yield folder


async def test_a_full_disk_never_lies_and_is_got_over(small_disk: Path) -> None:
    stored, refused = set(), 0
    async with open_store(small_disk / "atlas.db", clock=lambda: NOW, ids=Numbered()) as store:
        filler = small_disk / "filler"
        for n in range(300):
            if n == 100:
                fill(filler)
            if n == 200:
                filler.unlink()
            try:
                stored.add((await store.tasks.add(submitted(n, input=bytes(3_000)))).task.id)
            except Unavailable as error:
                assert error.code == "storage_full"
                refused += 1
                assert n >= 100
                assert n < 200
        assert refused > 0
        assert {task.id for task in await store.tasks.open()} == stored
    with closing(sqlite3.connect(small_disk / "atlas.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def fill(file: Path) -> None:
    """Write until the disk is full."""
    with file.open("wb", buffering=0) as out:
        try:
            while True:
                out.write(bytes(4096))
        except OSError:
            pass


async def test_reads_come_back_while_many_writes_wait(opened: Open) -> None:
    async with opened() as store:
        await store.tasks.add(submitted(0))
        writes = [store.tasks.add(submitted(n)) for n in range(1, 5_000)]
        assert await store.tasks.get("task_00000000") is not None
        assert not writes[-1].done
        assert (await writes[-1]).created


async def test_more_reads_than_threads_are_answered_in_turn(opened: Open) -> None:
    async with opened() as store:
        await store.tasks.add(submitted(1))
        threads = threading.active_count()
        async with asyncio.TaskGroup() as group:
            reads = [group.create_task(store.tasks.get("task_00000001")) for _ in range(200)]
        assert all(read.result() for read in reads)
        assert threading.active_count() <= threads + 4
