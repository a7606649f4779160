"""A call that an agent sends again after a cut is for the task that it became, whatever has changed since."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from agentic_atlas.protocol.messages import Outcome, Raw, Result
from tests.integration.api.test_circles import prepared


@pytest.mark.parametrize("change", ["disabled", "deleted", "offline"])
async def test_a_call_sent_again_is_answered_for_the_task_that_it_became(tmp_path: Path, change: str) -> None:
    async with prepared(tmp_path) as world:
        root = await world.submit("ping")
        first, _ = world.call(root, "ping", "pong")
        while len(world.atlas.router.delivered) < 2:
            world.atlas.router.arrived.clear()
            await world.atlas.router.arrived.wait()
        child = world.atlas.router.delivered[-1][1].task
        first.cancel()
        match change:
            case "disabled":
                await world.atlas.admin.patch("/api/v1/agents/pong", json={"disabled": True})
            case "deleted":
                await world.atlas.admin.delete("/api/v1/agents/pong")
            case _:
                world.atlas.router.leave_all(world.ids["pong"])
        again, answered = world.call(root, "ping", "pong")
        await world.atlas.report(Result(child, 1, Outcome.COMPLETED, Raw(b"1")), instance="ins_pong")
        await asyncio.wait_for(again, 10)
        assert answered.last is not None
        assert answered.last.child == child
        ended = ("failed", "agent_deleted") if change == "deleted" else ("completed", None)
        assert (answered.last.state, answered.last.error and answered.last.error.code) == ended
