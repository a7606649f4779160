"""The wall clock is set while tasks run: nothing ends early for it, and nothing waits for ever."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from agentic_atlas.compose.sources import WallClock
from agentic_atlas.protocol.messages import Accept, Fault, Outcome, Result
from tests.integration.api.network import GREET, Api, api

HOUR = 3600.0


class Settable:
    """A clock that somebody sets."""

    def __init__(self) -> None:
        self.set_by = 0.0
        self.clock = WallClock(lambda: 1_000_000.0 + self.set_by, lambda: 0.0)


@asynccontextmanager
async def prepared(folder: Path) -> AsyncIterator[tuple[Api, Settable]]:
    settable = Settable()
    async with api(folder, clock=settable.clock) as running, asyncio.timeout(10.0), asyncio.TaskGroup() as group:
        settable.clock.jumped = running.engine.dispatcher.deadlines.forgive
        looking = group.create_task(running.engine.dispatcher.deadlines.run())
        await running.admin.post("/api/v1/agents", json={"name": "hello"})
        await running.connect(running.admin, "hello", GREET, slots=1)
        yield running, settable
        looking.cancel()


async def submitted(atlas: Api, **changes: Any) -> str:
    body = {"agent": "hello", "skill": "greet", "input": {"name": "Ada"}} | changes
    return str((await atlas.admin.post("/api/v1/tasks", json=body)).json()["id"])


@pytest.mark.parametrize("step", [HOUR, -HOUR])
async def test_a_timeout_does_not_come_early_or_late_because_the_clock_was_set(tmp_path: Path, step: float) -> None:
    async with prepared(tmp_path) as (atlas, settable):
        task = await submitted(atlas, timeout=60)
        await atlas.report(Accept(task, 1))
        settable.set_by = step
        assert (await atlas.admin.get(f"/api/v1/tasks/{task}")).json()["state"] == "working"
        waiting = await submitted(atlas, queue_ttl=60)  # a write behind those of the step: it is over
        stored = await atlas.engine.store.tasks.get(task)
        assert stored is not None
        assert stored.accepted_at == 1_000_000.0 + step
        assert (await atlas.admin.get(f"/api/v1/tasks/{task}")).json()["state"] == "working"
        await atlas.admin.post(f"/api/v1/tasks/{waiting}/cancel")


async def test_a_retry_does_not_wait_for_a_clock_that_was_set_back(tmp_path: Path) -> None:
    async with prepared(tmp_path) as (atlas, settable):
        task = await submitted(atlas, retries=1)
        await atlas.report(Accept(task, 1), Result(task, 1, Outcome.FAILED, error=Fault("handler_error", "broken")))
        settable.set_by = -HOUR
        atlas.engine.clock()
        await submitted(atlas)
        stored = await atlas.engine.store.tasks.get(task)
        assert stored is not None
        assert stored.not_before == pytest.approx(1_000_000.0 - HOUR, abs=2.0)
