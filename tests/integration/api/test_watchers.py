"""Watchers of one task: however many there are, each is told everything, and an event is read for all of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest
from sqlalchemy import Connection

from agentic_atlas.backend.store.readers import MOST_WAITING, Readers
from agentic_atlas.backend.store.tasks import SqlTasks
from agentic_atlas.protocol.messages import Accept, Event, EventKind, Outcome, Raw, Result
from tests.integration.api.network import GREET, Api, api

WATCHERS = MOST_WAITING + 100
KEEP_ALIVE = 60.0
T = TypeVar("T")


async def test_watchers_that_are_told_at_the_same_moment_are_all_told_everything(tmp_path: Path) -> None:
    async def watch(atlas: Api, task: str, told: list[int]) -> None:
        async for page in atlas.engine.feed.follow(task, 0, KEEP_ALIVE):
            told.extend(event.seq for event in page)

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


class Counting:
    """Reads as the readers do that it is put before, and counts the bytes of payloads that it hands on."""

    def __init__(self, readers: Readers) -> None:
        self.payload = 0
        self._readers = readers

    async def run(self, query: Callable[[Connection], T]) -> T:
        found = await self._readers.run(query)
        for one in found if isinstance(found, list) else [found]:
            self.payload += len(getattr(one, "data", b"")) + len(getattr(one, "input", b""))
        return found

    def close(self) -> None:
        self._readers.close()


@pytest.mark.parametrize("watchers", [1, 5])
async def test_watchers_in_step_read_neither_the_task_nor_an_event_twice(tmp_path: Path, watchers: int) -> None:
    async def watch(atlas: Api, task: str, told: list[int]) -> None:
        async for page in atlas.engine.feed.follow(task, 0, KEEP_ALIVE):
            told.extend(event.seq for event in page)

    async with api(tmp_path, database=tmp_path / "atlas.db") as atlas:
        await atlas.admin.post("/api/v1/agents", json={"name": "hello"})
        await atlas.connect(atlas.admin, "hello", GREET, slots=1)
        new = {"agent": "hello", "skill": "greet", "input": {"name": "x" * 100_000}}
        task = (await atlas.admin.post("/api/v1/tasks", json=new)).json()["id"]
        reading = atlas.engine.store.tasks
        assert isinstance(reading, SqlTasks)
        counting = Counting(reading._readers)
        reading._readers = reading._followers = counting
        told: list[list[int]] = [[] for _ in range(watchers)]
        async with asyncio.timeout(20), asyncio.TaskGroup() as group:
            for one in told:
                group.create_task(watch(atlas, task, one))
            await until(lambda: all(one == [1, 2] for one in told))
            before = counting.payload
            await atlas.report(Accept(task, 1))
            for n in range(1, 21):
                await atlas.report(Event(task, 1, n, EventKind.LOG, Raw(b'{"event":"a line"}')))
                await until(lambda n=n: all(one[-1] == n + 3 for one in told))  # type: ignore[misc]
            await atlas.report(Result(task, 1, Outcome.COMPLETED))
        assert all(one == list(range(1, 25)) for one in told)
        assert before < watchers * 1_000
        assert counting.payload == before


async def until(condition: Callable[[], object]) -> None:
    while not condition():  # noqa: ASYNC110 - what is waited for has no event of its own
        await asyncio.sleep(0.001)
