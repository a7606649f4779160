"""What was acknowledged is on disk: after a kill at any moment, and in the order of the system calls."""

from __future__ import annotations

import random
import re
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from agentic_atlas.backend.ports import TaskFilter
from agentic_atlas.backend.store.sqlite import reading_engine, writing_engine
from agentic_atlas.protocol.tasks import TaskState
from tests.integration.store.conftest import ROOT, Open, process

WRITING = "tests.integration.store.writing_process"
KILLS = 4
TASKS_A_LIFE = 100_000


def acknowledged(lines: list[str], word: str) -> set[str]:
    return {line.split()[1] for line in lines if re.fullmatch(rf"{word} task_\d{{8}}\n", line)}


async def test_every_acknowledged_task_is_there_after_a_kill(path: Path, opened: Open) -> None:
    chance = random.Random()
    lines: list[str] = []
    for life in range(KILLS):
        first = 1 + life * TASKS_A_LIFE
        with process(WRITING, str(path), "8", str(first), str(first + TASKS_A_LIFE)) as writer:
            assert writer.stdout is not None
            assert writer.stdout.readline() == "ready\n"
            lines += [writer.stdout.readline() for _ in range(chance.randint(1, 1_500))]
            writer.kill()
            lines += writer.stdout.readlines()
        with closing(sqlite3.connect(path)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]

    async with opened() as store:
        states: dict[str, TaskState] = {}
        cursor = None
        while True:
            items, cursor = await store.tasks.find(TaskFilter(), limit=1_000, after=cursor)
            states |= {found.task.id: found.task.state for found in items}
            if cursor is None:
                break
        added, completed = acknowledged(lines, "added"), acknowledged(lines, "completed")
        assert len(added) >= KILLS
        assert added - set(states) == set()
        assert {task_id for task_id in completed if states[task_id] is not TaskState.COMPLETED} == set()


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_the_log_is_synchronised_before_anything_is_acknowledged(path: Path, tmp_path: Path) -> None:
    """One caller alone: while it is answered nothing else is being written."""
    trace = tmp_path / "trace"
    options = ["-f", "-y", "-o", str(trace), "-e", "trace=pwrite64,fdatasync,write"]
    command = ["strace", *options, sys.executable, "-m", WRITING, str(path), "1", "1", "20"]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=60)
    synchronised, acknowledged = True, 0
    for line in trace.read_text().splitlines():
        if "pwrite64(" in line and "atlas.db-wal>" in line:
            synchronised = False
        elif re.search(r"fdatasync(\(.*atlas\.db-wal>| resumed>)\)\s+= 0", line):
            synchronised = True
        elif re.search(r'write\(1<.*"(added|completed) ', line):
            acknowledged += 1
            assert synchronised, line
    assert acknowledged == 40


async def test_the_writing_connection_waits_for_the_disk(path: Path, opened: Open) -> None:
    async with opened() as store:
        await store.ready()

    engine = writing_engine(path)
    with engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar_one() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar_one() == 2
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar_one() == 1
    engine.dispose()


async def test_reading_connections_can_neither_write_nor_checkpoint(path: Path, opened: Open) -> None:
    async with opened() as store:
        await store.ready()

    engine = reading_engine(path, 1)
    with engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA query_only").scalar_one() == 1
        assert connection.exec_driver_sql("PRAGMA wal_autocheckpoint").scalar_one() == 0
    engine.dispose()
