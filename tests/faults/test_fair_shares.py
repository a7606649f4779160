"""A flood of one caller's or one agent's, and everybody else goes on: turns between callers, agents apart."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from agentic_atlas.protocol.messages import Message, Task
from tests.e2e.processes import Platform
from tests.faults.floods import Api, api, sound, up
from tests.faults.wire_agent import WireAgent, echo, working

TURNS = 3
"""Tasks of the flood that may be served between a single task's submit and its turn."""
BATCH = 100


class Orderly:
    """Does one task after the other, and remembers whose they were."""

    def __init__(self) -> None:
        self.served: list[str] = []

    async def __call__(self, agent: WireAgent, message: Message) -> None:
        """Do a task."""
        if isinstance(message, Task):
            self.served.append(json.loads(bytes(message.input))["who"])
            await agent.accept(message)
            await asyncio.sleep(0.005)
            await agent.complete(message)

    async def waited(self, single: Api) -> int:
        """Submit one task; return how many of others were served before it."""
        before = len(self.served)
        task = await single.accepted("busy", input={"who": "single"})
        await single.ended(task["id"])
        return self.served.index("single", before) - before


async def flood(at: Api, count: int) -> None:
    """Submit so many tasks, and one that is urgent: it is served first, and is nobody else's clock."""
    for _ in range(count // BATCH):
        await at.batch("busy", [{"who": "flood"}] * BATCH)
    await at.accepted("busy", input={"who": "urgent"}, priority=9)


@pytest.mark.timeout(300)
async def test_a_flood_of_one_caller_does_not_starve_another_not_even_after_a_restart(
    tmp_path: Path, soak: bool, found: Callable[[str, str, str], None]
) -> None:
    count = 2_000 if soak else 200
    waits: list[int] = []
    orderly = Orderly()

    async def singles(platform: Platform, token: str, key: str, instance: str) -> None:
        async with working(platform, token, orderly, instance), api(platform, key) as single:
            waits.extend([await orderly.waited(single) for _ in range(10)])

    with up(tmp_path / "network", grace=0.5) as platform:
        async with api(platform) as at:
            token, key = await at.token("busy"), await at.key("another")
            async with working(platform, token, echo, "inst_before"):
                pass
            await flood(at, count)
            await singles(platform, token, key, "inst_first")
        await asyncio.to_thread(platform.kill)
        await asyncio.to_thread(platform.start)
        async with api(platform) as at:
            # A backlog that nobody in this process has seen growing, and more of it.
            await flood(at, BATCH)
            await singles(platform, token, key, "inst_second")
            waiting = (await at.http.get("/tasks", params={"state": "submitted", "limit": 1})).json()
            assert waiting["items"], f"the flood has to outlast the single ones, which waited for {waits}"
    sound(platform)
    assert max(waits) <= TURNS, waits
    assert orderly.served.count("flood") > 10
    found(
        "Fair shares",
        f"{count} tasks of one caller, {len(waits)} single ones of another, a kill -9 between",
        f"each single one served after {max(waits)} others at most",
    )
