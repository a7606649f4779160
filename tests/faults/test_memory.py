"""What the server's memory is after many tasks and connects: what it was after the first of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from agentic_atlas.protocol.messages import Message, Task
from tests.e2e.processes import Platform
from tests.faults.floods import MEGABYTE, Api, api, resident, sound, stored, up
from tests.faults.wire_agent import WireAgent, connected, working

BATCH = 100
GROWTH = 0.05
"""How much more memory twice as many may take: the first half fills what SQLite remembers of a growing file, 16 MB for
each connection, and what is remembered of agents; after that only what leaks goes on growing."""


class Load:
    """Tasks that are done at once, in batches, and connections that come and go.

    Attributes:
        done: how many results the agent was told are stored.
    """

    def __init__(self, platform: Platform, at: Api, token: str) -> None:
        self.done = 0
        self._platform = platform
        self._at = at
        self._token = token
        self._connects = 0

    async def tasks(self, count: int) -> None:
        """Do so many tasks."""
        starts = iter(range(0, count, BATCH))

        async def some() -> None:
            for start in starts:
                items = await self._at.batch("fast", [{"n": n} for n in range(start, start + BATCH)])
                assert all(item.get("task") for item in items), items[0]
                # The last of a batch ends about last: so no more than a few batches wait.
                await self._at.ended(items[-1]["task"]["id"])

        async with asyncio.TaskGroup() as group:
            for _ in range(4):
                group.create_task(some())

    async def connects(self, count: int) -> None:
        """Connect, as a new process each time, and leave again."""
        for _ in range(count):
            self._connects += 1
            agent = await connected(self._platform, self._token, f"inst_{self._connects}")
            await agent.socket.close()


async def done_at_once(agent: WireAgent, message: Message) -> None:
    """Do a task without a word in between."""
    if isinstance(message, Task):
        await agent.accept(message)
        await agent.complete(message, "done")


@pytest.mark.timeout(1800)
async def test_memory_after_many_tasks_and_connects_is_what_it_was_after_the_first(
    tmp_path: Path, soak: bool, found: Callable[[str, str, str], None]
) -> None:
    """Without `--soak` there are too few to tell growth from chance: then it is bounded, and nothing is left behind."""
    tasks, connects = (10_000, 1_000) if soak else (300, 30)
    times = 10 if soak else 3
    sizes: list[int] = []

    with up(tmp_path / "network", log_level="warning") as platform:
        async with api(platform) as at:
            load = Load(platform, at, await at.token("passing"))
            async with working(platform, await at.token("fast"), done_at_once, concurrency=100):
                for _ in range(times):
                    await load.tasks(tasks)
                    await load.connects(connects)
                    sizes.append(resident(platform))
    sound(platform)
    assert stored(platform, "SELECT DISTINCT state FROM tasks") == [("completed",)]
    half = sizes[(times - 1) // 2]
    growth = sizes[-1] / half - 1
    assert growth < (GROWTH if soak else 0.5), sizes
    found(
        "7 bounded memory",
        f"{times * tasks} tasks, {times * connects} connects",
        f"{sizes[0] / MEGABYTE:.0f} MB after the first {tasks} and {connects}, {half / MEGABYTE:.0f} MB after half, "
        f"{sizes[-1] / MEGABYTE:.0f} MB at the end ({growth:+.0%} since half)",
    )
