"""Promises of `Tasks.shift`: the wall clock was set."""

from __future__ import annotations

from msgspec import Raw

from agentic_atlas.backend.domain import lifecycle
from agentic_atlas.backend.domain.questions import Dialogue, TaskQuestion
from agentic_atlas.backend.domain.records import Task
from agentic_atlas.backend.ports import Store
from agentic_atlas.protocol.tasks import TaskState
from tests.conformance.store.conftest import Open
from tests.conformance.store.samples import claimed, completed, task

OPEN = TaskQuestion(1, "Which one?", asked_at=110.0, expires_at=170.0)
SETTLED = TaskQuestion(2, "Sure?", asked_at=111.0, answer=Raw(b"true"), settled_at=112.0, answered_by="ada")


async def stored(store: Store, one: Task) -> None:
    """Store a task as it is."""
    await store.tasks.add(lifecycle.submit(one))


async def now(store: Store, task_id: str) -> Task:
    found = await store.tasks.get(task_id)
    assert found is not None
    return found


async def test_what_counts_from_a_moment_moves_and_a_deadline_stays(opened: Open) -> None:
    async with opened() as store:
        running = task(
            state=TaskState.WORKING,
            attempt=1,
            accepted_at=105.0,
            cancel_at=106.0,
            deadline=900.0,
            queue_expires_at=1_000.0,
        )
        resting = task(2, not_before=120.0, queue_expires_at=1_000.0)
        for one in (running, resting):
            await stored(store, one)
        await store.tasks.shift(-30.0)
        moved, rested = await now(store, running.id), await now(store, resting.id)
        assert (moved.accepted_at, moved.cancel_at, moved.deadline) == (75.0, 76.0, 900.0)
        assert (moved.queue_expires_at, moved.not_before) == (970.0, None)
        assert (rested.not_before, rested.queue_expires_at) == (90.0, 970.0)


async def test_open_questions_move_and_those_that_are_settled_stay(opened: Open) -> None:
    async with opened() as store:
        asking = task(state=TaskState.INPUT_REQUIRED, attempt=1, dialogue=Dialogue((OPEN, SETTLED), asked_at=110.0))
        await stored(store, asking)
        await store.tasks.shift(60.0)
        dialogue = (await now(store, asking.id)).dialogue
        first, second = dialogue.questions
        assert (first.asked_at, first.expires_at, dialogue.asked_at) == (170.0, 230.0, 170.0)
        assert second == SETTLED


async def test_what_has_ended_stays_as_it_is(opened: Open) -> None:
    async with opened() as store:
        await stored(store, task(queue_expires_at=500.0))
        await store.tasks.change("task_00000001", claimed)
        ended = await store.tasks.change("task_00000001", completed)
        assert ended.changed
        await store.tasks.shift(60.0)
        assert await now(store, "task_00000001") == ended.task


async def test_what_is_decided_after_it_sees_what_was_moved(opened: Open) -> None:
    async with opened() as store:
        await stored(store, task(queue_expires_at=500.0))
        store.tasks.shift(60.0)
        changed = await store.tasks.change("task_00000001", lambda one: lifecycle.cancel(one, "enough", 101.0))
        assert changed.task is not None
        assert changed.task.queue_expires_at == 560.0
