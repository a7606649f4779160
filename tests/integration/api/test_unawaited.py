"""Changes that nobody waits for, in a store that can't carry them out at first."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from agentic_atlas.backend.domain import lifecycle
from agentic_atlas.backend.domain.records import Task, TaskEventKind, TaskFailure
from agentic_atlas.backend.engine import dispatch
from agentic_atlas.backend.engine.credit import Credits
from agentic_atlas.backend.engine.dispatch import Dispatcher
from agentic_atlas.backend.engine.feed import Feed
from agentic_atlas.backend.ports import Decide, Tasks, Write
from agentic_atlas.backend.store.database import open_store
from agentic_atlas.bus.local import Bus
from agentic_atlas.compose.sources import wall
from agentic_atlas.errors import Unavailable
from tests.conformance.store.samples import CALLER, LIBRARY, NOW, Numbered, populate, submitted
from tests.integration.api.network import GREET, HandRouter, api
from tests.unit.sdk.memory_log import MemoryLog

AWAY = Unavailable("the store can't be used now", code="store_unavailable")
BUG = RuntimeError("a decision is broken")


class Failing:
    """`ports.Tasks` of a real store, whose next changes fail one after the other."""

    def __init__(self, tasks: Tasks) -> None:
        self.errors: list[Exception] = []
        self._tasks = tasks
        self._change, self._shift = tasks.change, tasks.shift

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tasks, name)

    def change(self, task_id: str, decide: Decide) -> Write[Any]:
        return self._failed() if self.errors else self._change(task_id, decide)

    def shift(self, seconds: float) -> Write[None]:
        return self._failed() if self.errors else self._shift(seconds)

    def _failed(self) -> Write[Any]:
        failed: Write[Any] = Write()
        failed.settle(self.errors.pop(0))
        return failed


class Scene:
    """A dispatcher over such a store, and what the store and the log hold."""

    def __init__(self, tasks: Tasks) -> None:
        self.now = NOW
        self.tasks: Any = Failing(tasks)
        self.log = MemoryLog()
        self.dispatcher = Dispatcher(
            self.tasks,
            Credits(lambda: self.now),
            HandRouter(),
            Feed(Bus(), self.tasks, wall),
            lambda: self.now,
            self.log,
        )

    async def stored(self, task_id: str) -> Task:
        task = await self.tasks.get(task_id)
        assert task is not None
        return task  # type: ignore[no-any-return]


@asynccontextmanager
async def scene() -> AsyncIterator[Scene]:
    async with open_store(None, clock=lambda: NOW, ids=Numbered()) as store, asyncio.timeout(10.0):
        await populate(store)
        yield Scene(store.tasks)


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "AGAIN_AFTER", 0.01)
    monkeypatch.setattr(dispatch, "AFTER_A_FAULT", 0.02)


async def test_what_is_insisted_on_happens_as_soon_as_the_store_can_and_a_fault_of_ours_is_told() -> None:
    async with scene() as at:
        task = (await at.dispatcher.add(submitted(1), None)).task
        gone = partial(lifecycle.force, attempt=None, error=TaskFailure("agent_deleted", "it was deleted"), now=NOW)
        at.tasks.errors += [AWAY, BUG]
        with pytest.raises(Unavailable):
            await at.dispatcher.insist(task.id, gone)
        while (await at.stored(task.id)).state != "failed":
            pass
        assert at.log.lines == [("error", "end_failed")]


async def test_an_alarm_that_fails_for_a_fault_of_ours_is_told_and_rings_again() -> None:
    async with scene() as at, asyncio.TaskGroup() as group:
        task = (await at.dispatcher.add(submitted(1, queue_expires_at=NOW), None)).task
        at.tasks.errors += [BUG]
        looking = group.create_task(at.dispatcher.deadlines.run())
        while not at.log.lines:
            assert (await at.stored(task.id)).state == "submitted"
        at.now += 1.0
        while (await at.stored(task.id)).state == "submitted":
            pass
        looking.cancel()
        assert at.log.lines == [("error", "alarm_failed")]


async def test_a_step_of_the_clock_that_is_stored_at_the_second_try_moves_what_is_in_memory_once() -> None:
    async with scene() as at:
        resting = (await at.dispatcher.add(submitted(1, not_before=NOW + 60.0), None)).task
        at.tasks.errors += [AWAY]
        at.dispatcher.deadlines.forgive(3600.0)
        while (await at.stored(resting.id)).not_before != NOW + 3660.0:
            pass
        census = at.dispatcher.census
        assert not census.queues.ready(LIBRARY.id, NOW + 3659.0)
        assert census.queues.ready(LIBRARY.id, NOW + 3661.0)


async def test_no_alarm_is_late_by_a_step_back_that_was_stored_only_after_another_change() -> None:
    async with scene() as at, asyncio.TaskGroup() as group:
        task = (await at.dispatcher.add(submitted(1, timeout=60.0), None)).task
        await at.dispatcher.change(task.id, partial(lifecycle.claim, instance_id="inst_1", now=NOW))
        await at.dispatcher.change(task.id, partial(lifecycle.accept, attempt=1, now=NOW))
        at.now = NOW - 3600.0
        at.tasks.errors += [AWAY]
        at.dispatcher.deadlines.forgive(-3600.0)
        log = partial(lifecycle.report, attempt=1, n=1, kind=TaskEventKind.LOG, data=b"{}", now=at.now)
        await at.dispatcher.change(task.id, log)
        while (await at.stored(task.id)).accepted_at != at.now:
            pass
        at.now += 70.0
        looking = group.create_task(at.dispatcher.deadlines.run())
        while (await at.stored(task.id)).state == "working":
            pass
        looking.cancel()
        assert at.log.lines == []


async def test_the_tasks_of_a_deleted_agent_end_though_the_store_is_away_at_first(tmp_path: Path) -> None:
    async with api(tmp_path) as atlas, asyncio.timeout(10.0):
        await atlas.admin.post("/api/v1/agents", json={"name": "hello"})
        agent_id = await atlas.connect(atlas.admin, "hello", GREET)
        body = {"agent": "hello", "skill": "greet", "input": {"name": "Ada"}}
        made = [(await atlas.admin.post("/api/v1/tasks", json=body)).json()["id"] for _ in range(3)]
        stored = atlas.engine.store.tasks
        failing = Failing(stored)
        failing.errors += [AWAY, AWAY]
        stored.change = failing.change  # type: ignore[method-assign]
        assert (await atlas.admin.delete("/api/v1/agents/hello")).status_code == 204
        for task_id in made:
            while (await stored.get(task_id)).state != "failed":  # type: ignore[union-attr]
                pass
        assert failing.errors == []
        caller = (await stored.get(made[0])).caller.id  # type: ignore[union-attr]
        assert atlas.engine.dispatcher.census.queues.position(agent_id, caller, 0) == 0.0


async def test_nothing_is_kept_for_an_agent_that_was_deleted() -> None:
    async with scene() as at:
        first = at.dispatcher.census.queues.position(LIBRARY.id, CALLER.id, 0)
        assert at.dispatcher.census.queues.position(LIBRARY.id, CALLER.id, 0) > first
        at.dispatcher.forget(LIBRARY.id)
        assert at.dispatcher.census.queues.position(LIBRARY.id, CALLER.id, 0) == first
