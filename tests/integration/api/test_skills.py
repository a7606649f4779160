"""Which skills an agent offers, and which of its instances is given a task, when they run different code."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from msgspec.structs import replace

from agentic_atlas.backend.engine.monitor import LOOKS
from agentic_atlas.protocol.closing import CloseCode
from agentic_atlas.protocol.inside.messages import Admit, Failure, TurnAway
from agentic_atlas.protocol.messages import Hello, InstanceInfo, Outcome, Raw, Result
from tests.integration.api.network import GREET, Api, api

TASK = {"agent": "hello", "skill": "greet", "input": {"name": "Ada"}}
COUNT = replace(GREET, name="count")
NARROW = replace(GREET, input_schema=Raw(b'{"type":"object","properties":{"first":{"type":"string"}}}'))


@asynccontextmanager
async def prepared(folder: Path) -> AsyncIterator[Api]:
    async with api(folder) as running, asyncio.timeout(20):
        await running.admin.post("/api/v1/agents", json={"name": "hello"})
        yield running


async def offered(atlas: Api) -> dict[str, object]:
    skills = (await atlas.admin.get("/api/v1/agents/hello")).json()["skills"]
    return {skill["name"]: sorted(skill["input_schema"]["properties"]) for skill in skills}


async def submit(atlas: Api, skill: str = "greet") -> str:
    made = await atlas.admin.post("/api/v1/tasks", json=TASK | {"skill": skill})
    assert made.status_code == 201, made.text
    return str(made.json()["id"])


async def test_a_token_is_refused_to_the_code_of_another_agent(tmp_path: Path) -> None:
    async with prepared(tmp_path) as atlas:
        token = (await atlas.admin.post("/api/v1/agents/hello/tokens", json={})).json()["id"]
        record = await atlas.engine.store.tokens.get(token)
        assert record is not None
        hello = Hello(protocol=1, instance=InstanceInfo(id="ins_1"), skills=[GREET])
        identity = atlas.shown(token, record.agent_id)
        for name in ("hello", None):
            assert isinstance(await atlas.router.arrive(identity, replace(hello, agent=name)), Admit)
        refused = await atlas.router.arrive(identity, replace(hello, agent="kinds", skills=[COUNT]))
        assert refused == TurnAway(
            3, Failure(CloseCode.WRONG_AGENT, "wrong_agent", "it is for hello, the code declares kinds")
        )
        assert list(await offered(atlas)) == ["greet"]


async def test_an_agent_offers_what_its_connected_instances_have_and_the_last_ones_skills_without_any(
    tmp_path: Path,
) -> None:
    async with prepared(tmp_path) as atlas:
        await atlas.connect(atlas.admin, "hello", GREET, instance="right")
        assert await offered(atlas) == {"greet": ["name"]}
        await atlas.connect(atlas.admin, "hello", NARROW, COUNT, instance="older")
        assert await offered(atlas) == {"count": ["name"], "greet": ["first"]}
        await atlas.leave("older")
        assert await offered(atlas) == {"greet": ["name"]}
        assert (await atlas.admin.post("/api/v1/tasks", json=TASK | {"skill": "count"})).status_code == 404
        await atlas.leave("right")
        assert await offered(atlas) == {"greet": ["name"]}


async def test_a_task_goes_only_to_an_instance_that_has_its_skill_with_that_schema(tmp_path: Path) -> None:
    async with prepared(tmp_path) as atlas:
        await atlas.connect(atlas.admin, "hello", NARROW, COUNT, instance="older", slots=3)
        await atlas.connect(atlas.admin, "hello", GREET, instance="right", slots=1)
        greets = [await submit(atlas) for _ in range(2)]
        await submit(atlas, "count")
        while len(atlas.router.delivered) < 2:
            atlas.router.arrived.clear()
            await atlas.router.arrived.wait()
        assert [(slot.instance_id, task.skill) for slot, task in atlas.router.delivered] == [
            ("right", "greet"),
            ("older", "count"),
        ]
        for _ in range(LOOKS):
            atlas.engine.monitor.look()
        assert not any(atlas.engine.monitor.findings.now().values()), "what can't begin there does not wait for it"
        atlas.router.arrived.clear()
        await atlas.report(Result(greets[0], 1, Outcome.COMPLETED, Raw(b"1")), instance="right")
        atlas.router.grant("right")
        await atlas.router.arrived.wait()
        assert [(slot.instance_id, task.task) for slot, task in atlas.router.delivered][2:] == [("right", greets[1])]


async def test_a_task_whose_skill_no_connected_instance_has_waits_and_says_so(tmp_path: Path) -> None:
    async with prepared(tmp_path) as atlas:
        await atlas.connect(atlas.admin, "hello", GREET, instance="right")
        task = await submit(atlas)
        await atlas.leave("right")
        await atlas.connect(atlas.admin, "hello", COUNT, instance="older", slots=1)
        assert not atlas.router.delivered
        shown = (await atlas.admin.get(f"/api/v1/tasks/{task}")).json()
        assert shown["note"] == "queued: no connected instance of the agent has the skill greet"
        await atlas.connect(atlas.admin, "hello", GREET, instance="new", slots=1)
        await atlas.router.arrived.wait()
        assert [slot.instance_id for slot, _ in atlas.router.delivered] == ["new"]
