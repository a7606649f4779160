"""Callers that go away, or are canceled, while their task is being stored."""

import asyncio
from pathlib import Path

from agentic_atlas.auth import Scope
from agentic_atlas.backend.domain.records import Submitted
from agentic_atlas.backend.engine import submission
from agentic_atlas.backend.rights import BrowserSession, Principal
from agentic_atlas.protocol.caller.tasks import SubmitRequest
from agentic_atlas.protocol.messages import Accept, Call, Raw, Reply
from tests.integration.api.network import GREET, Api, api

PATIENCE = 10.0


async def submitter(atlas: Api, agent_id: str) -> asyncio.Task[Submitted]:
    agent = await atlas.engine.store.agents.get(agent_id)
    assert agent is not None
    user = await atlas.engine.store.users.get(agent.owner_id)
    assert user is not None
    who = Principal(user, BrowserSession("ses_1"), (Scope.EVERYTHING,))
    ask = SubmitRequest("hello", "greet", Raw(b'{"name":"Ada"}'))
    return asyncio.create_task(submission.submit(atlas.engine, who, ask))


async def test_a_task_whose_submitter_goes_away_is_delivered_all_the_same(tmp_path: Path) -> None:
    async with api(tmp_path) as atlas, asyncio.timeout(PATIENCE):
        await atlas.admin.post("/api/v1/agents", json={"name": "hello"})
        agent_id = await atlas.connect(atlas.admin, "hello", GREET, slots=1)
        submitting = await submitter(atlas, agent_id)
        while not atlas.engine.credit.reservations():  # noqa: ASYNC110  # its slot is taken when its write is on its way
            await asyncio.sleep(0)
        submitting.cancel()
        await atlas.router.arrived.wait()
        [(_, delivered)] = atlas.router.delivered
        stored = await atlas.engine.store.tasks.get(delivered.task)
        assert stored is not None
        assert stored.state == "working"
        assert atlas.engine.credit.free(agent_id) == 0


class Heard:
    """What a calling agent was answered."""

    def __init__(self) -> None:
        self.replies: list[Reply] = []

    def __call__(self, reply: Reply) -> bool:
        self.replies.append(reply)
        return True

    async def drained(self) -> None:
        pass


async def test_a_task_that_is_being_canceled_makes_no_further_calls(tmp_path: Path) -> None:
    async with api(tmp_path) as atlas, asyncio.timeout(PATIENCE):
        await atlas.admin.post("/api/v1/agents", json={"name": "hello"})
        await atlas.connect(atlas.admin, "hello", GREET, slots=2)
        body = {"agent": "hello", "skill": "greet", "input": {"name": "Ada"}}
        parent = (await atlas.admin.post("/api/v1/tasks", json=body)).json()["id"]
        await atlas.report(Accept(parent, 1))
        await atlas.admin.post(f"/api/v1/tasks/{parent}/cancel")
        heard = Heard()
        call = Call("c1", parent, 1, "hello", "greet", Raw(b'{"name":"Bob"}'))
        await atlas.call(call, heard)
        [reply] = heard.replies
        assert reply.error is not None
        assert reply.error.code == "parent_not_running"
        assert (await atlas.admin.get("/api/v1/tasks", params={"parent": parent})).json()["items"] == []
