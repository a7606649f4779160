"""A router behind a real socket, well-behaved agents, and raw sockets that may send anything."""

from __future__ import annotations

import asyncio
import base64
import os
import ssl as tls
import struct
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import msgspec
import structlog
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from agentic_atlas.errors import Forbidden, Unauthenticated
from agentic_atlas.protocol.inside.messages import Identity
from agentic_atlas.protocol.messages import (
    Hello,
    InstanceInfo,
    Limits,
    Message,
    Outcome,
    Result,
    RunningAttempt,
    Side,
    SkillSpec,
    Task,
    Welcome,
)
from agentic_atlas.protocol.session import Session
from agentic_atlas.router.door import AgentDoor as AgentsDoor
from agentic_atlas.router.door import serve
from agentic_atlas.router.router import Router
from agentic_atlas.router.settings import RouterSettings
from agentic_atlas.transport.crowd import Crowd
from agentic_atlas.transport.limiter import ConnectionLimiter
from agentic_atlas.transport.server import Listener
from tests.held_backend import HeldBackend

PATIENCE = 10.0
LATE = 6 * PATIENCE
CALM = RouterSettings(
    tls_within=LATE,
    handshake_within=LATE,
    hello_within=LATE,
    message_within=LATE,
    close_within=LATE,
    stalled=LATE,
    ping_old=LATE,
    tick=0.05,
)
"""Limits that no machine is too busy for, and that no test waits for: one that is about a limit has it shorter."""
SUBPROTOCOL = "atlas.v1"
TEXT, BINARY, CLOSE, PING, PONG, CONTINUATION = 1, 2, 8, 9, 10, 0


@dataclass
class Log:
    """Keeps what was logged."""

    lines: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)

    def is_enabled_for(self, _level: int) -> bool:
        return False

    def info(self, event: str, **facts: Any) -> None:
        self.lines.append(("info", event, facts))

    def warning(self, event: str, **facts: Any) -> None:
        self.lines.append(("warning", event, facts))

    def error(self, event: str, **facts: Any) -> None:
        self.lines.append(("error", event, facts))

    def errors(self) -> list[tuple[str, str, dict[str, Any]]]:
        return [line for line in self.lines if line[0] == "error"]


def verify(values: Sequence[str]) -> Identity:
    """A token here is `Bearer AGENT/TOKEN`; some words are refused, one is a fault of ours."""
    if len(values) != 1:
        raise Unauthenticated(f"{len(values)} tokens came", code="token_missing")
    agent_id, _, token_id = values[0].removeprefix("Bearer ").partition("/")
    if agent_id == "forbidden":
        raise Forbidden("this agent is not allowed here")
    if agent_id == "bug":
        raise ZeroDivisionError("the secret of the house")
    if not token_id:
        raise Unauthenticated("this is no token", code="token_malformed")
    return Identity(token_id, agent_id, 4e9)


@dataclass
class Door:
    """A router that listens."""

    router: Router
    backend: HeldBackend
    listener: Listener
    log: Log

    @property
    def port(self) -> int:
        return self.listener.port


@asynccontextmanager
async def door(
    settings: RouterSettings = CALM,
    limits: Limits | None = None,
    *,
    ssl: tls.SSLContext | None = None,
    per_address: int = 0,
    max_connections: int = 0,
    verify: Callable[[Sequence[str]], Identity] = verify,
) -> AsyncIterator[Door]:
    """Run a router and its endpoint; afterwards nothing may be left of any connection."""
    log = Log()
    router = Router(clock=time.monotonic, wall=time.time, limits=limits or Limits(), settings=settings, log=log)
    backend = HeldBackend(router, time.monotonic, log)
    async with asyncio.TaskGroup() as group:
        running = [group.create_task(life) for life in (router.run(), backend.run())]
        listener = await serve(
            AgentsDoor(router, verify),
            host="127.0.0.1",
            port=0,
            ssl=ssl,
            limiter=ConnectionLimiter(max_connections, per_address),
            crowd=Crowd(10_000, structlog.get_logger(), time.monotonic),
        )
        try:
            yield Door(router, backend, listener, log)
        finally:
            router.drain()
            await listener.close()
            for life in running:
                life.cancel()
    assert not log.errors()
    assert not listener.connections


async def until(condition: Callable[[], object], within: float = PATIENCE) -> None:
    """Wait until something is so, in bounded time."""
    async with asyncio.timeout(within):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event of its own
            await asyncio.sleep(0.002)


class Agent:
    """A well-behaved agent on a real socket."""

    def __init__(self, socket: ClientConnection, instance_id: str) -> None:
        self.socket = socket
        self.instance_id = instance_id
        self.session = Session(Side.AGENT)

    async def say(self, message: Message) -> None:
        await self.socket.send(self.session.send(message), text=True)

    async def hear(self) -> Message:
        async with asyncio.timeout(PATIENCE):
            data = await self.socket.recv(decode=False)
        assert isinstance(data, bytes)
        return self.session.receive(data)

    async def hello(
        self,
        concurrency: int = 1,
        skills: Sequence[SkillSpec] = (),
        running: Sequence[RunningAttempt] = (),
        results: Sequence[RunningAttempt] = (),
    ) -> Welcome:
        instance = InstanceInfo(self.instance_id)
        await self.say(Hello(1, instance, list(skills), concurrency, running=list(running), results=list(results)))
        welcome = await self.hear()
        assert isinstance(welcome, Welcome)
        return welcome

    async def work(self) -> None:
        """Echo tasks until the connection ends."""
        with suppress(ConnectionClosed):
            while True:
                data = await self.socket.recv(decode=False)
                assert isinstance(data, bytes)
                message = self.session.receive(data)
                if isinstance(message, Task):
                    output = msgspec.Raw(bytes(message.input))
                    await self.say(Result(message.task, message.attempt, Outcome.COMPLETED, output))

    async def end(self) -> tuple[int, str]:
        """Wait for the end; return the close code and the reason."""
        async with asyncio.timeout(PATIENCE):
            await self.socket.wait_closed()
        return self.socket.close_code or 0, self.socket.close_reason or ""


