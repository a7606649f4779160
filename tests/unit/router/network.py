"""A router with a backend and agents in memory, and a clock that only the test moves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec

from agentic_atlas.protocol.closing import CloseReason, decode_reason
from agentic_atlas.protocol.inside.messages import Identity
from agentic_atlas.protocol.messages import (
    Accept,
    Beat,
    Hello,
    InstanceInfo,
    Limits,
    Message,
    Outcome,
    PauseReason,
    Predecessor,
    Result,
    RunningAttempt,
    Side,
    Task,
    Welcome,
)
from agentic_atlas.protocol.session import Session
from agentic_atlas.router.connection import Connection
from agentic_atlas.router.router import Router
from agentic_atlas.router.settings import RouterSettings
from tests.held_backend import HeldBackend

M = TypeVar("M", bound=Message)

NEVER = 4e9
SETTINGS = RouterSettings()
TURNS = 2_000


async def settle() -> None:
    """Let everything happen that can happen without time passing."""
    for _ in range(25):
        await asyncio.sleep(0)


async def until(condition: Callable[[], object]) -> None:
    """Wait for something that happens without time passing."""
    for _ in range(TURNS):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("this never happened")


class Clock:
    """Seconds, moved by the test."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.step = 0.0

    def __call__(self) -> float:
        """Return the time; with a `step`, everything takes some."""
        self.now += self.step
        return self.now


class Log:
    """Keeps what was logged."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str, dict[str, Any]]] = []

    def is_enabled_for(self, _level: int) -> bool:
        return False

    def info(self, event: str, **facts: Any) -> None:
        self.lines.append(("info", event, facts))

    def warning(self, event: str, **facts: Any) -> None:
        self.lines.append(("warning", event, facts))

    def error(self, event: str, **facts: Any) -> None:
        self.lines.append(("error", event, facts))

    def events(self) -> list[str]:
        return [event for _, event, _ in self.lines]


class Agent:
    """The agent's end of a connection; is its transport as well, without a socket between."""

    def __init__(self, agent_id: str, token_id: str, instance_id: str, *, lineage: str = "") -> None:
        self.identity = Identity(token_id, agent_id, NEVER, lineage=lineage)
        self.instance_id = instance_id
        self.session = Session(Side.AGENT)
        self.heard: list[Message] = []
        self.closed: tuple[int, CloseReason] | None = None
        self.backlog = 0
        self.looked_at = 0
        self.pings = 0
        self.answers_pings = True
        self.reading = True
        self.news = asyncio.Event()
        self.connection: Connection

    # -- `ports.Transport`

    def send(self, data: bytes) -> None:
        assert self.closed is None
        self.heard.append(self.session.receive(data))
        self.news.set()

    def ping(self) -> None:
        self.pings += 1
        if self.answers_pings:
            self.connection.ponged()

    def close(self, code: int, reason: bytes) -> None:
        assert self.closed is None
        self.closed = (code, decode_reason(reason))
        self.news.set()

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def buffered(self) -> int:
        self.looked_at += 1
        return self.backlog

    # -- for a test

    def connect(self, router: Router) -> Agent:
        self.connection = router.connect(self.identity, self)
        return self

    def say(self, message: Message) -> None:
        self.connection.received(self.session.send(message))

    def hello(
        self,
        concurrency: int = 1,
        running: list[RunningAttempt] | None = None,
        results: list[RunningAttempt] | None = None,
        predecessors: list[Predecessor] | None = None,
        pause: PauseReason | None = None,
    ) -> Agent:
        info = InstanceInfo(self.instance_id)
        hello = Hello(1, info, [], concurrency, running=running or [], results=results or [], pause=pause)
        self.say(msgspec.structs.replace(hello, predecessors=predecessors or []))
        return self

    async def welcome(self) -> Welcome:
        await until(lambda: self.all(Welcome) or self.closed)
        return self.all(Welcome)[0]

    async def hears_of_it(self) -> None:
        """Wait for what takes time: a message or the close."""
        self.news.clear()
        async with asyncio.timeout(5):
            await self.news.wait()

    def all(self, kind: type[M]) -> list[M]:
        return [message for message in self.heard if isinstance(message, kind)]

    def last(self, kind: type[M]) -> M:
        return self.all(kind)[-1]

    @property
    def tasks(self) -> list[Task]:
        return self.all(Task)

    def accept(self, task: Task) -> None:
        self.say(Accept(task.task, task.attempt))

    def complete(self, task: Task, output: bytes = b'"done"') -> None:
        self.say(Result(task.task, task.attempt, Outcome.COMPLETED, msgspec.Raw(output)))

    def beat(self, lag: float = 0.0) -> None:
        self.say(Beat(1, lag=lag))

    @property
    def code(self) -> int | None:
        return None if self.closed is None else self.closed[0]


@dataclass
class Network:
    """The parts, and time."""

    router: Router
    backend: HeldBackend
    clock: Clock
    wall: Clock
    log: Log
    ticks: asyncio.Queue[asyncio.Future[None]] = field(default_factory=asyncio.Queue)

    async def agent(
        self,
        agent_id: str = "agt",
        token_id: str = "tok",
        instance_id: str = "inst",
        concurrency: int = 1,
        pause: PauseReason | None = None,
    ) -> Agent:
        """Return an agent that was welcomed."""
        agent = Agent(agent_id, token_id, instance_id).connect(self.router).hello(concurrency, pause=pause)
        await agent.welcome()
        return agent

    async def again(self, agent: Agent, *running: Task, results: tuple[Task, ...] = ()) -> Agent:
        """Connect the same process again; it announces what it runs."""
        new = Agent(agent.identity.agent_id, agent.identity.token_id, agent.instance_id).connect(self.router)
        new.hello(running=[attempt(task) for task in running], results=[attempt(task) for task in results])
        await new.welcome()
        return new

    async def passes(self, seconds: float, *alive: Agent) -> None:
        """Let time pass, tick by tick; these agents beat meanwhile."""
        end = self.clock.now + seconds
        while self.clock.now < end:
            for agent in alive:
                agent.beat()
            await self.tick(self.router.context.settings.tick)

    async def tick(self, seconds: float) -> None:
        """Let the router's next tick come after so many seconds."""
        waiting = await self.ticks.get()
        self.clock.now += seconds
        self.wall.now += seconds
        waiting.set_result(None)
        await settle()

    async def sleep(self, _seconds: float) -> None:
        """What the router sleeps with."""
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.ticks.put_nowait(waiting)
        await waiting


def attempt(task: Task) -> RunningAttempt:
    return RunningAttempt(task.task, task.attempt)


@asynccontextmanager
async def network(settings: RouterSettings = SETTINGS, limits: Limits | None = None) -> AsyncIterator[Network]:
    """Run a router."""
    clock, wall, log = Clock(), Clock(), Log()
    sleeps: list[Callable[[float], Awaitable[None]]] = []

    async def sleep(seconds: float) -> None:
        await sleeps[0](seconds)

    router = Router(clock=clock, wall=wall, limits=limits or Limits(), settings=settings, log=log, sleep=sleep)
    backend = HeldBackend(router, clock, log)
    parts = Network(router, backend, clock, wall, log)
    sleeps.append(parts.sleep)
    async with asyncio.TaskGroup() as group:
        running = [group.create_task(life) for life in (router.run(), backend.run())]
        await settle()
        yield parts
        for life in running:
            life.cancel()
    assert not [line for line in log.lines if line[0] == "error"]
