"""A connection in memory: what the agent sends arrives at a router's end, which says what the test tells it to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from msgspec import Raw

from agentic_atlas.protocol.messages import (
    Beat,
    Caller,
    Hello,
    InstanceInfo,
    Limits,
    Message,
    PauseReason,
    Side,
    Task,
    Welcome,
)
from agentic_atlas.protocol.session import Session
from agentic_atlas.sdk.ledger.ledger import Ledger
from agentic_atlas.sdk.link.session import AgentSession, Backlog, Vitals
from agentic_atlas.sdk.link.settings import Timeouts
from agentic_atlas.transport.receiver import Closed

BASE = Hello(1, InstanceInfo("i1"), [], 4)
BEAT = 10.0
MOST_HANDED = 1_000_000

M = TypeVar("M")


class RouterEnd:
    """Implements `session.AgentSocket`; the router's part in the handshake is the test's.

    Attributes:
        heard: what the agent said and was not asked for yet.
        waiting: bytes that have not left the machine.
        reading: the agent takes what comes.
        given_up: why the agent ended it without a word.
    """

    def __init__(self) -> None:
        self.paused = False
        self.heard: list[Message] = []
        self.waiting = 0
        self.reading = True
        self.limits = Limits()
        self.given_up: str | None = None
        self.over: asyncio.Future[Closed] | None = None
        self._session = Session(Side.ROUTER)
        self._agent: AgentSession | None = None

    def connect(self, agent: AgentSession) -> None:
        self._agent = agent

    # -- what the agent does

    def limit(self, limits: Limits) -> None:
        self.limits = limits

    def send(self, data: bytes) -> None:
        self.heard.append(self._session.receive(data))

    def close(self, code: int, reason: bytes = b"", *, why: str = "") -> None:
        self.end(Closed(code, reason, ours=True, why=why))

    def abort(self, why: str) -> None:
        self.given_up = self.given_up or why
        self.end(Closed(1006, ours=True, why=why))

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def buffered(self) -> int:
        return self.waiting

    async def ended(self) -> Closed:
        self.over = asyncio.get_running_loop().create_future()
        return await self.over

    # -- what the router does

    def end(self, closed: Closed) -> None:
        if self.over is not None and not self.over.done():
            self.over.set_result(closed)

    def say(self, message: Message) -> None:
        assert self._agent is not None
        self._agent.received(self._session.send(message))

    def welcome(self, **more: Any) -> None:
        given = {"limits": Limits(), "beat_every": BEAT, "grace": 30.0, "now": 1_000.0} | more
        self.say(Welcome("worker", "ada", "i1", 1, **given))

    def take(self, kind: type[M]) -> M:
        """Return the first message, which is of this kind."""
        message = self.heard.pop(0)
        assert isinstance(message, kind), message
        return message

    def answer(self) -> int:
        """Answer the beats that were heard; return the number of the last."""
        beats = [message for message in self.heard if isinstance(message, Beat)]
        self.heard = [message for message in self.heard if not isinstance(message, Beat)]
        for beat in beats:
            self.say(Beat(beat.n))
        return beats[-1].n


class Runner:
    """Implements `ports.Inbox`, and remembers."""

    def __init__(self) -> None:
        self.told: list[object] = []

    def deliver(self, message: Message) -> None:
        self.told.append(message)

    def drop(self, task: str, attempt: int) -> None:
        self.told.append(("drop", task, attempt))

    def acknowledged(self, task: str, attempt: int, pending: int) -> None:
        self.told.append(("room", task, attempt, pending))

    def connected(self, welcome: Welcome) -> None:
        self.told.append(welcome)

    def ended(self, error: object) -> None:
        self.told.append(("ended", error))

    def attempts(self) -> list[tuple[str, int]]:
        return [("t1", 1)]

    def ping(self, token: object) -> None:
        raise AssertionError("nobody asks the loop here")


class Agent:
    """A session with its ledger, on a clock that only the test moves."""

    def __init__(
        self,
        clock: Callable[[], float] | None = None,
        welcomed: Callable[[Welcome], None] | None = None,
        pause: PauseReason | None = None,
    ) -> None:
        self.now = 100.0
        self.ledger = Ledger(clock=clock or self.clock)
        self.runner = Runner()
        self.backlog = Backlog(most=MOST_HANDED)
        self.welcomed: list[Welcome] = []
        self.session = AgentSession(
            self.ledger,
            self.runner,
            timeouts=Timeouts(),
            clock=clock or self.clock,
            welcomed=welcomed or self.welcomed.append,
            backlog=self.backlog,
            vitals=lambda: Vitals(0.25, 12.5, 1_000, pause),
        )

    def clock(self) -> float:
        return self.now

    def pass_time(self, seconds: float) -> None:
        """Let so many seconds pass, with a look every half second."""
        for _ in range(round(seconds * 2)):
            self.now += 0.5
            self.session.tick()


def connected(**more: Any) -> tuple[Agent, RouterEnd]:
    """Return an agent that was let in and whose first beat was answered."""
    agent, router = Agent(), RouterEnd()
    router.connect(agent.session)
    agent.session.begin(router, BASE)
    router.take(Hello)
    router.welcome(**more)
    router.answer()
    return agent, router


def task(name: str = "t1") -> Task:
    return Task(name, 1, "work", Raw(b"{}"), Caller("user", "u1"), "00-0-0-00", 1_000.0)
