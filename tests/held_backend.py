"""The backend behind a router under test: the real one, over a store of dictionaries, which a test may hold back.

What the router says passes here on its way to the real door. A test may let admissions wait (`admitting`), losses
(`losing`), and what is answered to reports (`storing`), or have all of it fail (`failing`); and it submits tasks
without callers, users and rights.
"""

from __future__ import annotations

import asyncio
import dataclasses
import secrets
from asyncio import Future
from collections.abc import Callable
from typing import Any

import msgspec
from msgspec.structs import replace

from agentic_atlas.auth import KeyRing, SigningKey
from agentic_atlas.backend.domain import lifecycle, records
from agentic_atlas.backend.domain.lifecycle import Change, assignment
from agentic_atlas.backend.domain.questions import Dialogue, TaskQuestion
from agentic_atlas.backend.domain.records import Payload, Role, Token, User
from agentic_atlas.backend.engine.access import failure
from agentic_atlas.backend.engine.engine import Engine, World
from agentic_atlas.backend.inside import RouterDoor
from agentic_atlas.backend.ports import Changed, Decide, FaultLog, Write
from agentic_atlas.backend.store.memory import MemoryAgents, MemoryStore, MemoryTasks
from agentic_atlas.bus.local import Bus
from agentic_atlas.errors import AtlasError
from agentic_atlas.protocol.inside.messages import (
    Absent,
    Arrived,
    Audit,
    Called,
    Congested,
    Deliver,
    Departed,
    FromRouter,
    Identity,
    InstanceRef,
    Lost,
    Renew,
    Reported,
    Revoke,
    TurnAway,
    Withdrawn,
)
from agentic_atlas.protocol.messages import (
    Answer,
    Delivery,
    Event,
    Outcome,
    Reaction,
    Result,
    RunningAttempt,
    SkillSpec,
)
from agentic_atlas.protocol.messages import Task as Assignment
from agentic_atlas.protocol.tasks import LEASED, Loss, TaskState
from agentic_atlas.router.router import Router
from tests.kept_lines import KeptLines

ADA = User("usr_ada", "ada", Role.ADMIN, 0.0)
NEVER = 4e9


class Record:
    """A task, with what its agent said of it."""

    def __init__(self, backend: HeldBackend, task_id: str) -> None:
        self.id = task_id
        self.events: list[Event] = []
        self.ended: Future[Result] = asyncio.get_running_loop().create_future()
        self._backend = backend

    @property
    def task(self) -> records.Task:
        """As it is stored."""
        return self._backend.store.tasks.now(self.id)

    @property
    def state(self) -> TaskState:
        return self.task.state

    @property
    def attempt(self) -> int:
        return self.task.attempt

    @property
    def last_n(self) -> int:
        return self.task.last_n

    @property
    def accepted(self) -> bool:
        return self.task.accepted_at is not None

    def is_held(self, instance_id: str, attempt: int) -> bool:
        """Tell whether this instance holds this attempt."""
        task = self.task
        return task.state in LEASED and (task.instance_id, task.attempt) == (instance_id, attempt)

    @property
    def answers(self) -> tuple[Reaction, ...]:
        return tuple(self.task.dialogue.reactions)

    def message(self) -> Assignment:
        """Return what delivers the current attempt."""
        return assignment(self.task)

    def heard(self, before: records.Task, said: Event | Result | object) -> None:
        """Keep what the agent said, when it counted."""
        if isinstance(said, Event) and self.task.last_n > before.last_n:
            self.events.append(said)
        if isinstance(said, Result) and self.task.terminal and not before.terminal:
            self.ended.set_result(said)


class HeldTasks(MemoryTasks):
    """Changes happen at once, and are told when the test lets them."""

    def __init__(self, store: MemoryStore) -> None:
        super().__init__(store.agents)
        self.failing: AtlasError | None = None
        self.holding = False
        self.told = asyncio.Event()
        self.told.set()
        self._held: list[tuple[Write[Any], Any]] = []

    def change(self, task_id: str, decide: Decide) -> Write[Changed]:
        """See the port."""
        if self.failing is None:
            return super().change(task_id, decide)
        failed: Write[Changed] = Write()
        failed.settle(self.failing)
        return failed

    def commit(self) -> None:
        """Tell of all changes that wait."""
        held, self._held = self._held, []
        for write, outcome in held:
            write.settle(outcome)

    def _settle(self, write: Write[Any], outcome: Any) -> None:
        if self.holding:
            self._held.append((write, outcome))
            write.loop.call_soon(self._tell)
        else:
            write.settle(outcome)

    def _tell(self) -> None:
        if self.told.is_set():
            self.commit()


