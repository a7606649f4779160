"""The HTTP API over a real store, with a router that says what a test has it say."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import httpx

from agentic_atlas.api.app import create_app
from agentic_atlas.auth import load_or_create_ring, ring_files
from agentic_atlas.auth.hosts import Hosts
from agentic_atlas.backend.archive.folder import BackupFolder
from agentic_atlas.backend.checker.process import PROGRAM, checking
from agentic_atlas.backend.checker.schemas import JsonSchemas
from agentic_atlas.backend.engine.engine import Engine, EngineSettings, World
from agentic_atlas.backend.inside import RouterDoor
from agentic_atlas.backend.ports import Clock
from agentic_atlas.backend.store.database import open_store
from agentic_atlas.backend.store.logs import open_logs
from agentic_atlas.backend.usecases import calls, machine
from agentic_atlas.backend.usecases.application import Application
from agentic_atlas.bus.local import Bus
from agentic_atlas.compose.hashing import Argon2Passwords
from agentic_atlas.compose.keys import KeyFolder
from agentic_atlas.compose.server import RunningServer
from agentic_atlas.compose.sources import SortableIds, pacer, python_environ, wall
from agentic_atlas.http.whereabouts import Whereabouts
from agentic_atlas.platform import app as platform
from agentic_atlas.protocol import messages
from agentic_atlas.protocol.inside.messages import (
    Abandon,
    Admit,
    Adopt,
    Arrived,
    Audit,
    Called,
    Credit,
    Deliver,
    Departed,
    FromRouter,
    Identity,
    InstanceRef,
    Lost,
    Readmit,
    Receipt,
    Reported,
    Revoke,
    ShutOut,
    ToRouter,
    TurnAway,
    Unleased,
)
from agentic_atlas.protocol.messages import Answer, Call, Cancel, Hello, InstanceInfo, Raw, Reaction, SkillSpec
from agentic_atlas.protocol.tasks import Holdup, Loss
from agentic_atlas.settings import Settings
from tests.debug_log import debug_log
from tests.in_process import InProcess

GREET = SkillSpec(
    name="greet",
    description="Greet a person.",
    input_schema=Raw(
        b'{"type":"object","properties":{"name":{"type":"string"}},"required":["name"],"additionalProperties":false}'
    ),
)

NEVER = 4e9
JSON = {"Content-Type": "application/json"}
"""For bodies that are written by hand."""


@dataclass
class Ahead:
    """A clock that can be put forward."""

    clock: Clock
    seconds: float = 0.0

    def __call__(self) -> float:
        return self.clock() + self.seconds


class HandRouter:
    """A router that says what a test has it say, and keeps what it is told (`backend.ports.Router`).

    Attributes:
        door: what it says things to; set once.
        there: the connected instances, by their id; `known` has those that have left as well.
        delivered: each task with the connection that it was for.
        arrived: set when one is delivered.
    """

    door: RouterDoor

    def __init__(self) -> None:
        self.there: dict[str, InstanceRef] = {}
        self.known: dict[str, InstanceRef] = {}
        self.unleased: set[tuple[str, int]] = set()
        self.abandoned: list[tuple[str, int]] = []
        self.delivered: list[tuple[InstanceRef, messages.Task]] = []
        self.cancels: list[str] = []
        self.answers: list[tuple[str, Reaction]] = []
        self.closed: list[str] = []
        self.readmitted: list[str] = []
        self.arrived = asyncio.Event()
        self._granted: dict[InstanceRef, tuple[int, int]] = {}
        self._asked: dict[int, asyncio.Future[Any]] = {}
        self._numbers = count(1)

    def say(self, message: ToRouter) -> None:
        match message:
            case Deliver():
                self.delivered.append((message.instance, message.task))
                self.arrived.set()
            case Cancel():
                self.cancels.append(message.task)
            case Answer():
                self.answers.append((message.task, message.reaction))
            case Revoke():
                self.closed += message.token_ids
            case ShutOut():
                self.closed.append(message.agent_id)
            case Readmit():
                self.readmitted.append(message.agent_id)
            case _:
                self._answer(message)

    def _answer(self, message: ToRouter) -> None:
        match message:
            case Admit() | TurnAway() | Receipt():
                self._asked.pop(message.to).set_result(message)
            case Audit():
                asked = [one for one in message.attempts if (one.task, one.attempt) in self.unleased]
                self.door.say(Unleased(tuple(asked)))
            case Adopt():
                self.unleased.discard((message.task, message.attempt))
            case Abandon():
                self.abandoned.append((message.task, message.attempt))

    # -- what it says

    async def arrive(self, identity: Identity, hello: Hello) -> Admit | TurnAway:
        """A connection says `hello`."""
        return await self._ask(lambda number: Arrived(number, identity, hello))  # type: ignore[no-any-return]

    def begin(self, instance: InstanceRef, slots: int) -> None:
        """The instance is there, and so many of its slots are free."""
        self.there[instance.instance_id] = self.known[instance.instance_id] = instance
        self.grant(instance.instance_id, slots, slots=max(1, slots))

    async def report(self, instance: str, *said: messages.Report) -> list[Receipt]:
        """Say what an instance says of its attempts, in this order."""
        ref = self.known.get(instance) or InstanceRef("agt_of_nobody", instance, 1)
        asked = [self._ask(lambda number, report=report: Reported(number, ref, report)) for report in said]
        return [await one for one in asked]

    async def lose(self, task: str, attempt: int, why: Loss = Loss.CUT) -> None:
        """The attempt's lease has run out."""
        await self._ask(lambda number: Lost(number, task, attempt, why))

    def grant(self, instance: str, more: int = 1, *, slots: int = 1, holdup: Holdup | None = None) -> None:
        """The instance has room for so many more tasks."""
        ref = self.there[instance]
        before, granted = self._granted.get(ref, (slots, 0))
        self._granted[ref] = max(before, slots), granted + more
        self.door.say(Credit(ref, *self._granted[ref], holdup))

    def leave(self, instance: str, *, silent: float = 0.0, grace: float = 30.0) -> None:
        """The instance's connection has ended."""
        self.door.say(Departed(self.there.pop(instance), silent, grace))

    def leave_all(self, agent_id: str) -> None:
        """The agent goes offline."""
        for ref in [one for one in self.there.values() if one.agent_id == agent_id]:
            self.leave(ref.instance_id)

    def _ask(self, say: Callable[[int], FromRouter]) -> asyncio.Future[Any]:
        number = next(self._numbers)
        answer = self._asked[number] = asyncio.get_running_loop().create_future()
        self.door.say(say(number))
        return answer


