"""Agents whose tokens are good for seconds, under load: one that renews its own, and one that may not."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from agentic_atlas import AsyncClient, Client
from agentic_atlas.errors import AtlasError
from tests.e2e.processes import PATIENCE, Platform, connected

LIFE, SECONDS = 20, 120.0
CALLERS = 4
WORKER = """
import asyncio
from agentic_atlas import Agent

agent = Agent("worker", concurrency=16)

@agent.skill
async def work(number: int, takes: float) -> int:
    print(f"runs {number}", flush=True)
    await asyncio.sleep(takes)
    return number

if __name__ == "__main__":
    agent.run()
"""


@dataclass
class Load:
    """Callers that ask for one thing after the other, which takes some seconds; what they were told."""

    platform: Platform
    takes: float = 0.05
    done: int = 0
    failed: list[AtlasError] = field(default_factory=list)

    async def run(self, enough: Callable[[], bool]) -> None:
        async with asyncio.TaskGroup() as group:
            for caller in range(CALLERS):
                group.create_task(self._call(caller, enough))

    async def _call(self, caller: int, enough: Callable[[], bool]) -> None:
        async with AsyncClient(self.platform.url, api_key=self.platform.api_key) as client:
            number = caller
            while not enough():
                try:
                    task = await client.submit("worker", "work", number=number, takes=self.takes)
                    assert await task.result(PATIENCE) == number
                except AtlasError as error:
                    self.failed.append(error)
                self.done += 1
                number += CALLERS


@pytest.mark.long
@pytest.mark.timeout(300)
async def test_an_agent_with_a_short_token_works_on_with_no_failed_task_and_no_reconnect(
    platform: Platform, client: Client, soak: bool, found: Callable[[str, str, str], None]
) -> None:
    # Beside other tests, twelve tasks a second; alone, as many as four callers get done.
    with platform.agent("worker", WORKER, token=platform.token("worker", expires_in=LIFE), in_file=True) as agent:
        agent.wait_for(connected)
        ends, load = time.monotonic() + SECONDS, Load(platform, 0.05 if soak else 0.3)
        await load.run(lambda: time.monotonic() >= ends)
        renewals = agent.output.count("the token was renewed")
        assert load.failed == []
        assert renewals >= SECONDS // LIFE
        assert agent.output.count("connected to") == 1
        assert "connection lost" not in agent.output
        (instance,) = client.agents.get("worker").instances
        assert instance.online
        assert agent.stop() == 0
    found(
        "5 renewal",
        f"a token of {LIFE} s for {SECONDS:g} s, {load.done} tasks",
        f"{renewals} renewals, 0 failed, 1 connection",
    )


@pytest.mark.timeout(120)
async def test_one_that_may_not_renew_drains_and_loses_nothing(
    platform: Platform, client: Client, found: Callable[[str, str, str], None]
) -> None:
    token = platform.token("worker", expires_in=4, renewable=False)
    with platform.agent("worker", WORKER, token=token, in_file=True) as agent:
        agent.wait_for(connected)
        load, over = Load(platform), asyncio.Event()

        async def another() -> None:
            await asyncio.to_thread(agent.wait_for, "the token has expired")
            env = str(agent.folder / ".env")
            await asyncio.to_thread(platform.atlas, "tokens", "create", "worker", "--env", env)
            await asyncio.to_thread(agent.wait_for, "back after")
            over.set()

        async with asyncio.TaskGroup() as group:
            group.create_task(another())
            group.create_task(load.run(over.is_set))
        assert load.failed == []
        tasks = list(client.tasks.list())
        assert len(tasks) == load.done
        # A task that was on its way as the token expired is given back unread, and is the next attempt's.
        runs = [line for line in agent.output.splitlines() if line.startswith("runs ")]
        assert len(runs) == len(set(runs)) == load.done
    found("5 renewal", f"a token that may not be renewed, {load.done} tasks", "drained, nothing lost or run twice")