def dial(port: int, token: str, scheme: str = "ws", **options: Any) -> connect:
    """Return what connects as an agent."""
    return connect(
        f"{scheme}://127.0.0.1:{port}/ws",
        subprotocols=[SUBPROTOCOL],  # type: ignore[list-item]
        additional_headers={"Authorization": f"Bearer {token}"},
        compression=None,
        ping_interval=None,
        proxy=None,
        max_size=None,
        **options,
    )


@asynccontextmanager
async def agent(
    port: int, agent_id: str = "agt", token_id: str = "tok", instance_id: str = "inst", concurrency: int = 1
) -> AsyncIterator[Agent]:
    """Connect an agent that was welcomed."""
    async with dial(port, f"{agent_id}/{token_id}") as socket:
        one = Agent(socket, instance_id)
        await one.hello(concurrency)
        yield one


@asynccontextmanager
async def unaffected(at: Door) -> AsyncIterator[None]:
    """A bystander works before, during and after whatever happens in the block."""
    async with agent(at.port, "bystander", "tok_b", "inst_b", 8) as one, asyncio.TaskGroup() as group:
        group.create_task(one.work())
        stop = asyncio.Event()
        group.create_task(_use(at, stop))
        yield
        stop.set()
        await _echo(at)
        await one.socket.close()


async def _use(at: Door, stop: asyncio.Event) -> None:
    while not stop.is_set():
        await _echo(at)


async def _echo(at: Door) -> None:
    task = at.backend.submit("bystander", payload=b'{"still": "here"}')
    async with asyncio.timeout(5.0):
        result = await task.ended
    assert bytes(result.output) == b'{"still": "here"}'


class Raw:
    """A socket that sends what it is told and reads nothing by itself."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, data: bytes) -> None:
        """Send bytes; a socket that was cut is no error here."""
        with suppress(ConnectionError):
            self.writer.write(data)
            await self.writer.drain()

    async def frame(self, opcode: int, payload: bytes = b"", *, fin: bool = True, rsv: int = 0) -> None:
        await self.send(frame(opcode, payload, fin=fin, rsv=rsv))

    async def read(self) -> tuple[int, bytes]:
        """Return the next frame's opcode and payload."""
        async with asyncio.timeout(PATIENCE):
            first, second = await self.reader.readexactly(2)
            length = second & 0x7F
            if length == 126:
                (length,) = struct.unpack("!H", await self.reader.readexactly(2))
            elif length == 127:
                (length,) = struct.unpack("!Q", await self.reader.readexactly(8))
            return first & 0x0F, await self.reader.readexactly(length)

    async def end(self) -> tuple[int, bytes]:
        """Read to the close frame; return its code and reason. Answer it, and see the connection end."""
        while True:
            opcode, payload = await self.read()
            if opcode == CLOSE:
                break
        await self.frame(CLOSE, payload[:2])
        await self.cut()
        return int.from_bytes(payload[:2], "big"), payload[2:]

    async def cut(self, within: float = PATIENCE) -> None:
        """Read until the other side has ended the connection."""
        async with asyncio.timeout(within):
            with suppress(ConnectionError):
                while await self.reader.read(65536):
                    pass

    def close(self) -> None:
        self.writer.transport.abort()


def frame(opcode: int, payload: bytes = b"", *, fin: bool = True, rsv: int = 0, mask: bool = True) -> bytes:
    """Return one frame as a client sends it."""
    head = bytes([(0x80 if fin else 0) | (rsv << 4) | opcode])
    size = len(payload)
    bit = 0x80 if mask else 0
    if size < 126:
        head += bytes([bit | size])
    elif size < 65536:
        head += bytes([bit | 126]) + struct.pack("!H", size)
    else:
        head += bytes([bit | 127]) + struct.pack("!Q", size)
    # A mask of zeros is a mask, and leaves the payload as it is.
    return head + (bytes(4) if mask else b"") + payload


def request(token: str = "agt/tok", path: str = "/ws", *lines: str) -> bytes:
    """Return a handshake."""
    key = base64.b64encode(os.urandom(16)).decode()
    head = [
        f"GET {path} HTTP/1.1",
        "Host: localhost",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {key}",
        "Sec-WebSocket-Version: 13",
        *(lines or (f"Sec-WebSocket-Protocol: {SUBPROTOCOL}", f"Authorization: Bearer {token}")),
    ]
    return "\r\n".join([*head, "", ""]).encode("latin-1")


@asynccontextmanager
async def raw(port: int) -> AsyncIterator[Raw]:
    """Open a socket without a handshake."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    one = Raw(reader, writer)
    try:
        yield one
    finally:
        one.close()


@asynccontextmanager
async def upgraded(port: int, token: str = "agt/tok") -> AsyncIterator[Raw]:
    """Open a socket that has gone through the handshake."""
    async with raw(port) as one:
        await one.send(request(token))
        head = await one.reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 "), head
        yield one


async def answered(port: int, data: bytes) -> tuple[int, dict[str, str], bytes]:
    """Send a request; return status, headers and body of the answer, which ends the connection."""
    async with raw(port) as one, asyncio.timeout(PATIENCE):
        await one.send(data)
        answer = await one.reader.read()
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    return int(first.split()[1]), headers, body


Hostile = Callable[[Raw], Awaitable[None]]
