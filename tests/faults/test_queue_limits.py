"""More tasks than may wait: accepted up to each limit, then told when to come back; what was accepted is done."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.processes import Platform
from tests.faults.floods import KEPT, MEGABYTE, MOST_GROWTH, Api, api, resident, sound, stored, until, up
from tests.faults.wire_agent import echo, working

BATCH = 100


async def declared(platform: Platform, at: Api, *names: str) -> dict[str, str]:
    """Make agents whose skill is known and who are offline; return a token of each."""
    tokens = {name: await at.token(name) for name in names}
    for name, token in tokens.items():
        async with working(platform, token, echo, f"inst_{name}"):
            pass
    return tokens


async def flood(at: Api, agent: str, count: int, size: int = 10) -> Counter[str]:
    """Submit so many tasks in batches, two at a time; return how often each answer came, `accepted` or a code."""
    answers: Counter[str] = Counter()
    starts = iter(range(0, count, BATCH))

    async def some() -> None:
        for start in starts:
            inputs = [{"n": n, "text": "x" * size} for n in range(start, min(start + BATCH, count))]
            for item in await at.batch(agent, inputs):
                answers["accepted" if item.get("task") else item["error"]["code"]] += 1

    async with asyncio.TaskGroup() as group:
        group.create_task(some())
        group.create_task(some())
    return answers


async def refused(at: Api, agent: str, code: str) -> None:
    """One more is a 429 that says when to come back."""
    answer = await at.submit(agent, input={})
    assert (answer.status_code, answer.json()["error"]["code"]) == (429, code), answer.text
    assert int(answer.headers["Retry-After"]) >= 1


async def emptied(platform: Platform) -> None:
    """Wait until no task waits or runs."""
    query = "SELECT 1 FROM tasks WHERE state IN ('submitted', 'working') LIMIT 1"
    await until(lambda: not stored(platform, query), within=240)


@pytest.mark.timeout(600)
async def test_a_queue_takes_what_it_may_and_then_says_when_to_come_back(
    tmp_path: Path, soak: bool, found: Callable[[str, str, str], None]
) -> None:
    count, limit, size = (20_000, 19_900, 10_000) if soak else (500, 400, 10_000)
    grown = started = 0

    with up(tmp_path / "network", queue_per_agent=limit, open_per_caller=2 * limit) as platform:
        async with api(platform) as at:
            tokens = await declared(platform, at, "away", "other")
            before = resident(platform)
            answers = await flood(at, "away", count, size)
            grown = resident(platform) - before
            assert answers == {"accepted": limit, "agent_queue_full": count - limit}
            await refused(at, "away", "agent_queue_full")
            # One agent's queue is nobody else's.
            assert (await at.submit("other", input={})).status_code == 201
        await asyncio.to_thread(platform.kill)
        await asyncio.to_thread(platform.start)
        async with api(platform) as at:
            started = resident(platform) - before
            await refused(at, "away", "agent_queue_full")
            async with working(platform, tokens["away"], echo, concurrency=100):
                await until(lambda: len(stored(platform, "SELECT 1 FROM tasks WHERE state = 'submitted'")) <= 1, 240)
                assert (await at.submit("away", input={})).status_code == 201
    sound(platform)
    assert stored(platform, "SELECT count(*) FROM tasks") == [(limit + 2,)]
    assert grown < MOST_GROWTH + KEPT
    assert started < MOST_GROWTH
    found(
        "7 bounded, with a named answer",
        f"{count} submits of {size // 1000} KB to an agent that is offline",
        f"{limit} accepted and done, then 429 agent_queue_full; memory grew by {grown / MEGABYTE:.0f} MB, and after a "
        f"restart by {started / MEGABYTE:.0f} MB",
    )


async def test_each_caller_and_the_whole_network_have_a_limit_of_open_tasks(
    tmp_path: Path, found: Callable[[str, str, str], None]
) -> None:
    with up(tmp_path / "network", open_per_caller=100, open_tasks=150) as platform:
        async with api(platform) as at:
            tokens = await declared(platform, at, "one", "two")
            async with api(platform, await at.key("second")) as second, api(platform, await at.key("third")) as third:
                answers = await flood(at, "one", 150)
                assert answers == {"accepted": 100, "too_many_open_tasks": 50}
                await refused(at, "two", "too_many_open_tasks")
                answers = await flood(second, "two", 90)
                assert answers == {"accepted": 50, "network_full": 40}
                await refused(third, "one", "network_full")
            async with (
                working(platform, tokens["one"], echo, "inst_1", concurrency=20),
                working(platform, tokens["two"], echo, "inst_2", concurrency=20),
            ):
                await emptied(platform)
                # There is room again.
                assert (await at.submit("one", input={})).status_code == 201
    sound(platform)
    found(
        "7 bounded, with a named answer",
        "more open tasks than a caller, and than the network may have",
        "429 too_many_open_tasks, 429 network_full, each with Retry-After",
    )


async def test_a_repeated_submit_finds_its_task_also_when_there_is_no_room(tmp_path: Path) -> None:
    with up(tmp_path / "network", queue_per_agent=10) as platform:
        async with api(platform) as at:
            await declared(platform, at, "away")
            first = await at.accepted("away", input={}, idempotency_key="order-1")
            await flood(at, "away", 50)
            await refused(at, "away", "agent_queue_full")
            assert (await at.accepted("away", input={}, idempotency_key="order-1"))["id"] == first["id"]
