"""What a task that waits says it waits for."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentic_atlas.protocol.messages import Accept
from agentic_atlas.protocol.tasks import Holdup
from tests.integration.api.network import GREET, Api, api

TASK = {"agent": "work", "skill": "greet", "input": {"name": "Ada"}}


async def submitted(atlas: Api, **more: object) -> str:
    answer = await atlas.admin.post("/api/v1/tasks", json=TASK | more)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def note(atlas: Api, task: str) -> str | None:
    found: str | None = (await atlas.admin.get(f"/api/v1/tasks/{task}")).json()["note"]
    return found


@pytest.mark.parametrize(
    ("usage", "says"),
    [
        ([(4, 4, None)], "all instances of the agent are busy (4 of 4 slots used)"),
        ([(4, 4, Holdup.BLOCKED)], "all instances of the agent are busy (4 of 4 slots used)"),
        (
            [(1, 8, Holdup.BLOCKED)],
            "its instance takes no tasks at the moment: its event loop is blocked, see its log",
        ),
        (
            [(0, 4, Holdup.DRAINING), (4, 4, None)],
            "no instance with a free slot takes tasks at the moment: it is about to end",
        ),
        (
            [(0, 4, Holdup.REFUSED)],
            "its instance takes no tasks at the moment: it gave a task back as busy, and is left alone for a moment",
        ),
        (
            [(0, 4, Holdup.BEHIND), (1, 1, None), (2, 4, Holdup.BLOCKED)],
            "no instance with a free slot takes tasks at the moment: it has not read yet what was sent to "
            "it, or its event loop is blocked, see its log",
        ),
        ([(0, 4, Holdup.BLOCKED), (0, 4, None)], "an instance of the agent has a slot for it, and is given it next"),
    ],
)
async def test_a_queued_task_says_why_no_instance_takes_it(
    tmp_path: Path, usage: list[tuple[int, int, Holdup | None]], says: str
) -> None:
    async with api(tmp_path) as atlas:
        await atlas.admin.post("/api/v1/agents", json={"name": "work"})
        await atlas.connect(atlas.admin, "work", GREET, instance="ins_0")
        task = await submitted(atlas)
        atlas.engine.dispatcher.claims.forget(next(iter(atlas.router.there.values())).agent_id)
        for number, (used, slots, holdup) in enumerate(usage):
            if number:
                await atlas.connect(atlas.admin, "work", GREET, instance=f"ins_{number}")
            atlas.router.grant(f"ins_{number}", slots - used, slots=slots, holdup=holdup)
        assert await note(atlas, task) == f"queued: {says}"


@pytest.mark.parametrize(
    ("policy", "then"),
    [
        ({}, "is tried again"),
        ({"delivery": "at_most_once"}, "ends with outcome_unknown"),
        ({"max_attempts": 1}, "ends with agent_lost"),
    ],
)
async def test_a_running_task_whose_agent_is_away_says_what_becomes_of_it(
    tmp_path: Path, policy: dict[str, object], then: str
) -> None:
    async with api(tmp_path) as atlas:
        await atlas.admin.post("/api/v1/agents", json={"name": "work"})
        await atlas.connect(atlas.admin, "work", GREET, instance="ins_1", slots=1)
        task = await submitted(atlas, **policy)
        await atlas.report(Accept(task, 1), instance="ins_1")
        assert await note(atlas, task) is None
        atlas.router.leave("ins_1", grace=11.2)
        away = f"its agent is away: it {then} unless the agent comes back within 12 s"
        assert await note(atlas, task) == away
