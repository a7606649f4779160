"""Every message of the wire, said by everybody about somebody else's task: one table, and the task stays as it is.

Nothing is heard before a credential was looked at, so who has none, one that is over, was revoked or is for something
else is refused, whatever they would say. What an agent says of a task that is not its own counts for nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from agentic_atlas.auth import AgentClaims, Scope, mint
from agentic_atlas.backend.domain.records import AgentRecord, Role, Task, Token, User
from agentic_atlas.backend.engine.api_keys import issue_key
from agentic_atlas.backend.rights import Principal
from agentic_atlas.backend.usecases import agents, machine, tasks, tokens
from agentic_atlas.backend.usecases.application import Application
from agentic_atlas.compose.network import Network, network
from agentic_atlas.protocol import messages
from agentic_atlas.protocol.caller.tasks import SubmitRequest
from agentic_atlas.protocol.messages import NAMES, Raw
from agentic_atlas.protocol.versions import ERROR_HEADER, SUBPROTOCOL
from agentic_atlas.settings import Settings
from tests.debug_log import debug_log

pytestmark = pytest.mark.anyio

SKILLS = [{"name": "greet", "input_schema": {}, "output_schema": None}]
HELLO = {"protocol": 1, "skills": SKILLS, "concurrency": 1}
TRACE = f"00-{1:032x}-{1:016x}-01"
NOT_THEIRS = "wrong_sender"


class Answers(NamedTuple):
    """What each is answered who says it: a code, the kind of the answer, or nothing."""

    nobody: str = "token_missing"
    key: str = "token_malformed"
    """With an API key."""
    expired: str = "token_expired"
    narrow: str = "insufficient_scope"
    """With a token that is not for connecting."""
    revoked: str = "token_revoked"
    other: str = ""
    """With the token of another agent, about a task that is not its own; after its `welcome`."""


def plain(message: messages.Message) -> dict[str, Any]:
    """Return the fields of a message as they are sent."""
    fields: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(message))
    del fields["type"]
    return fields


def said(task: str) -> dict[str, tuple[dict[str, Any], Answers]]:
    """Return every message, said about this task, with what each is answered."""
    of = {"task": task, "attempt": 1}
    return {
        # It says that it runs the task: it is told to drop it.
        "hello": (
            {**HELLO, "instance": {"id": "ins_other"}, "running": [of]},
            Answers(other="drop"),
        ),
        "accept": (of, Answers()),
        "refuse": ({**of, "reason": "busy"}, Answers()),
        "event": ({**of, "n": 1, "kind": "progress", "data": {"fraction": 0.5}}, Answers(other="event_ack")),
        "result": ({**of, "outcome": "completed", "output": "mine"}, Answers(other="result_ack")),
        "call": (
            {**of, "id": "c1", "agent": "hello", "skill": "greet", "input": {}},
            Answers(other="parent_not_running"),
        ),
        "beat": ({"n": 1, "attempts": [of]}, Answers()),
        "drain": ({}, Answers()),
        # Whose task a line is of is looked up, and not taken from who says it.
        "logs": (
            {"first": 1, "lines": [{"at": 1.0, "level": "info", "message": "m", "source": "task", **of}], "dropped": 0},
            Answers(other="logs_ack"),
        ),
        # It says nothing of a task: whoever asks is given another token of its own agent.
        "token": ({}, Answers(other="token")),
        # What only routers say.
        "welcome": (
            plain(messages.Welcome("hello", "ada", "ins_1", 1, messages.Limits(), 10.0, 30.0, 0.0)),
            Answers(other=NOT_THEIRS),
        ),
        "task": (
            plain(messages.Task(task, 1, "greet", Raw(b"{}"), messages.Caller("user", "usr_ada"), TRACE, 0.0)),
            Answers(other=NOT_THEIRS),
        ),
        "event_ack": ({**of, "n": 1}, Answers(other=NOT_THEIRS)),
        "logs_ack": ({"up_to": 1}, Answers(other=NOT_THEIRS)),
        "result_ack": (of, Answers(other=NOT_THEIRS)),
        "cancel": (of, Answers(other=NOT_THEIRS)),
        "answer": ({**of, "reaction": {"question": 1}}, Answers(other=NOT_THEIRS)),
        "reply": ({"id": "c1", "kind": "result"}, Answers(other=NOT_THEIRS)),
    }  # fmt: skip


class World:
    """A network in which ada's agent runs a task, and eve has an agent too."""

    def __init__(self, up: Network, ada: Principal) -> None:
        self.up, self.ada = up, ada
        self.application = Application(up.engine)

    async def furnish(self) -> None:
        engine = self.up.engine
        user = User("usr_eve", "eve", Role.MEMBER, 0.0)
        await engine.store.users.add(user)
        secret = (await issue_key(engine, user, (Scope.EVERYTHING,), ""))[1]
        self.eve = await engine.access.authenticate(secret)
        for who in (self.ada, self.eve):
            await agents.create(who, self.application, "hello")
        agent = await engine.access.agent(self.ada.user, "hello")
        revoked = await tokens.issue(self.ada, self.application, "hello")
        await tokens.revoke(self.ada, self.application, revoked.id)
        self.shown = {
            "nobody": "", "key": secret, "revoked": revoked.token,
            "expired": await self.signed(agent, ends=-1), "narrow": await self.signed(agent, Scope.AGENT_CALL),
        }  # fmt: skip

    async def signed(self, agent: AgentRecord, *scopes: Scope, ends: int = 600) -> str:
        """Return a token as no use case makes it."""
        engine, now = self.up.engine, int(self.up.engine.clock())
        scopes = scopes or (Scope.AGENT_CONNECT,)
        record = Token(engine.ids("tok"), agent.id, "", now - 700, now + ends, scopes=scopes)
        await engine.store.tokens.add(record)
        claims = AgentClaims(record.id, agent.id, engine.network, "ada/hello", scopes, now - 700, now - 700, now + ends)
        return mint(engine.signing.ring, claims)

    def connect(self, token: str) -> connect:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return connect(self.up.addresses.router_url, additional_headers=headers, subprotocols=[SUBPROTOCOL])

    async def answer(self, who: str, kind: str, fields: dict[str, Any]) -> str:
        """Return what somebody is answered who says this."""
        if who == "other":
            # Anew: whoever comes back all the time with one is made to pause.
            self.shown[who] = (await tokens.issue(self.eve, self.application, "hello")).token
        try:
            async with self.connect(self.shown[who]) as connection:
                if who == "other" and kind != "hello":
                    await say(connection, "hello", **HELLO, instance={"id": f"ins_{kind}"})
                    await hear(connection, "welcome")
                await say(connection, kind, **fields)
                # The answer to this comes after whatever there is to say to that.
                return await next_answer(connection, kind)
        except InvalidStatus as refused:
            return refused.response.headers[ERROR_HEADER]
        except ConnectionClosed as closed:
            assert closed.rcvd is not None
            return str(msgspec.json.decode(closed.rcvd.reason)["code"])

    async def now(self, task_id: str) -> Task:
        found = await self.up.engine.store.tasks.get(task_id)
        assert found is not None
        return found


