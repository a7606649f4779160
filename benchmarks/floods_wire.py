"""Floods of bytes: deep messages, long lists, watchers, silent connections, and peers that go on after a close."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from urllib.parse import urlsplit

import httpx

from agentic_atlas.protocol import codec
from agentic_atlas.protocol.messages import Hello, InstanceInfo, Message, Task
from benchmarks.bystander import SECONDS, Stage
from tests.faults.wire_agent import WireAgent, working
from tests.integration.router.doors import PING, TEXT, frame, request

WAVE = b"[" * 60 + b"]" * 60
DEEP = b"[" + b",".join([WAVE] * 34_000) + b"]"
BEAT = b'{"type":"beat","n":1,"z":%b}' % DEEP
HELLO = codec.encode(Hello(1, InstanceInfo("inst_flood"), []))


def router(stage: Stage) -> int:
    port = urlsplit(stage.platform.router_url).port
    assert port is not None
    return port


async def opened(stage: Stage, token: str, *sent: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Go through the handshake, whatever its answer, and send this."""
    reader, writer = await asyncio.open_connection("127.0.0.1", router(stage))
    lines = ("Sec-WebSocket-Protocol: atlas.v1", f"Authorization: Bearer {token}")
    writer.write(request("", "/ws", *lines))
    with suppress(asyncio.IncompleteReadError, ConnectionError):
        await reader.readuntil(b"\r\n\r\n")
    await push(writer, *sent)
    return reader, writer


async def push(writer: asyncio.StreamWriter, *sent: bytes) -> None:
    with suppress(ConnectionError, TimeoutError):
        async with asyncio.timeout(5.0):
            for data in sent:
                writer.write(data)
                await writer.drain()


async def ended(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()
    await asyncio.sleep(0)


async def deep_beats(stage: Stage) -> None:
    """An agent that beats with messages of 4 MiB, each as deep as it may be."""
    ends = time.monotonic() + SECONDS
    token = await stage.api.token("beats")
    while time.monotonic() < ends:
        reader, writer = await opened(stage, token, frame(TEXT, HELLO))
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            await reader.read(4096)
        await push(writer, *[frame(TEXT, BEAT)] * 4)
        await ended(writer)
        await asyncio.sleep(0.3)


async def deep_bodies(stage: Stage) -> None:
    """A caller that submits inputs of 3.9 MB, each as deep as it may be."""
    ends = time.monotonic() + SECONDS
    body = b'{"agent":"echo","skill":"say","input":{"text":%b}}' % DEEP[:3_900_000]
    while time.monotonic() < ends:
        await stage.api.http.post("/tasks", content=body, headers={"Content-Type": "application/json"})


async def revoked_first_messages(stage: Stage) -> None:
    """A revoked token whose first messages are long and deep."""
    ends = time.monotonic() + SECONDS
    token = await stage.api.token("revoked")
    found = (await stage.api.http.get("/agents/revoked/tokens")).json()["items"]
    await stage.api.http.delete(f"/tokens/{found[0]['id']}")
    while time.monotonic() < ends:
        _, writer = await opened(stage, token, frame(TEXT, BEAT))
        await ended(writer)
        await asyncio.sleep(0.05)


async def long_lists(stage: Stage) -> None:
    """Two hundred tasks of 3 MB for an agent that is away, listed by four at once."""
    token = await stage.api.token("away")
    async with working(stage.platform, token, nothing):
        pass
    text = "x" * 3_000_000
    for number in range(60):
        answer = await stage.api.submit("away", "echo", input={"n": number, "text": text})
        assert answer.status_code == 201, answer.text
    ends = time.monotonic() + SECONDS

    async def lister() -> None:
        while time.monotonic() < ends:
            await stage.api.http.get("/tasks", params={"limit": 500})

    async with asyncio.TaskGroup() as group:
        for _ in range(4):
            group.create_task(lister())


async def nothing(agent: WireAgent, message: Message) -> None:
    """Take no task."""


async def watchers(stage: Stage) -> None:
    """As many watchers of one task as there may be, and some more, while its agent says 20 things a second."""

    async def chatty(agent: WireAgent, message: Message) -> None:
        if isinstance(message, Task):
            await agent.accept(message)
            for number in range(1, int(SECONDS * 20)):
                await agent.emit(message, number, {"level": "info", "event": f"line {number}"})
                await asyncio.sleep(0.05)
            await agent.complete(message, "done")

    async def watch(at: httpx.AsyncClient, task: str) -> None:
        with suppress(httpx.HTTPError):
            async with at.stream("GET", f"/tasks/{task}/events") as answer:
                async for _ in answer.aiter_bytes():
                    pass

    token = await stage.api.token("chatty")
    async with working(stage.platform, token, chatty):
        task = (await stage.api.accepted("chatty", input={}))["id"]
        async with asyncio.TaskGroup() as group:
            for _ in range(300):
                group.create_task(watch(stage.api.http, task))


async def silent_connections(stage: Stage) -> None:
    """One token, hundreds of connections, each with most of a long frame that is never finished."""
    ends = time.monotonic() + SECONDS
    token = await stage.api.token("silent")
    part = frame(TEXT, b" " * (4 * 1024 * 1024 - 100))[: 3 * 1024 * 1024]
    left: list[asyncio.StreamWriter] = []
    while time.monotonic() < ends:
        _, writer = await opened(stage, token)
        left.append(writer)
        await push(writer, part)
        if len(left) > 200:
            await ended(left.pop(0))
    for writer in left:
        await ended(writer)


async def after_a_close(stage: Stage) -> None:
    """A token that floods with pings, on four connections at a time, and goes on after it is closed for it."""
    ends = time.monotonic() + SECONDS
    token = await stage.api.token("pings")
    flood = frame(PING) * 50_000

    async def flooder() -> None:
        while time.monotonic() < ends:
            with suppress(OSError):
                _, writer = await opened(stage, token, frame(TEXT, HELLO), *[flood] * 10)
                await ended(writer)
            await asyncio.sleep(0.02)

    async with asyncio.TaskGroup() as group:
        for _ in range(4):
            group.create_task(flooder())


FLOODS: dict[str, Callable[[Stage], Awaitable[None]]] = {
    "deep_beats": deep_beats,
    "deep_bodies": deep_bodies,
    "revoked_first_messages": revoked_first_messages,
    "long_lists": long_lists,
    "watchers": watchers,
    "silent_connections": silent_connections,
    "after_a_close": after_a_close,
}