@dataclass
class Api:
    """The API, its engine, and clients for it."""

    engine: Engine
    router: HandRouter
    monotonic: Ahead
    admin: httpx.AsyncClient
    anonymous: httpx.AsyncClient

    async def member(self, name: str) -> httpx.AsyncClient:
        """Make a user, and return a client with a key of theirs."""
        made = await self.admin.post("/api/v1/users", json={"name": name})
        assert made.status_code == 201, made.text
        key = await self.admin.post("/api/v1/api-keys", json={"user": name})
        return self.with_key(key.json()["key"])

    def with_key(self, key: str) -> httpx.AsyncClient:
        client = client_of(self.anonymous)
        client.headers["Authorization"] = f"Bearer {key}"
        return client

    def shown(self, token_id: str, agent_id: str) -> Identity:
        """Return who somebody is who shows a token that was signed with the key that signs now."""
        return Identity(token_id, agent_id, NEVER, self.engine.clock(), key_id=self.engine.signing.ring.active.kid)

    async def connect(
        self, owner: httpx.AsyncClient, name: str, *skills: SkillSpec, instance: str = "ins_1", slots: int = 0
    ) -> str:
        """Register an instance of an agent, as the router would after `hello`; return the agent's id."""
        token = (await owner.post(f"/api/v1/agents/{name}/tokens", json={})).json()
        record = await self.engine.store.tokens.get(token["id"])
        assert record is not None
        hello = Hello(protocol=1, instance=InstanceInfo(id=instance), skills=list(skills), concurrency=4)
        admit = await self.router.arrive(self.shown(token["id"], record.agent_id), hello)
        assert isinstance(admit, Admit), admit
        self.router.begin(admit.instance, slots)
        return record.agent_id

    async def leave(self, instance: str, *, silent: float = 0.0) -> None:
        """End the instance's connection; return when that is stored."""
        before = asyncio.all_tasks()
        self.router.leave(instance, silent=silent)
        await asyncio.gather(*(asyncio.all_tasks() - before))

    async def call(self, asked: Call, replies: Any, instance: str = "ins_1") -> None:
        """Have an instance call another agent."""
        who = await self.engine.access.connected(instance)
        await calls.call(who, Application(self.engine), Called(self.router.known[instance], asked), replies)

    async def called_by(self, parent: str) -> str:
        """Return the id of the task that this one called, once there is one."""
        async with asyncio.timeout(10.0):
            while True:
                found = (await self.admin.get("/api/v1/tasks", params={"parent": parent})).json()["items"]
                waiting = [task["id"] for task in found if task["state"] == "submitted"]
                if waiting:
                    return str(waiting[0])

    async def report(self, *said: messages.Report, instance: str = "ins_1") -> list[Receipt]:
        """Say what an instance says of its attempts, in this order."""
        return await self.router.report(instance, *said)


