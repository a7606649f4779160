"""However operations fall into groups, the results and what is stored are those of doing one after the other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, insert, select

from agentic_atlas.backend.domain import lifecycle
from agentic_atlas.backend.domain.lifecycle import Change
from agentic_atlas.backend.domain.records import Task, TaskEvent, TaskEventKind, TaskFailure
from agentic_atlas.backend.store.rows import TASKS
from agentic_atlas.backend.store.sqlite import wait_for_lock
from agentic_atlas.backend.store.tables import events, network, tasks
from agentic_atlas.backend.store.writer import Operation, Writer, add_task, change_task, claim_slots, statement
from agentic_atlas.protocol.inside.messages import InstanceRef
from tests.conformance.store.samples import LIBRARY, NOW, submitted
from tests.unit.backend.store.conftest import new_engine

SECONDS_FOR_ALL = 20.0


def guilty(task: Task) -> Change | None:
    raise LookupError(task.id)


def repeats_an_event(task: Task) -> Change:
    return Change(task, (TaskEvent(task.id, 1, NOW, TaskEventKind.LOG, b"null"),))


DECISIONS: list[Callable[[Task], Change | None]] = [
    lambda task: lifecycle.claim(task, "inst_1", NOW),
    lambda task: lifecycle.accept(task, task.attempt, NOW),
    lambda task: lifecycle.refuse(task, task.attempt, NOW),
    lambda task: lifecycle.report(task, task.attempt, task.last_n + 1, TaskEventKind.CHUNK, b"1", NOW),
    lambda task: lifecycle.complete(task, task.attempt, b'"done"', NOW),
    lambda task: lifecycle.fail(task, task.attempt, TaskFailure("handler_error", "broke"), NOW),
    lambda task: lifecycle.lose(task, task.attempt, NOW),
    lambda task: lifecycle.cancel(task, "no", NOW),
    guilty,
    repeats_an_event,
]


def count_tasks(connection: Connection) -> int:
    return len(connection.execute(select(tasks.c.id)).all())


def write_and_fail(connection: Connection) -> None:
    connection.execute(insert(network).values(id="net_1", created_at=0.0))
    raise LookupError("after a write")


def rename_all(connection: Connection) -> int:
    return connection.execute(tasks.update().values(skill=tasks.c.skill + "x")).rowcount


NUMBERS = st.integers(0, 5)
OPERATIONS = st.one_of(
    st.builds(
        lambda number, key, priority: add_task(submitted(number, idempotency_key=key, priority=priority)),
        NUMBERS,
        st.sampled_from([None, None, "a", "b"]),
        st.integers(0, 2),
    ),
    st.builds(lambda number, decide: change_task(f"task_{number:08}", decide), NUMBERS, st.sampled_from(DECISIONS)),
    st.builds(
        lambda count: claim_slots(
            LIBRARY.id, tuple(InstanceRef(LIBRARY.id, f"inst_{n}", 1) for n in range(count)), NOW
        ),
        st.integers(0, 3),
    ),
    st.builds(statement, st.sampled_from([count_tasks, write_and_fail, rename_all])),
)


async def carried_out(
    engine: Engine, operations: Sequence[Operation[Any]], group: int, remembered_bytes: int, *, on_loop: bool = False
) -> list[object]:
    """Return the result of each operation, or what its error is told by, when they are done in groups of this size."""
    begins = wait_for_lock if on_loop else None
    writer = Writer(engine, wait_for_lock=begins, most_in_group=group, remembered_bytes=remembered_bytes)
    writes = [writer.submit(operation) for operation in operations]
    writer.start()
    try:
        async with asyncio.timeout(SECONDS_FOR_ALL):
            for write in writes:
                await write.over()
    finally:
        writer.close()
    return [told(write.error) if write.error else write.value for write in writes]


def told(error: BaseException) -> object:
    """Return what a caller can tell an error by; its words may differ."""
    return type(error), getattr(error, "code", str(error))


def stored(engine: Engine) -> tuple[list[Task], list[Any]]:
    with engine.connect() as connection:
        found = [TASKS.value(row) for row in connection.execute(select(*TASKS.read).order_by(tasks.c.id))]
        return found, list(connection.execute(select(events).order_by(events.c.task_id, events.c.seq)).all())


@given(
    operations=st.lists(OPERATIONS, min_size=2, max_size=30),
    group=st.integers(2, 30),
    remembered_bytes=st.sampled_from([0, 2_500, 1_000_000]),
    on_loop=st.booleans(),
)
@settings(max_examples=100)
async def test_groups_change_nothing_about_results_and_rows(
    operations: list[Operation[Any]], group: int, remembered_bytes: int, on_loop: bool
) -> None:
    alone, grouped = new_engine(), new_engine()
    try:
        one_by_one = await carried_out(alone, operations, 1, 0)
        together = await carried_out(grouped, operations, group, remembered_bytes, on_loop=on_loop)
        assert together == one_by_one
        assert stored(grouped) == stored(alone)
    finally:
        alone.dispose()
        grouped.dispose()
