"""The HTTP API over a real store, with a fleet in which instances can be put by hand."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import structlog

from agentic_atlas.api.app import create_app
from agentic_atlas.auth import load_or_create_ring, ring_files
from agentic_atlas.backend.archive.folder import BackupFolder
from agentic_atlas.backend.checker.process import PROGRAM, checking
from agentic_atlas.backend.checker.schemas import JsonSchemas
from agentic_atlas.backend.domain.records import Task
from agentic_atlas.backend.engine import instances
from agentic_atlas.backend.engine.engine import Engine, EngineSettings, World
from agentic_atlas.backend.ports import Clock, Slot, Usage
from agentic_atlas.backend.store.database import open_store
from agentic_atlas.backend.usecases import machine
from agentic_atlas.backend.usecases.application import Application
from agentic_atlas.bus.local import LocalBus
from agentic_atlas.compose.sources import SortableIds, python_environ, wall
from agentic_atlas.protocol import messages
from agentic_atlas.protocol.messages import Hello, InstanceInfo, Raw, Reaction, SkillSpec

GREET = SkillSpec(
    name="greet",
    description="Greet a person.",
    input_schema=Raw(
        b'{"type":"object","properties":{"name":{"type":"string"}},"required":["name"],"additionalProperties":false}'
    ),
)

JSON = {"Content-Type": "application/json"}
"""For bodies that are written by hand."""


@dataclass
class HandFleet:
    """Instances that are connected because a test says so, and what was delivered to them."""

    free_slots: dict[str, list[Slot]] = field(default_factory=dict)
    used: dict[str, list[Usage]] = field(default_factory=dict)
    unleased: set[tuple[str, int]] = field(default_factory=set)
    awaited: dict[tuple[str, int], float] = field(default_factory=dict)
    unnamed: list[tuple[str, int]] = field(default_factory=list)
    forgotten: list[tuple[Slot, int]] = field(default_factory=list)
    kept: list[tuple[str, float]] = field(default_factory=list)
    delivered: list[tuple[Slot, Task]] = field(default_factory=list)
    cancels: list[str] = field(default_factory=list)
    answers: list[tuple[str, Reaction]] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)
    readmitted: list[str] = field(default_factory=list)
    present: dict[str, int] = field(default_factory=dict)
    reserved: asyncio.Event = field(default_factory=asyncio.Event)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    def reserve(self, agent_id: str, among: Collection[str] | None = None) -> Slot | None:
        self.reserved.set()
        slots = [slot for slot in self.free_slots.get(agent_id, ()) if among is None or slot.instance_id in among]
        if not slots:
            return None
        self.free_slots[agent_id].remove(slots[-1])
        return slots[-1]

    def release(self, slot: Slot) -> None:
        self.free_slots.setdefault(slot.agent_id, []).append(slot)

    def deliver(self, slot: Slot, task: Task) -> None:
        self.delivered.append((slot, task))
        self.arrived.set()

    def cancel(self, task: Task) -> None:
        self.cancels.append(task.id)

    def answer(self, task: Task, reaction: Reaction) -> None:
        self.answers.append((task.id, reaction))

    def forget(self, task: Task) -> None:
        pass

    def disconnect_tokens(self, token_ids: Sequence[str], reason: str) -> None:
        self.closed += token_ids

    def disconnect_agent(self, agent_id: str, reason: str) -> None:
        self.closed.append(agent_id)

    def readmit_agent(self, agent_id: str) -> None:
        self.readmitted.append(agent_id)

    def online(self, agent_id: str) -> int:
        return self.present.get(agent_id, 0)

    def free(self, agent_id: str, among: Collection[str] | None = None) -> int:
        return sum(among is None or slot.instance_id in among for slot in self.free_slots.get(agent_id, ()))

    def usage(self, agent_id: str) -> Sequence[Usage]:
        return self.used.get(agent_id, ())

    def holds(self, task_id: str, attempt: int) -> bool:
        return (task_id, attempt) not in self.unleased

    def awaits(self, task_id: str, attempt: int) -> float | None:
        return self.awaited.get((task_id, attempt))

    def adopt(self, task_id: str, attempt: int, instance_id: str) -> None:
        self.unleased.discard((task_id, attempt))

    def reservations(self) -> list[tuple[Slot, int]]:
        return self.forgotten

    def heard(self) -> dict[str, float]:
        return {agent_id: min(one.silent for one in used) for agent_id, used in self.used.items()}

    def unheard(self) -> Sequence[tuple[str, int]]:
        return self.unnamed

    def abandon(self, task_id: str, attempt: int) -> None:
        self.unnamed.remove((task_id, attempt))

    def oldest_results(self) -> Sequence[tuple[str, float]]:
        return self.kept


@dataclass
class Api:
    """The API, its engine, and clients for it."""

    engine: Engine
    fleet: HandFleet
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

    async def connect(
        self, owner: httpx.AsyncClient, name: str, *skills: SkillSpec, instance: str = "ins_1", slots: int = 0
    ) -> str:
        """Register an instance of an agent, as the router would after `hello`; return the agent's id."""
        token = (await owner.post(f"/api/v1/agents/{name}/tokens", json={})).json()
        record = await self.engine.store.tokens.get(token["id"])
        assert record is not None
        hello = Hello(protocol=1, instance=InstanceInfo(id=instance), skills=list(skills), concurrency=4)
        admitted = await instances.admit(self.engine, token["id"], record.agent_id, hello, self.engine.clock())
        self.fleet.present[record.agent_id] = 1
        for _ in range(slots):
            self.fleet.release(Slot(record.agent_id, instance, admitted.generation))
        self.engine.dispatcher.claims.freed(record.agent_id)
        return record.agent_id

    async def called_by(self, parent: str) -> str:
        """Return the id of the task that this one called, once there is one."""
        async with asyncio.timeout(10.0):
            while True:
                found = (await self.admin.get("/api/v1/tasks", params={"parent": parent})).json()["items"]
                waiting = [task["id"] for task in found if task["state"] == "submitted"]
                if waiting:
                    return str(waiting[0])

    async def report(self, *said: messages.Message, instance: str = "ins_1") -> list[instances.Stored]:
        """Say what an instance says of its attempts, in this order."""
        futures = [instances.report(self.engine, instance, message) for message in said]
        return [await future for future in futures]


