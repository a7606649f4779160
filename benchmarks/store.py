"""How many tasks a second the store takes, and how near that is to SQLite itself.

    python benchmarks/store.py [--callers 64] [--seconds 5] [--folder DIR]

Each caller, one task after the other, as when an instance has a free slot: add it already claimed (two events), accept
it, record its outcome (one event); three writes, and each waits for its commit. The second figure is the same
statements with the same rows and as many operations in a commit, in one thread with bare `sqlite3` and nothing else.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from agentic_atlas.backend.domain import lifecycle
from agentic_atlas.backend.domain.lifecycle import Change
from agentic_atlas.backend.domain.records import CallerRef, Task
from agentic_atlas.backend.store.database import SqlStore, open_store
from agentic_atlas.backend.store.rows import EVENTS, TASKS, TaskStatements
from agentic_atlas.backend.store.sqlite import writing_engine
from agentic_atlas.protocol.messages import Delivery
from agentic_atlas.protocol.tasks import TaskState

INPUT = b'{"question": "' + b"x" * 200 + b'"}'
OUTPUT = b'{"answer": "' + b"y" * 200 + b'"}'


def new_task(number: int) -> Task:
    now = time.time()
    return Task(
        id=f"task_{number:020}",
        agent_id="agent_1",
        agent="ada/library",
        skill="search",
        state=TaskState.SUBMITTED,
        input=INPUT,
        caller=CallerRef("user", "user_1", "user_1", "ada"),
        owner_id="user_1",
        created_at=now,
        updated_at=now,
        trace=f"00-{random.randbytes(16).hex()}-{random.randbytes(8).hex()}-01",
        delivery=Delivery.AT_LEAST_ONCE,
        max_attempts=3,
        retries=0,
        backoff=1.0,
        timeout=None,
        deadline=None,
        queue_expires_at=None,
        position=float(number),
    )


def claimed(task: Task) -> Change:
    submitted = lifecycle.submit(task)
    change = lifecycle.claim(submitted.task, "inst_1", task.created_at)
    assert change is not None
    return Change(change.task, submitted.events + change.events)


def accepted(task: Task) -> Change | None:
    return lifecycle.accept(task, 1, time.time())


def completed(task: Task) -> Change | None:
    return lifecycle.complete(task, 1, OUTPUT, time.time())


async def call(store: SqlStore, number: Callable[[], int], until: float, took: list[float]) -> None:
    while (started := time.perf_counter()) < until:
        task = (await store.tasks.add(claimed(new_task(number())))).task
        await store.tasks.change(task.id, accepted)
        await store.tasks.change(task.id, completed)
        took.append(time.perf_counter() - started)


async def through_the_store(path: Path, callers: int, seconds: float) -> list[float]:
    numbers = iter(range(10**12))
    took: list[float] = []
    async with open_store(path, clock=time.time, ids=lambda prefix: f"{prefix}_bench") as store:
        until = time.perf_counter() + seconds
        async with asyncio.TaskGroup() as group:
            for _ in range(callers):
                group.create_task(call(store, numbers.__next__, until, took))
    return took


def bare(path: Path, callers: int, seconds: float) -> float:
    """Return the tasks a second of SQLite alone, on the schema that the store made."""
    statements = TaskStatements(writing_engine(None).dialect)
    insert, update, insert_event = (
        statement.text for statement in (statements.insert, statements.update, statements.insert_event)
    )
    connection = sqlite3.connect(path, isolation_level=None)
    for pragma in ("synchronous = FULL", "foreign_keys = ON", "cache_size = -65536"):
        connection.execute(f"PRAGMA {pragma}")

    def commit(statement: str, rows: list[tuple[object, ...]], changes: list[Change]) -> None:
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(statement, rows)
        connection.executemany(insert_event, [EVENTS.row(event) for change in changes for event in change.events])
        connection.execute("COMMIT")

    done, number, started = 0, 10**15, time.perf_counter()
    while time.perf_counter() - started < seconds:
        changes = [claimed(new_task(number + n)) for n in range(callers)]
        commit(insert, [TASKS.row(change.task) for change in changes], changes)
        for step in (accepted, completed):
            changes = [change for change in (step(change.task) for change in changes) if change]
            commit(update, [TASKS.changed_row(change.task) for change in changes], changes)
        done += callers
        number += callers
    connection.close()
    return done / seconds


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--callers", type=int, default=64)
    arguments.add_argument("--seconds", type=float, default=5.0)
    arguments.add_argument("--folder", type=Path, default=None)
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        path = Path(folder) / "store.db"
        took = asyncio.run(through_the_store(path, given.callers, given.seconds))
        rate = len(took) / given.seconds
        alone = bare(path, given.callers, given.seconds)
        size = path.stat().st_size
    p50, p99 = statistics.quantiles(took, n=100)[49::49]
    print(f"{given.callers} callers: {rate:,.0f} tasks/s, {3 * rate:,.0f} writes/s")
    print(f"a task took {p50 * 1000:.1f} ms (median), {p99 * 1000:.1f} ms (99 of 100)")
    print(f"bare sqlite3, same statements: {alone:,.0f} tasks/s; the store reaches {rate / alone:.0%} of it")
    print(f"file: {size / 1e6:,.0f} MB")


if __name__ == "__main__":
    main()
