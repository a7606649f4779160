"""What the scopes of an agent's token are good for, on a whole network."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

from agentic_atlas.auth import AgentClaims, Scope, mint
from agentic_atlas.backend.domain.records import AgentRecord, SkillRecord, Token
from agentic_atlas.backend.rights import Principal
from agentic_atlas.backend.usecases import machine, tasks
from agentic_atlas.backend.usecases.application import Application
from agentic_atlas.compose.network import Network, network
from agentic_atlas.observe.logs import logger
from agentic_atlas.protocol.caller.tasks import SubmitRequest
from agentic_atlas.protocol.messages import Policy, Raw
from agentic_atlas.protocol.versions import ERROR_HEADER, SUBPROTOCOL
from agentic_atlas.settings import Settings

pytestmark = pytest.mark.anyio


class World:
    """A network with an administrator's agent, and tokens for it."""

    def __init__(self, up: Network, admin: Principal) -> None:
        self.up = up
        self.admin = admin
        self.application = Application(up.engine)
        self.agent = AgentRecord("agt_1", admin.user.id, admin.user.name, "hello", 0.0)

    async def token(self, *scopes: Scope) -> str:
        """Return a token that is good for these scopes, as it and the store say."""
        engine, now = self.up.engine, int(self.up.engine.clock())
        record = Token(engine.ids("tok"), self.agent.id, "laptop", now, now + 600, scopes=scopes)
        await engine.store.tokens.add(record)
        name = self.agent.full_name
        claims = AgentClaims(record.id, self.agent.id, engine.network, name, scopes, now, now, now + 600)
        return mint(engine.signing.ring, claims)

    def connect(self, token: str) -> connect:
        headers = {"Authorization": f"Bearer {token}"}
        return connect(self.up.addresses.router_url, additional_headers=headers, subprotocols=[SUBPROTOCOL])


@asynccontextmanager
async def world(folder: Path) -> AsyncIterator[World]:
    settings = Settings(data_dir=folder / "data", http_port=0, router_port=0)
    async with asyncio.timeout(20), network(settings, logger("error")) as up:
        key = await machine.bootstrap(up.engine, "admin")
        assert key is not None
        made = World(up, await up.engine.access.authenticate(key))
        await up.engine.store.agents.add(made.agent)
        skill = SkillRecord(made.agent.id, "greet", "", b"{}", b"null", Policy(), False, 0.0)
        await up.engine.store.agents.declare(made.agent.id, [skill])
        yield made


async def say(connection: ClientConnection, kind: str, **fields: Any) -> None:
    await connection.send(msgspec.json.encode({"type": kind, **fields}).decode())


async def hear(connection: ClientConnection, kind: str) -> dict[str, Any]:
    """Return the next message of this type."""
    while True:
        message: dict[str, Any] = msgspec.json.decode(await connection.recv())
        if message["type"] == kind:
            return message


@pytest.mark.parametrize("scopes", [(), (Scope.AGENT_CALL,)])
async def test_a_token_that_is_not_for_connecting_is_refused_in_the_handshake(
    scopes: tuple[Scope, ...], tmp_path: Path
) -> None:
    async with world(tmp_path) as on:
        with pytest.raises(InvalidStatus) as refused:
            async with on.connect(await on.token(*scopes)):
                pass
        answer = refused.value.response
        assert (answer.status_code, answer.headers[ERROR_HEADER]) == (403, "insufficient_scope")
        assert b"agent:connect" in answer.body


@pytest.mark.parametrize(
    ("scopes", "code"),
    [
        ((Scope.AGENT_CONNECT,), "insufficient_scope"),
        # Its right to call is no question any more: it calls an agent that there is not.
        ((Scope.AGENT_CONNECT, Scope.AGENT_CALL), "agent_not_found"),
    ],
)
async def test_an_agent_whose_token_is_not_for_calling_calls_nobody(
    scopes: tuple[Scope, ...], code: str, tmp_path: Path
) -> None:
    async with world(tmp_path) as on, on.connect(await on.token(*scopes)) as agent:
        skills = [{"name": "greet", "input_schema": {}, "output_schema": None}]
        await say(agent, "hello", protocol=1, instance={"id": "ins_1"}, skills=skills, concurrency=1)
        await hear(agent, "welcome")
        ask = SubmitRequest(on.agent.full_name, "greet", Raw(b"{}"))
        made, _ = await tasks.submit(on.admin, on.application, ask)
        task = await hear(agent, "task")
        assert task["task"] == made.id
        await say(agent, "accept", task=made.id, attempt=1)
        await say(agent, "call", id="c1", task=made.id, attempt=1, agent="nobody", skill="greet", input={})
        reply = await hear(agent, "reply")
        assert (reply["id"], reply["error"]["code"]) == ("c1", code)
