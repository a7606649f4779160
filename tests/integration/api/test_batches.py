"""Many tasks in one request: stored together, each taken or refused by itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event

from agentic_atlas.backend.engine.census import OpenLimits
from agentic_atlas.backend.engine.engine import EngineSettings
from tests.integration.api.network import GREET, Api, api

pytestmark = pytest.mark.anyio


def asks(number: int, **other: object) -> list[dict[str, Any]]:
    return [{"agent": "hello", "skill": "greet", "input": {"name": f"Ada {n}"}, **other} for n in range(number)]


async def connected(atlas: Api, slots: int = 0) -> None:
    await atlas.admin.post("/api/v1/agents", json={"name": "hello"})
    await atlas.connect(atlas.admin, "hello", GREET, slots=slots)


async def sent(atlas: Api, tasks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    answer = await atlas.admin.post("/api/v1/tasks/batch", json={"tasks": tasks})
    assert answer.status_code == 200, answer.text
    results: list[dict[str, Any]] = answer.json()["results"]
    return results


@contextmanager
def counted() -> Iterator[Counter[str]]:
    """Count the commits of all databases in this block."""
    counts: Counter[str] = Counter()

    def committed(_connection: object) -> None:
        counts["commits"] += 1

    event.listen(Engine, "commit", committed)
    try:
        yield counts
    finally:
        event.remove(Engine, "commit", committed)


@pytest.mark.parametrize("slots", [0, 100])
async def test_a_hundred_tasks_share_a_handful_of_commits(tmp_path: Path, slots: int) -> None:
    async with api(tmp_path, database=tmp_path / "store.db") as atlas:
        await connected(atlas, slots)
        await sent(atlas, asks(1))  # the agent and its skill are in memory from here on
        with counted() as counts:
            results = await sent(atlas, asks(100))
    assert all("task" in result for result in results)
    assert [result["task"]["id"] for result in results] == sorted(result["task"]["id"] for result in results)
    assert counts["commits"] <= 4


async def test_the_tasks_of_a_batch_count_for_one_another(tmp_path: Path) -> None:
    async with api(tmp_path, EngineSettings(open=OpenLimits(queue_per_agent=3))) as atlas:
        await connected(atlas)
        results = await sent(atlas, asks(5))
    assert ["task" in result for result in results] == [True, True, True, False, False]
    assert {result["error"]["code"] for result in results[3:]} == {"agent_queue_full"}


async def test_one_key_twice_in_a_batch_is_one_task(tmp_path: Path) -> None:
    async with api(tmp_path) as atlas:
        await connected(atlas)
        (first,) = asks(1, idempotency_key="k")
        results = await sent(atlas, [first, first, {**first, "input": {"name": "Bob"}}])
        assert results[0]["task"]["id"] == results[1]["task"]["id"]
        assert results[2]["error"]["code"] == "idempotency_conflict"
        assert len((await atlas.admin.get("/api/v1/tasks")).json()["items"]) == 1


async def test_what_can_not_be_taken_any_more_finds_the_task_of_its_key_in_the_same_batch(tmp_path: Path) -> None:
    async with api(tmp_path, EngineSettings(open=OpenLimits(queue_per_agent=1))) as atlas:
        await connected(atlas)
        (first,) = asks(1, idempotency_key="k")
        results = await sent(atlas, [first, first])
    assert results[0]["task"]["id"] == results[1]["task"]["id"]