async def say(connection: ClientConnection, kind: str, /, **fields: Any) -> None:
    await connection.send(msgspec.json.encode({"type": kind, **fields}).decode())


async def hear(connection: ClientConnection, kind: str) -> dict[str, Any]:
    """Return the next message of this type."""
    while True:
        message: dict[str, Any] = msgspec.json.decode(await connection.recv())
        if message["type"] == kind:
            return message


async def next_answer(connection: ClientConnection, kind: str) -> str:
    if kind == "hello":
        (verdict,) = (await hear(connection, "welcome"))["attempts"]
        return "keep" if verdict["keep"] else "drop"
    if kind in ("accept", "refuse", "beat", "drain"):
        # Nothing answers these: what comes after them is answered as ever.
        await say(connection, "event", task="tsk_none", attempt=1, n=1, kind="progress", data={})
        await hear(connection, "event_ack")
        return ""
    message: dict[str, Any] = msgspec.json.decode(await connection.recv())
    return str(message["error"]["code"]) if message["type"] == "reply" else str(message["type"])


@asynccontextmanager
async def world(folder: Path) -> AsyncIterator[World]:
    settings = Settings(data_dir=folder, http_port=0, router_port=0, drain=0.0)
    async with asyncio.timeout(60), network(settings, debug_log()) as up:
        key = await machine.bootstrap(up.engine, "ada")
        made = World(up, await up.engine.access.authenticate(key))
        await made.furnish()
        yield made


async def test_every_message_is_answered_as_the_table_says_and_changes_nothing_of_anothers_task(tmp_path: Path) -> None:
    async with world(tmp_path) as on:
        mine = (await tokens.issue(on.ada, on.application, "hello")).token
        async with on.connect(mine) as agent:
            await say(agent, "hello", **HELLO, instance={"id": "ins_ada"})
            await hear(agent, "welcome")
            made, _ = await tasks.submit(on.ada, on.application, SubmitRequest("hello", "greet", Raw(b"{}")))
            await hear(agent, "task")
            await say(agent, "event", task=made.id, attempt=1, n=1, kind="log", data={"level": "info", "message": "m"})
            await hear(agent, "event_ack")
            before, wrong = await on.now(made.id), {}
            for kind, (fields, expected) in said(made.id).items():
                for who, answer in expected._asdict().items():
                    found = await on.answer(who, kind, fields)
                    if found != answer:
                        wrong[kind, who] = (found, answer)
                assert await on.now(made.id) == before, kind
            assert wrong == {}


def test_every_message_has_a_row() -> None:
    assert set(said("tsk_1")) == set(NAMES.values()), "a new message needs a row"