@asynccontextmanager
async def cheap() -> AsyncIterator[Argon2Passwords]:
    """Give what hashes passwords, with as little work as can be."""
    passwords = Argon2Passwords(memory=8, passes=1)
    try:
        yield passwords
    finally:
        passwords.close()


@asynccontextmanager
async def api(
    folder: Path,
    settings: EngineSettings | None = None,
    clock: Clock = wall,
    *,
    database: Path | None = None,
    checker: Sequence[str] = PROGRAM,
    public_url: str = "",
) -> AsyncIterator[Api]:
    """Run the API, with its store in memory unless there is a file for it."""
    ids, router, monotonic = SortableIds(), HandRouter(), Ahead(clock)
    async with (
        open_store(database, clock=wall, ids=ids) as store,
        open_logs(folder / "logs.sqlite3") as lines,
        checking(python_environ(), checker) as apart,
        cheap() as passwords,
    ):
        network = await store.network_id()
        world = World(
            keys=load_or_create_ring(folder / "keys", wall()),
            key_store=KeyFolder(folder / "keys"),
            clock=clock,
            monotonic=monotonic,
            ids=ids,
            entropy=secrets.token_bytes,
            log=debug_log(),
            bus=Bus(),
            schemas=JsonSchemas(apart),
            passwords=passwords,
            pacer=pacer,
            backups=BackupFolder(
                folder / "backups",
                network=network,
                copy=store.copy,
                keys=lambda: ring_files(folder / "keys"),
                head=dict,
                clock=wall,
            ),
            server=RunningServer(Settings(data_dir=folder), None, clock),
            logs=lines,
        )
        engine = Engine.over(store, router, network, world, settings)
        router.door = RouterDoor(engine, world.log)
        key = await machine.bootstrap(engine, "admin")
        transport = InProcess(
            create_app(
                Application(engine), Whereabouts(public_url), Hosts([public_url]), platform.ROUTES, platform.refusal
            )
        )
        async with (
            asyncio.TaskGroup() as group,
            httpx.AsyncClient(transport=transport, base_url="http://atlas", headers=JSON) as anonymous,
        ):
            door = group.create_task(router.door.run())
            await asyncio.sleep(0)
            running = Api(engine, router, monotonic, anonymous, anonymous)
            if key is not None:  # else the file has users already
                running.admin = running.with_key(key)
            yield running
            door.cancel()


def client_of(client: httpx.AsyncClient) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=client._transport, base_url="http://atlas", headers=JSON)
