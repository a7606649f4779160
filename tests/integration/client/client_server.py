"""A small HTTP server for the client's tests: it answers what the test says and remembers what it was asked.

It runs on a thread with real sockets, so that lost connections are really lost.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from agentic_atlas.sdk.address import Address, address
from agentic_atlas.sdk.client.blocking import LoopThread

KEY = "atlas_test-key"


@dataclass(frozen=True)
class Asked:
    """A request, as it came."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any


@dataclass(frozen=True)
class Answer:
    """What is sent for one request."""

    body: object = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: bool = False
    """Close the connection instead of ending the answer; with no body, instead of beginning it."""


def error(status: int, code: str, message: str = "no", **headers: str) -> Answer:
    return Answer({"error": {"code": code, "message": message, "detail": None}}, status, headers)


def events(text: str, *, cut: bool = False) -> Answer:
    return Answer(text.encode(), headers={"Content-Type": "text/event-stream; charset=utf-8"}, cut=cut)


@dataclass
class Server:
    """Answers by a function of the request, or by a list in order."""

    answer: Callable[[Asked], Answer]
    asked: list[Asked] = field(default_factory=list)
    url: str = ""

    @property
    def address(self) -> Address:
        return address(self.url, KEY)

    def paths(self) -> list[str]:
        return [f"{request.method} {request.path}" for request in self.asked]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while (request := await _read(reader)) is not None:
                self.asked.append(request)
                answer = self.answer(request)
                await _write(writer, answer)
                if answer.cut:
                    break
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # The client went away, which is its right.
        finally:
            writer.close()


def in_order(*answers: Answer) -> Callable[[Asked], Answer]:
    left: Iterator[Answer] = iter(answers)
    return lambda asked: next(left, error(500, "internal", f"the test has no answer for {asked.method} {asked.path}"))


@contextmanager
def serving(
    answer: Callable[[Asked], Answer],
    listen: Callable[[Server], Coroutine[object, object, asyncio.Server]] | None = None,
) -> Iterator[Server]:
    """Have a server answer; `listen` opens it elsewhere than on plain HTTP."""
    server, loop = Server(answer), LoopThread("the server has ended")
    listening = loop.run((listen or _listen)(server))
    try:
        yield server
    finally:
        loop.run(_close(listening))
        loop.stop()


async def _listen(server: Server) -> asyncio.Server:
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    return listening


async def _close(listening: asyncio.Server) -> None:
    listening.close()


async def _read(reader: asyncio.StreamReader) -> Asked | None:
    head = (await reader.readline()).decode().split()
    if not head:
        return None
    headers: dict[str, str] = {}
    while line := (await reader.readline()).decode().strip():
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    target = urlsplit(head[1])
    query = dict(parse_qsl(target.query))
    return Asked(head[0], target.path, query, headers, json.loads(body) if body else None)


async def _write(writer: asyncio.StreamWriter, answer: Answer) -> None:
    if answer.cut and answer.body is None:
        return
    if answer.status == 204:
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        await writer.drain()
        return
    body = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
    headers = {"Content-Type": "application/json"} | dict(answer.headers) | {"Transfer-Encoding": "chunked"}
    head = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    writer.write(f"HTTP/1.1 {answer.status} Whatever\r\n{head}\r\n".encode())
    if body:
        writer.write(f"{len(body):x}\r\n".encode() + body + b"\r\n")
    if not answer.cut:
        writer.write(b"0\r\n\r\n")
    await writer.drain()


@dataclass
class Time:
    """A clock that only sleeping moves."""

    now: float = 1000.0
    slept: list[float] = field(default_factory=list)

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
