"""What it costs the server that an agent comes back."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from agentic_atlas.auth.scopes import AGENT_SCOPES
from agentic_atlas.backend.checker import schemas
from agentic_atlas.backend.rights import AgentToken, Principal
from agentic_atlas.backend.store.readers import PooledReaders
from agentic_atlas.backend.store.writer import Writer
from agentic_atlas.backend.usecases import instances
from agentic_atlas.backend.usecases.application import Application
from agentic_atlas.protocol.inside.messages import Admit, Arrived
from agentic_atlas.protocol.messages import Hello, InstanceInfo, Raw, SkillSpec
from tests.integration.api.network import GREET, Api, api
from tests.unit.backend.network import until

BODY = {"agent": "hello", "skill": "greet", "input": {"name": "Ada"}}


@pytest.fixture
def counts(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Count the schemas that are compiled, and the reads and writes of the store."""
    counts: Counter[str] = Counter()

    def counted(what: str, does: Callable[..., Any]) -> Callable[..., Any]:
        def one_more(*arguments: Any, **options: Any) -> Any:
            counts[what] += 1
            return does(*arguments, **options)

        return one_more

    monkeypatch.setattr(schemas, "look_at", counted("compiled", schemas.look_at))
    monkeypatch.setattr(schemas, "Validator", counted("compiled", schemas.Validator))
    monkeypatch.setattr(PooledReaders, "run", counted("reads", PooledReaders.run))
    monkeypatch.setattr(Writer, "submit", counted("writes", Writer.submit))
    return counts


async def comes(atlas: Api, token: str, agent_id: str, *skills: SkillSpec) -> None:
    admit = await atlas.router.arrive(
        atlas.shown(token, agent_id), Hello(1, InstanceInfo("ins_1"), list(skills), concurrency=4)
    )
    assert isinstance(admit, Admit)
    atlas.router.begin(admit.instance, 0)


async def test_an_unchanged_agent_that_comes_back_compiles_no_schema_and_costs_one_write(
    tmp_path: Path, counts: Counter[str]
) -> None:
    async with api(tmp_path, database=tmp_path / "atlas.db") as atlas:
        await atlas.admin.post("/api/v1/agents", json={"name": "hello"})
        token = (await atlas.admin.post("/api/v1/agents/hello/tokens", json={})).json()["id"]
        record = await atlas.engine.store.tokens.get(token)
        assert record is not None
        await comes(atlas, token, record.agent_id, GREET)
        assert (await atlas.admin.post("/api/v1/tasks", json=BODY)).status_code == 201
        await atlas.leave("ins_1")
        counts.clear()
        await comes(atlas, token, record.agent_id, GREET)
        assert counts == {"writes": 1}
        await atlas.leave("ins_1")
        counts.clear()
        assert (await atlas.admin.post("/api/v1/tasks", json=BODY)).status_code == 201
        # The read is that of when it was last seen, for the note of a task that waits.
        assert counts == {"reads": 1, "writes": 1}, "its skills are still known, and their schemas compiled"


async def test_an_agent_that_comes_back_with_other_skills_is_looked_at_again(
    tmp_path: Path, counts: Counter[str]
) -> None:
    other = replace(GREET, input_schema=Raw(b'{"type":"object","properties":{"first":{"type":"string"}}}'))
    async with api(tmp_path, database=tmp_path / "atlas.db") as atlas:
        await atlas.admin.post("/api/v1/agents", json={"name": "hello"})
        token = (await atlas.admin.post("/api/v1/agents/hello/tokens", json={})).json()["id"]
        record = await atlas.engine.store.tokens.get(token)
        assert record is not None
        for skill, compiled in ((GREET, 1), (other, 1), (other, 0), (GREET, 1)):
            counts.clear()
            await comes(atlas, token, record.agent_id, skill)
            assert counts["compiled"] == compiled
            await atlas.leave("ins_1")
        shown = (await atlas.admin.get("/api/v1/agents/hello")).json()
        assert list(shown["skills"][0]["input_schema"]["properties"]) == ["name"]


async def test_one_whose_last_connection_broke_while_it_was_being_stored_waits_for_the_next_to_be(
    tmp_path: Path, counts: Counter[str]
) -> None:
    async with api(tmp_path, database=tmp_path / "atlas.db") as atlas:
        await atlas.admin.post("/api/v1/agents", json={"name": "hello"})
        token = (await atlas.admin.post("/api/v1/agents/hello/tokens", json={})).json()["id"]
        record = await atlas.engine.store.tokens.get(token)
        assert record is not None
        agent = await atlas.engine.store.agents.get(record.agent_id)
        assert agent is not None
        identity = atlas.shown(token, record.agent_id)
        as_before = Hello(1, InstanceInfo("ins_1"), [GREET], concurrency=4)
        await atlas.router.arrive(identity, as_before)
        counts.clear()
        user = await atlas.engine.store.users.get(agent.owner_id)
        assert user is not None
        who = Principal(user, AgentToken(token, agent.id, agent.full_name), AGENT_SCOPES)
        changed = Arrived(99, identity, replace(as_before, description="New."))
        broken = asyncio.create_task(instances.admit(who, Application(atlas.engine), changed))
        await until(lambda: counts["writes"])
        broken.cancel()
        other = (await atlas.admin.post("/api/v1/agents/hello/tokens", json={})).json()["id"]
        # What the agent offers is known and stored again.
        await atlas.router.arrive(atlas.shown(other, agent.id), replace(as_before, instance=InstanceInfo("ins_2")))
        back = await atlas.router.arrive(identity, as_before)
        assert isinstance(back, Admit)
        stored = await atlas.engine.store.agents.instances(agent.id)
        assert back.instance.generation in [one.generation for one in stored if one.id == "ins_1"]
