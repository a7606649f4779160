"""A small HTTP/1.1 load generator: so many callers, each with a connection of its own, one request after the other.

It shares the machine with what it measures, so it costs little: no streams, and the loop that the server has too.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from dataclasses import dataclass
from typing import Any

import uvloop


@dataclass(frozen=True)
class Load:
    """What a load was answered with."""

    requests: int
    per_second: float
    median_ms: float
    p99_ms: float


class Caller(asyncio.Protocol):
    """One keep-alive connection."""

    @classmethod
    async def connect(cls, host: str, port: int) -> Caller:
        _, caller = await asyncio.get_running_loop().create_connection(cls, host, port)
        return caller

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._got = b""
        self._loop = asyncio.get_running_loop()
        self._waits: asyncio.Future[tuple[int, bytes]] | None = None

    def data_received(self, data: bytes) -> None:
        self._got += data
        head, whole, rest = self._got.partition(b"\r\n\r\n")
        if not whole or self._waits is None:
            return
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        if len(rest) >= length:
            waits, self._waits, self._got = self._waits, None, b""
            waits.set_result((int(head[9:12]), rest))

    def connection_lost(self, exc: Exception | None) -> None:
        if self._waits is not None:
            self._waits.set_exception(exc or ConnectionResetError("closed before the answer was whole"))

    async def post(self, path: str, body: bytes, headers: str = "") -> tuple[int, bytes]:
        head = f"POST {path} HTTP/1.1\r\nHost: bench\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
        self._waits = answered = self._loop.create_future()
        self._transport.write(head.encode() + body)
        return await answered

    def close(self) -> None:
        self._transport.close()


def load(host: str, port: int, path: str, body: bytes, headers: str, callers: int, seconds: float) -> Load:
    """Post the same body from all callers for so long; every answer has to be 200 or 201."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_load(host, port, path, body, headers, callers, seconds))


async def _load(host: str, port: int, path: str, body: bytes, headers: str, callers: int, seconds: float) -> Load:
    took: list[float] = []
    ends = time.perf_counter() + seconds

    async def call() -> None:
        caller = await Caller.connect(host, port)
        while (began := time.perf_counter()) < ends:
            status, answer = await caller.post(path, body, headers)
            if status not in (200, 201):
                raise SystemExit(f"answered {status}: {answer[:300]!r}")
            took.append(time.perf_counter() - began)
        caller.close()

    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(callers):
            group.create_task(call())
    elapsed = time.perf_counter() - began
    ordered = sorted(took)
    return Load(
        len(took), len(took) / elapsed, 1e3 * statistics.median(ordered), 1e3 * ordered[int(len(ordered) * 0.99)]
    )