class HeldAgents:
    """`ports.Agents`; instances that come back as they were are stored when the test lets them."""

    def __init__(self, agents: MemoryAgents) -> None:
        self.holding = False
        self._agents = agents
        self._held: list[tuple[records.Instance, Write[None]]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._agents, name)

    def come_back(self, instance: records.Instance) -> Write[None]:
        """See the port."""
        if not self.holding:
            return self._agents.come_back(instance)
        self._held.append((instance, Write()))
        return self._held[-1][1]

    async def commit(self) -> None:
        """Store what waits."""
        held, self._held, self.holding = self._held, [], False
        for instance, stored in held:
            stored.settle(await self._agents.come_back(instance))

    def fail(self, error: AtlasError) -> None:
        """What waits can't be stored."""
        held, self._held, self.holding = self._held, [], False
        for _, stored in held:
            stored.settle(error)


class HeldBackend:
    """Takes what a router says, as `RouterDoor` does; `run` is its life."""

    def __init__(self, router: Router, clock: Callable[[], float], log: FaultLog) -> None:
        self.router = router
        router.join(self.say)
        self.tasks: dict[str, Record] = {}
        self.revoked: set[str] = set()
        self.departures: list[InstanceRef] = []
        self.losses: list[tuple[str, int]] = []
        self.causes: list[Loss] = []
        self.absences: list[str] = []
        self.calls: list[Called] = []
        self.renewals: list[Renew] = []
        self.congestion: list[bool] = []
        self.admitting, self.losing = asyncio.Event(), asyncio.Event()
        self.admitting.set()
        self.losing.set()
        self.store = MemoryStore(lambda prefix: f"{prefix}_test")
        self._stored = HeldTasks(self.store)
        self.store.tasks = self._stored
        self.lines = KeptLines()
        self.returns: Any = HeldAgents(self.store.agents)
        self.store.agents = self.returns
        nothing: Any = None
        world = World(
            keys=KeyRing(SigningKey.generate(0.0)),
            clock=clock,
            monotonic=clock,
            ids=lambda prefix: f"{prefix}_{secrets.token_hex(8)}",
            entropy=secrets.token_bytes,
            log=log,
            bus=Bus(),
            schemas=_AnySchema(),
            backups=nothing,
            passwords=nothing,
        )
        kept: Any = self.lines
        self.engine = dataclasses.replace(Engine.over(self.store, router, "net_test", world), logs=kept)
        self.credit = self.engine.credit
        self._door = RouterDoor(self.engine, log)
        self._clock = clock
        self._agents: set[str] = set()
        self._arrivals: dict[int, asyncio.Task[None]] = {}
        self._running: set[asyncio.Task[None]] = set()

    @property
    def storing(self) -> asyncio.Event:
        """Set while reports are answered as soon as they are stored."""
        return self._stored.told

    @property
    def failing(self) -> AtlasError | None:
        """What every look and write fails with."""
        return self._stored.failing

    @failing.setter
    def failing(self, error: AtlasError | None) -> None:
        self._stored.failing = error

    @property
    def online(self) -> dict[str, int]:
        """Connected instances, with the generation of each."""
        usage = [one for agent_id in self._agents for one in self.credit.usage(agent_id)]
        return {one.instance_id: self.credit.instances.latest(one.instance_id) for one in usage}

    async def run(self) -> None:
        """Live until cancelled."""
        await self._door.run()

    # -- for a test

    def submit(self, agent_id: str, skill: str = "echo", payload: bytes = b"{}") -> Record:
        """Add a task and give it to an instance, now or later."""
        record = Record(self, f"task_{len(self.tasks) + 1}")
        self.tasks[record.id] = record
        change = lifecycle.submit(_task(record.id, agent_id, skill, payload, self._clock()))
        slot = self.engine.dispatcher.claims.slot_for(agent_id, skill)
        claim = None if slot is None else lifecycle.claim(change.task, slot.instance_id, self._clock())
        if claim is not None:
            change = Change(claim.task, change.events + claim.events)
        self.engine.dispatcher.census.expect(change.task)
        self.engine.dispatcher.add(change, slot)
        return record

    def take(self, record: Record, slot: InstanceRef) -> None:
        """Claim a waiting task for a slot."""
        self.engine.dispatcher.change(record.id, lambda task: lifecycle.claim(task, slot.instance_id, self._clock()))

    def deliver(self, slot: InstanceRef, record: Record) -> None:
        """Deliver a task to the slot that it was claimed for, or take it back from an instance that has left."""
        instance, task = self.credit.give(slot), record.task
        if instance is not None:
            self.router.say(Deliver(instance, assignment(task)))
        else:
            self.engine.dispatcher.change(record.id, lambda one: lifecycle.refuse(one, task.attempt, self._clock()))

    def cancel(self, record: Record, reason: str) -> None:
        """Ask for a task's end."""

        def settled(_: object) -> None:
            if record.task.terminal and not record.ended.done():
                record.ended.set_result(Result(record.id, record.attempt, Outcome.CANCELED))

        self.engine.dispatcher.cancel(record.id, reason).then(settled)

    def answer(self, record: Record, reaction: Reaction) -> None:
        """Answer a question of a task, also one that its agent did not ask."""
        now, dialogue, number = self._clock(), record.task.dialogue, reaction.question
        asked = dialogue.find(number)
        if asked is not None:
            value = bytes(reaction.data)
            self.engine.dispatcher.change(record.id, lambda task: lifecycle.answer(task, asked, value, "ada", now))
            return
        question = TaskQuestion(
            number, "?", now, answer=reaction.data, expired=reaction.expired, settled_at=now, answered_by="ada"
        )
        told = Dialogue((*dialogue.questions, question))
        self._stored.change(record.id, lambda task: Change(replace(task, dialogue=told)))
        self.router.say(Answer(record.id, record.attempt, reaction))

    def revoke(self, token_id: str) -> None:
        """Revoke a token."""
        self.revoked.add(token_id)
        self.router.say(Revoke((token_id,), "token_revoked"))

    def holds(self, task_id: str, attempt: int) -> bool:
        """Ask the router whether the attempt has a lease."""
        self.engine.monitor.unleased = ()
        self.router.say(Audit((RunningAttempt(task_id, attempt),)))
        return not self.engine.monitor.unleased

    def commit(self) -> None:
        """Answer all reports that wait."""
        self._stored.commit()

    # -- what the router says

    def say(self, message: FromRouter) -> None:
        """Hand on what the router says, now or when the test lets it."""
        if isinstance(message, Arrived):
            self._arrivals[message.number] = self._spawn(self.admit(message))
        elif isinstance(message, Withdrawn) and not self._arrivals[message.number].done():
            self._arrivals[message.number].cancel()
        elif isinstance(message, Lost):
            self._spawn(self._lose(message))
        elif isinstance(message, Reported):
            self._report(message)
        elif isinstance(message, Renew):
            self.renewals.append(message)
        else:
            self._note(message)
            self._door.say(message)

    def _note(self, message: FromRouter) -> None:
        match message:
            case Departed(expected=False):
                self.departures.append(message.instance)
            case Absent():
                self.absences.append(message.agent_id)
            case Called():
                self.calls.append(message)
            case Congested():
                self.congestion.append(message.congested)

    async def admit(self, said: Arrived) -> None:
        """Let whoever asks be registered: with any agent and token, and a skill of any name."""
        await self.admitting.wait()
        if self.failing is not None:
            self.router.say(TurnAway(said.number, failure(self.failing)))
            return
        await self._known(said.identity)
        skills = said.hello.skills or [SkillSpec(name, msgspec.Raw(b"{}")) for name in ("echo", "work")]
        self._door.say(replace(said, hello=replace(said.hello, skills=skills)))

    # -- inside

    def _spawn(self, work: Any) -> asyncio.Task[None]:
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task

    async def _known(self, identity: Identity) -> None:
        agent_id, token_id = identity.agent_id, identity.token_id
        self._agents.add(agent_id)
        if await self.store.users.get(ADA.id) is None:
            await self.store.users.add(ADA)
        if await self.store.agents.get(agent_id) is None:
            await self.store.agents.add(records.AgentRecord(agent_id, ADA.id, ADA.name, agent_id, 0.0))
        if await self.store.tokens.get(token_id) is None:
            await self.store.tokens.add(Token(token_id, agent_id, token_id, 0.0, NEVER))
        if token_id in self.revoked:
            await self.store.tokens.revoke(token_id, self._clock())
            self.engine.access.forget()

    def _report(self, said: Reported) -> None:
        record = self.tasks.get(said.report.task)
        before = None if record is None else record.task
        self._stored.holding = True
        self._door.say(said)
        self._stored.holding = False
        if record is not None and before is not None:
            record.heard(before, said.report)

    async def _lose(self, said: Lost) -> None:
        await self.losing.wait()
        if self.failing is None:
            self.losses.append((said.task, said.attempt))
            self.causes.append(said.why)
        self._door.say(said)


class _AnySchema:
    """Takes every schema and every value."""

    async def check(self, schema: bytes, value: Payload, *, what: str, name: str, whose: str) -> None: ...

    async def check_declared(self, schemas: object, whose: str) -> None: ...

    def check_question(self, schema: bytes, what: str) -> None: ...


def _task(task_id: str, agent_id: str, skill: str, payload: bytes, now: float) -> records.Task:
    return records.Task(
        id=task_id,
        agent_id=agent_id,
        agent=f"ada/{agent_id}",
        skill=skill,
        state=TaskState.SUBMITTED,
        input=payload,
        caller=records.CallerRef("user", ADA.id, ADA.id, ADA.name),
        owner_id=ADA.id,
        created_at=now,
        updated_at=now,
        trace="",
        delivery=Delivery.AT_LEAST_ONCE,
        max_attempts=1_000,
        retries=0,
        backoff=1.0,
        timeout=None,
        deadline=None,
        queue_expires_at=NEVER,
        position=float(task_id.removeprefix("task_")),
    )
