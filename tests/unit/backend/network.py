"""A network without sockets, disk or time of its own: the real engine over a store of dictionaries.

A test says what routers say (`hears`) and sees what they are told (`router`), sets the clock, and may have the store
fail for a while (`store.tasks.failing`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import count
from random import Random
from typing import Any, TypeVar

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agentic_atlas.auth import AGENT_SCOPES, KeyRing, SigningKey
from agentic_atlas.backend.checker.schemas import JsonSchemas
from agentic_atlas.backend.domain.records import AgentRecord, ApiKey, Role, SkillRecord, Submitted, Task, User
from agentic_atlas.backend.engine import submission
from agentic_atlas.backend.engine.engine import Engine, EngineSettings, World
from agentic_atlas.backend.inside import RouterDoor
from agentic_atlas.backend.ports import LogStore
from agentic_atlas.backend.rights import AgentToken, Principal
from agentic_atlas.backend.store.memory import MemoryStore
from agentic_atlas.backend.usecases.application import Application
from agentic_atlas.bus.local import Bus
from agentic_atlas.errors import AtlasError
from agentic_atlas.protocol.caller.backups import BackupInfo
from agentic_atlas.protocol.caller.tasks import SubmitRequest
from agentic_atlas.protocol.inside.messages import (
    Credit,
    Deliver,
    Departed,
    FromRouter,
    InstanceRef,
    Reported,
    ToRouter,
)
from agentic_atlas.protocol.messages import Accept, Event, EventKind, Outcome, Policy, Question, Raw, Report, Result
from agentic_atlas.protocol.tasks import Holdup
from tests.held_backend import HeldTasks
from tests.unit.sdk.memory_log import MemoryLog

T = TypeVar("T")

NOW = 1_000_000.0
GRACE = 30.0
TEXT = b'{"type":"object","properties":{"text":{"type":"string"}}}'
"""The schema of what the skills here take."""


class Clock:
    """Stands still unless a test moves it."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


class Told:
    """Implements `ports.RouterPort`: remembers what it is told."""

    def __init__(self) -> None:
        self.told: list[ToRouter] = []

    def say(self, message: ToRouter) -> None:
        self.told.append(message)

    def all(self, kind: type[T]) -> list[T]:
        """Return what it was told of this kind."""
        return [message for message in self.told if isinstance(message, kind)]


class KeyShelf:
    """Implements `ports.KeyStore`: keeps the last ring; it fails while there is an error in `why`."""

    def __init__(self) -> None:
        self.saved: list[KeyRing] = []
        self.why: AtlasError | None = None

    def new(self, now: float) -> SigningKey:
        return SigningKey.generate(now)

    async def save(self, ring: KeyRing, now: float) -> None:
        if self.why is not None:
            raise self.why
        self.saved.append(ring)


class Shelf:
    """Implements `ports.Backups`: keeps none but their names."""

    def __init__(self) -> None:
        self.kept: list[BackupInfo] = []

    async def make(self) -> BackupInfo:
        name = f"backup-{len(self.kept)}"
        at = datetime.fromtimestamp(NOW, UTC)
        self.kept.insert(0, BackupInfo(name=name, path=f"/backups/{name}", size=1, made_at=at, sha256=None))
        return self.kept[0]

    async def find(self) -> list[BackupInfo]:
        return list(self.kept)


class Plain:
    """Implements `backend.accounts.Passwords` in no time, and so that a test reads what is kept."""

    def __init__(self) -> None:
        self.rounds = 1
        self.checked = 0

    async def hash(self, password: str) -> str:
        return f"{self.rounds}:{password[::-1]}"

    async def check(self, password: str, kept: str, *, known: bool) -> tuple[bool, str | None]:
        self.checked += 1
        rounds, _, backwards = kept.partition(":")
        if not kept or backwards != password[::-1]:
            return False, None
        return True, None if rounds == str(self.rounds) else await self.hash(password)


