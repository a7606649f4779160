"""More watchers of one task than reads may wait: all are told everything."""

from __future__ import annotations

import asyncio
from pathlib import Path

from agentic_atlas.backend.services import tasks
from agentic_atlas.backend.store.readers import MOST_WAITING
from agentic_atlas.protocol.messages import Accept, Outcome, Result
from tests.integration.api.network import GREET, Api, api

WATCHERS = MOST_WAITING + 100
KEEP_ALIVE = 60.0


def test_watchers_that_are_told_at_the_same_moment_are_all_told_everything(tmp_path: Path) -> None:
    async def watch(atlas: Api, task: str, told: list[int]) -> None:
        async for event in tasks.events(atlas.backend, task, 0, KEEP_ALIVE):
            if event is not None:
                told.append(event.seq)  # noqa: PERF401 - one by one, for others look at it meanwhile

    async def main() -> None:
        async with api(tmp_path, database=tmp_path / "atlas.db") as atlas:
            await atlas.admin.post("/api/v1/agents", json={"name": "hello"})
            await atlas.connect(atlas.admin, "hello", GREET, slots=1)
            new = {"agent": "hello", "skill": "greet", "input": {"name": "Ada"}}
            task = (await atlas.admin.post("/api/v1/tasks", json=new)).json()["id"]
            told: list[list[int]] = [[] for _ in range(WATCHERS)]
            async with asyncio.timeout(30), asyncio.TaskGroup() as group:
                for one in told:
                    group.create_task(watch(atlas, task, one))
                    await asyncio.sleep(0)
                while not all(one == [1, 2] for one in told):  # noqa: ASYNC110 - each has to wait for what comes next
                    await asyncio.sleep(0.01)
                await atlas.report(Accept(task, 1))
                await atlas.report(Result(task, 1, Outcome.COMPLETED))
            assert all(one == [1, 2, 3, 4] for one in told)

    asyncio.run(main())
