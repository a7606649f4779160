"""An agent that speaks the wire by hand: no SDK, no ledger, so it can say anything twice, late or in the wrong place.

By itself it beats and counts; what it does with tasks is the test's.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus
from secrets import token_hex
from urllib.parse import urlsplit

import msgspec
from websockets.exceptions import ConnectionClosed, InvalidStatus

from agentic_atlas.protocol.messages import (
    NULL,
    Accept,
    Beat,
    Cancel,
    Event,
    EventAck,
    EventKind,
    Fault,
    Message,
    Outcome,
    Policy,
    Refuse,
    RefuseReason,
    Result,
    ResultAck,
    RunningAttempt,
    SkillSpec,
    Task,
)
from tests.e2e.processes import Platform
from tests.integration.router.doors import Agent, dial

ANY_OBJECT = msgspec.Raw(b'{"type":"object"}')
BEAT_EVERY = 2.0

Held = Task | RunningAttempt | Cancel
"""What names an attempt."""

Handler = Callable[["WireAgent", Message], Awaitable[None] | None]


class WireAgent(Agent):
    """A registered connection.

    Attributes:
        acknowledged: for each (task, attempt), how often a result was acknowledged as recorded and as not recorded.
        events_stored: for each (task, attempt), the last event that was acknowledged.
    """

    acknowledged: Counter[tuple[str, int, bool]]
    heard: asyncio.Event
    events_stored: dict[tuple[str, int], int]

    async def welcome(
        self,
        concurrency: int = 1,
        policy: Policy | None = None,
        running: list[RunningAttempt] | None = None,
        results: list[RunningAttempt] | None = None,
    ) -> WireAgent:
        """Register with one skill, `echo`, which takes any object."""
        self.acknowledged, self.events_stored = Counter(), {}
        self.heard = asyncio.Event()
        await self.hello(
            concurrency, [SkillSpec("echo", ANY_OBJECT, policy=policy or Policy())], running or [], results or []
        )
        return self

    async def accept(self, task: Task) -> None:
        """Say that the attempt begins."""
        await self.say(Accept(task.task, task.attempt))

    async def refuse(self, task: Task) -> None:
        """Give the attempt back: busy."""
        await self.say(Refuse(task.task, task.attempt, RefuseReason.BUSY))

    async def emit(self, task: Task, n: int, data: object, kind: EventKind = EventKind.LOG) -> None:
        """Report an event."""
        await self.say(Event(task.task, task.attempt, n, kind, msgspec.Raw(msgspec.json.encode(data))))

    async def complete(self, of: Held, output: object = None) -> None:
        """Say that an attempt returned an output."""
        raw = NULL if output is None else msgspec.Raw(msgspec.json.encode(output))
        await self.say(Result(of.task, of.attempt, Outcome.COMPLETED, raw))

    async def canceled(self, of: Held) -> None:
        """Say that an attempt was stopped as asked."""
        await self.say(Result(of.task, of.attempt, Outcome.CANCELED, error=Fault("canceled", "as asked")))

    async def until_acknowledged(self, task_id: str, within: float) -> tuple[int, bool]:
        """Wait for a `result_ack` of the task; return its attempt, and whether the result was recorded."""
        async with asyncio.timeout(within):
            while True:
                for task, attempt, recorded in self.acknowledged:
                    if task == task_id:
                        return attempt, recorded
                self.heard.clear()
                await self.heard.wait()

    async def listen(self, handle: Handler) -> None:
        """Hand on what comes, and beat, until the connection ends."""
        async with asyncio.TaskGroup() as group:
            beating = group.create_task(self._beat())
            with suppress(ConnectionClosed):
                while True:
                    message = await self._next()
                    self._count(message)
                    if isinstance(message, Task | Cancel):
                        handled = handle(self, message)
                        if handled is not None:
                            await handled
            beating.cancel()

    async def _next(self) -> Message:
        data = await self.socket.recv(decode=False)
        assert isinstance(data, bytes)
        return self.session.receive(data)

    async def _beat(self) -> None:
        with suppress(ConnectionClosed):
            number = 0
            while True:
                await asyncio.sleep(BEAT_EVERY)
                number += 1
                await self.say(Beat(number))

    def _count(self, message: Message) -> None:
        match message:
            case ResultAck():
                self.acknowledged[message.task, message.attempt, message.recorded] += 1
                self.heard.set()
            case EventAck():
                self.events_stored[message.task, message.attempt] = message.n


async def connected(platform: Platform, token: str, instance: str = "", **options: object) -> WireAgent:
    """Connect and register, as a new process without `instance`; whoever asks closes `socket`.

    It comes back as the router asks whose last connection broke the protocol.
    """
    port = urlsplit(platform.router_url).port
    assert port is not None
    try:
        socket = await dial(port, token)
    except InvalidStatus as refused:
        if refused.response.status_code != HTTPStatus.TOO_MANY_REQUESTS:
            raise
        await asyncio.sleep(float(refused.response.headers["Retry-After"]))
        socket = await dial(port, token)
    agent = WireAgent(socket, instance or f"inst_{token_hex(8)}")
    return await agent.welcome(**options)  # type: ignore[arg-type]  # those of `welcome`


@asynccontextmanager
async def working(
    platform: Platform, token: str, handle: Handler, instance: str = "", **options: object
) -> AsyncIterator[WireAgent]:
    """Run an agent that does with each task and cancel what `handle` says, until the end of the block."""
    agent = await connected(platform, token, instance, **options)
    async with asyncio.TaskGroup() as group:
        group.create_task(agent.listen(handle))
        try:
            yield agent
        finally:
            await agent.socket.close()


async def echo(agent: WireAgent, message: Message) -> None:
    """Do a task at once: its output is its input."""
    if isinstance(message, Task):
        await agent.accept(message)
        await agent.complete(message, msgspec.json.decode(message.input))
