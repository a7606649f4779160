"""The link and the router in memory: what a runner posts is kept in order, and waited for without sleeping."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import msgspec

from agentic_atlas.observe.logs import sentence
from agentic_atlas.protocol import codec
from agentic_atlas.protocol.messages import (
    Accept,
    Call,
    Caller,
    Event,
    EventKind,
    Limits,
    Refuse,
    Reply,
    ReplyKind,
    Result,
    Task,
    Welcome,
)
from agentic_atlas.sdk.agent import Agent, skills_of
from agentic_atlas.sdk.lines.outlet import Outlet
from agentic_atlas.sdk.ports import Outgoing
from agentic_atlas.sdk.runner.runner import LoopInbox, Runner

SECONDS = 5.0
NOW = 1_700_000_000.0
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

M = TypeVar("M")


class Lines:
    """A log that keeps its lines, as a person would read them, with their fields."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str, dict[str, Any]]] = []

    def at(self, level: str) -> list[tuple[str, dict[str, Any]]]:
        """Return what was said at this level."""
        return [(event, fields) for said_at, event, fields in self.lines if said_at == level]

    payloads = False

    def bind(self, **_: Any) -> Lines:
        return self

    def is_enabled_for(self, _level: int) -> bool:
        return True

    def _keep(self, level: str, event: str, fields: dict[str, Any]) -> None:
        self.lines.append((level, sentence(event, fields), fields))

    def trace(self, event: str, **kw: Any) -> None:
        self._keep("trace", event, kw)

    def debug(self, event: str, *args: Any, **kw: Any) -> None:
        self._keep("debug", event, kw)

    def info(self, event: str, *args: Any, **kw: Any) -> None:
        self._keep("info", event, kw)

    def warning(self, event: str, *args: Any, **kw: Any) -> None:
        self._keep("warning", event, kw)

    def error(self, event: str, *args: Any, **kw: Any) -> None:
        self._keep("error", event, kw)


class MemoryWire:
    """Keeps what is posted; every message has to survive the wire's own codec, as it would have to on a connection."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self.posted: list[Outgoing] = []
        self.forgotten: list[str] = []
        self.pongs: list[object] = []
        self.acknowledge: Callable[[str, int, int], None] | None = None
        self._news = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def post(self, message: Outgoing) -> None:
        decoded = codec.decode(codec.encode(message), self.limits)
        assert type(decoded) is type(message)
        self.posted.append(message)
        if isinstance(message, Event) and self.acknowledge is not None:
            self.acknowledge(message.task, message.attempt, 0)
        self._notify()

    def forget_call(self, call_id: str) -> None:
        self.forgotten.append(call_id)
        self._notify()

    def pong(self, token: object) -> None:
        self.pongs.append(token)
        self._notify()

    def _notify(self) -> None:
        try:
            self._loop.call_soon_threadsafe(self._news.set)
        except RuntimeError:
            return  # the test is over, and a thread of it is not

    async def until(self, found: Callable[[], M | None]) -> M:
        """Wait until `found` returns something, looking again whenever something was posted."""
        async with asyncio.timeout(SECONDS):
            while not (value := found()):
                self._news.clear()
                await self._news.wait()
        return value

    def of(self, kind: type[M]) -> list[M]:
        return [message for message in self.posted if isinstance(message, kind)]

    async def result(self, task: str = "t1", attempt: int = 1) -> Result:
        def found() -> Result | None:
            mine = [r for r in self.of(Result) if (r.task, r.attempt) == (task, attempt)]
            return mine[0] if mine else None

        return await self.until(found)

    async def accepted(self, task: str = "t1") -> Accept:
        return await self.until(lambda: next((a for a in self.of(Accept) if a.task == task), None))

    async def refused(self, task: str) -> Refuse:
        return await self.until(lambda: next((a for a in self.of(Refuse) if a.task == task), None))

    async def call(self, place: int = 0) -> Call:
        return await self.until(lambda: self.of(Call)[place] if len(self.of(Call)) > place else None)

    async def events(self, count: int) -> list[Event]:
        return await self.until(lambda: self.of(Event) if len(self.of(Event)) >= count else None)


class Network:
    """A runner of an agent's skills, on a wire in memory."""

    def __init__(self, runner: Runner, inbox: LoopInbox, wire: MemoryWire, log: Lines) -> None:
        self.runner = runner
        self.inbox = inbox
        self.wire = wire
        self.log = log

    def send(self, skill: str, input: object = None, *, task: str = "t1", **fields: Any) -> None:
        self.inbox.deliver(make_task(skill, input, task=task, **fields))

    async def ask(self, skill: str, input: object = None, *, task: str = "t1", **fields: Any) -> Result:
        """Deliver a task and return its result."""
        self.send(skill, input, task=task, **fields)
        return await self.wire.result(task, fields.get("attempt", 1))

    def reply(self, call: Call, output: object = None, **fields: Any) -> None:
        given = {"state": "completed", "child": "child-1", **fields}
        self.inbox.deliver(Reply(call.id, ReplyKind.RESULT, data=raw(output), **given))

    def reply_event(self, call: Call, seq: int, kind: str, data: object) -> None:
        self.inbox.deliver(Reply(call.id, ReplyKind.EVENT, "child-1", seq, kind, raw(data)))


@asynccontextmanager
async def network(
    agent: Agent,
    *,
    limits: Limits | None = None,
    acknowledge: bool = True,
    grace: float = SECONDS,
    concurrency: int = 8,
    outlet: Outlet | None = None,
) -> AsyncIterator[Network]:
    """Serve an agent's skills until the block ends; then whatever still runs is left."""
    wire, log = MemoryWire(limits), Lines()
    runner = Runner(skills_of(agent), concurrency=concurrency, log=log, stop_grace=grace, outlet=outlet)
    inbox = LoopInbox(runner, asyncio.get_running_loop())
    if acknowledge:
        wire.acknowledge = inbox.acknowledged
    async with asyncio.timeout(2 * SECONDS), asyncio.TaskGroup() as group:
        begun = asyncio.Event()

        def begin() -> None:
            inbox.connected(make_welcome(limits))
            begun.set()

        serving = group.create_task(runner.run(wire, begin))
        await begun.wait()
        try:
            yield Network(runner, inbox, wire, log)
        finally:
            if not serving.done():
                inbox.ended(None)
            await serving


def make_task(skill: str, input: object = None, *, task: str = "t1", attempt: int = 1, **fields: Any) -> Task:
    given = {"caller": Caller("user", "u1", "ann"), "trace": TRACE, "created_at": NOW, **fields}
    return Task(task=task, attempt=attempt, skill=skill, input=raw({} if input is None else input), **given)


def make_welcome(limits: Limits | None = None, **fields: Any) -> Welcome:
    given = {"agent": "tester", "owner": "ann", "instance": "i1", "generation": 1, "now": NOW, **fields}
    return Welcome(limits=limits or Limits(), beat_every=10.0, grace=30.0, **given)


def raw(value: object) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(value))


def read(data: msgspec.Raw) -> Any:
    return msgspec.json.decode(data)


def events_of(events: list[Event], kind: EventKind) -> list[Any]:
    return [read(event.data) for event in events if event.kind is kind]


class Gate:
    """Something that a handler in a thread waits for, and that tells when it has got there."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.open = threading.Event()

    def wait(self) -> bool:
        self.entered.set()
        return self.open.wait(SECONDS)

    async def reached(self) -> None:
        assert await asyncio.to_thread(self.entered.wait, SECONDS)