@asynccontextmanager
async def api(
    folder: Path,
    settings: EngineSettings | None = None,
    clock: Clock = wall,
    *,
    database: Path | None = None,
    checker: Sequence[str] = PROGRAM,
) -> AsyncIterator[Api]:
    """Run the API, with its store in memory unless there is a file for it."""
    ids, fleet = SortableIds(), HandFleet()
    async with (
        open_store(database, clock=wall, ids=ids) as store,
        checking(python_environ(), checker) as apart,
    ):
        network = await store.network_id()
        world = World(
            keys=load_or_create_ring(folder / "keys", wall()),
            clock=clock,
            ids=ids,
            entropy=secrets.token_bytes,
            log=structlog.get_logger(),
            bus=LocalBus(),
            schemas=JsonSchemas(apart),
            backups=BackupFolder(
                folder / "backups",
                network=network,
                copy=store.copy,
                keys=lambda: ring_files(folder / "keys"),
                clock=wall,
            ),
        )
        engine = Engine.over(store, fleet, network, world, settings)
        issued = await machine.bootstrap(engine, "admin")
        transport = httpx.ASGITransport(create_app(Application(engine)), raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://atlas", headers=JSON) as anonymous:
            running = Api(engine, fleet, anonymous, anonymous)
            if issued is not None:  # else the file has users already
                running.admin = running.with_key(issued.secret)
            yield running


def client_of(client: httpx.AsyncClient) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=client._transport, base_url="http://atlas", headers=JSON)
