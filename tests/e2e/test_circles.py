"""Agents that call one another in a circle, as processes with the slots they have by default."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest

from agentic_atlas import Client, TaskError
from tests.e2e.processes import PATIENCE, Platform, connected

CIRCLE = """
from agentic_atlas import Agent, Context

agent = Agent("NAME", concurrency=SLOTS)

@agent.skill
async def hit(ctx: Context, n: int) -> int:
    return 0 if n == 0 else 1 + await ctx.call("OTHER", "hit", n=n - 1)

if __name__ == "__main__":
    agent.run()
"""


def test_calls_in_a_circle_end_at_once_with_an_error_that_names_the_chain(tmp_path: Path) -> None:
    platform = Platform(tmp_path / "network")
    agents = [("ping", "pong", 8), ("pong", "ping", 8), ("deep", "deep", 20)]
    with ExitStack() as running:
        platform.start()
        running.callback(platform.kill)
        client = running.enter_context(Client(platform.url, api_key=platform.api_key))
        for name, other, slots in agents:
            code = CIRCLE.replace("NAME", name).replace("OTHER", other).replace("SLOTS", str(slots))
            client.agents.create(name)
            token = client.tokens.create(name).token
            running.enter_context(platform.agent(name, code, token=token)).wait_for(connected)
        assert client.call("ping", "hit", n=14, queue_ttl=0) == 14
        with pytest.raises(TaskError, match=r"the calls go round in a circle: admin/ping\.hit → admin/pong\.hit → .*"):
            client.call("ping", "hit", n=20, queue_ttl=0)
        found = client.tasks.list(agent="ping")
        ended = next(task for task in found if task.error and task.error.code == "call_circle")
        told = client.tasks.get(ended.id).info.error
        assert told is not None
        assert len(told.detail["chain"]) == 17
        with pytest.raises(TaskError, match="more than 16 agents call one another"):
            client.call("deep", "hit", n=30, queue_ttl=0)
        chains = [client.submit(name, "hit", n=16) for name in ("ping", "pong")]
        assert all(chain.refresh(wait=PATIENCE).done for chain in chains)
        for name, _, slots in agents:
            shown = client.agents.get(name)
            assert (shown.slots, shown.slots_used, shown.tasks_waiting) == (slots, 0, 0)
            assert [one.slots_used for one in shown.instances] == [0]