class Network:
    """An engine with what a test needs to set it going; `before` is one whose process has ended."""

    def __init__(
        self, settings: EngineSettings | None = None, *, before: Network | None = None, logs: LogStore | None = None
    ) -> None:
        self._numbers = before._numbers if before else count(1)
        self.keys = KeyShelf()
        self.clock, self.router, self.log, self.shelf = Clock(), Told(), MemoryLog(), Shelf()
        self.passwords = Plain()
        self.store = before.store if before else MemoryStore(self.id)
        self.tasks = before.tasks if before else HeldTasks(self.store)
        self.store.tasks = self.tasks
        apart: Any = None  # No schema here is so dear that it is checked in another process.
        world = World(
            keys=before.engine.signing.ring if before else KeyRing(SigningKey(Ed25519PrivateKey.generate(), int(NOW))),
            clock=self.clock,
            monotonic=self.clock,
            ids=self.id,
            entropy=Random(7).randbytes,
            log=self.log,
            bus=Bus(),
            schemas=JsonSchemas(apart),
            backups=self.shelf,
            key_store=self.keys,
            passwords=self.passwords,
            logs=logs,
            # Whoever asks for more at once than there may be in a second waits for one.
            pacer=lambda most: lambda _, times: float(times > most),
        )
        self.engine = Engine.over(self.store, self.router, "net_1", world, settings)
        self.application = Application(self.engine)
        self._door = RouterDoor(self.engine, self.log)

    def id(self, prefix: str) -> str:
        """Return a new id; they sort by when they were made."""
        return f"{prefix}_{next(self._numbers):06}"

    async def user(self, name: str = "ada", role: Role = Role.MEMBER) -> Principal:
        """Return a new user, known by an API key that is good for everything."""
        user = User(self.id("usr"), name, role, NOW)
        key = ApiKey(self.id("key"), user.id, "laptop", name.encode(), NOW)
        await self.store.users.add(user)
        await self.store.users.add_key(key)
        return Principal(user, key, key.scopes)

    async def agent(
        self,
        owner: Principal,
        name: str = "hello",
        skills: Sequence[str] = ("greet",),
        *,
        schema: bytes = TEXT,
        policy: Policy | None = None,
    ) -> AgentRecord:
        """Return a new agent that has declared these skills; nobody is connected for it."""
        agent = AgentRecord(self.id("agt"), owner.user.id, owner.user.name, name, NOW)
        await self.store.agents.add(agent)
        await self.store.agents.declare(agent.id, [skill(agent.id, one, schema, policy) for one in skills])
        return agent

    def hears(self, said: FromRouter) -> None:
        """A router says something."""
        self._door.say(said)

    def comes(self, agent: AgentRecord, slots: int = 1, instance: str = "ins_1", generation: int = 1) -> InstanceRef:
        """An instance of the agent is connected, and has so many free slots."""
        ref = InstanceRef(agent.id, instance, generation)
        self.hears(Credit(ref, slots, slots))
        return ref

    def drains(self, ref: InstanceRef) -> None:
        """The instance is about to end, and has left."""
        self.hears(Credit(ref, 1, 1, Holdup.DRAINING))
        self.leaves(ref)

    def leaves(self, ref: InstanceRef, grace: float = GRACE) -> None:
        """The instance's connection has ended."""
        self.hears(Departed(ref, 0.0, grace, expected=True))

    async def submit(self, who: Principal, ask: SubmitRequest | None = None, **more: Any) -> Submitted:
        """Submit a task for the agent `hello`, or what is asked for."""
        return await submission.submit(self.engine, who, ask or wanted(), **more)

    async def held(self, who: Principal, agent: AgentRecord, ask: SubmitRequest | None = None) -> Task:
        """Return a task of the agent's that an instance has begun."""
        ref = self.comes(agent)
        task = (await self.submit(who, ask)).task
        await self.says(ref, Accept(task.id, 1))
        return self.now(task.id)

    async def asking(self, who: Principal, agent: AgentRecord, *questions: Question) -> Task:
        """Return a task of the agent's that asks these questions."""
        task = await self.held(who, agent)
        for n, question in enumerate(questions or (Question(1, "Sure?"),), 1):
            data = Raw(msgspec.json.encode(question))
            await self.says(InstanceRef(agent.id, "ins_1", 1), Event(task.id, 1, n, EventKind.QUESTION, data))
        return self.now(task.id)

    async def ends(self, task: Task, output: bytes = b'"done"') -> Task:
        """Return the task after its instance has completed it."""
        ref = InstanceRef(task.agent_id, task.instance_id or "", 1)
        await self.says(ref, Result(task.id, task.attempt, Outcome.COMPLETED, output=Raw(output)))
        return self.now(task.id)

    async def says(self, ref: InstanceRef, report: Report) -> None:
        """An instance reports; return when that is stored."""
        self.hears(Reported(1, ref, report))
        await settle()

    @contextmanager
    def storing(self) -> Iterator[None]:
        """Nobody learns before the end of the block what became of a write that is asked for in it."""
        self.tasks.holding = True
        self.tasks.told.clear()
        try:
            yield
        finally:
            self.tasks.holding = False
            self.tasks.told.set()
            self.tasks.commit()

    def now(self, task_id: str) -> Task:
        """Return a task as it is stored."""
        return self.tasks.now(task_id)

    def delivered(self) -> list[tuple[str, int]]:
        """Return which attempts went to an instance."""
        return [(one.task.task, one.task.attempt) for one in self.router.all(Deliver)]


def wanted(agent: str = "hello", skill: str = "greet", text: bytes = b'{"text":"hi"}', **options: Any) -> SubmitRequest:
    """Return a request."""
    return SubmitRequest(agent, skill, Raw(text), **options)


def skill(agent_id: str, name: str = "greet", schema: bytes = TEXT, policy: Policy | None = None) -> SkillRecord:
    """Return a skill as an agent has declared it."""
    return SkillRecord(agent_id, name, "", schema, b"null", policy or Policy(), streams=False, updated_at=NOW)


def as_agent(owner: Principal, agent: AgentRecord, token_id: str = "tok_1") -> Principal:
    """Return the principal that an instance of the agent is."""
    return Principal(owner.user, AgentToken(token_id, agent.id, agent.full_name), AGENT_SCOPES)


async def settle(turns: int = 20) -> None:
    """Let what is under way go on until it waits for something from outside."""
    for _ in range(turns):
        await asyncio.sleep(0)


async def until(condition: Callable[[], object]) -> None:
    """Return when the condition holds, which takes some turns of the loop at the most."""
    for _ in range(100_000):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("this never happened")
