from __future__ import annotations

import asyncio

from agentic_atlas.backend.domain import lifecycle
from agentic_atlas.backend.domain.terms import TIMEOUT
from agentic_atlas.testing import AsyncCaller
from agentic_atlas.testing.network import MemoryNetwork
from tests.integration.testing.agents import Gated, worker

SECONDS = 5.0


async def test_a_handler_that_outlives_its_task_counts_as_work() -> None:
    gated = Gated()

    network = MemoryNetwork([gated.agent])
    await network.start()
    task = await AsyncCaller(network, "gated").submit("work")
    assert await asyncio.to_thread(gated.entered.acquire, timeout=SECONDS)
    now = network.engine.clock()
    await network.engine.dispatcher.change(task.id, lambda one: lifecycle.force(one, None, TIMEOUT, now))
    with network.awaited():
        assert not network.idle()
    gated.open.set()
    await network.stop()
    with network.awaited():
        assert network.idle()


async def test_nobody_is_idle_for_nobody() -> None:
    network = MemoryNetwork([worker()])
    await network.start()
    assert not network.idle()
    with network.awaited():
        assert network.idle()
    await network.stop()
