"""A small HTTP/1.1 load generator: so many callers, each with a connection of its own, one request after the other."""

from __future__ import annotations

import asyncio
import statistics
import time
from dataclasses import dataclass


@dataclass(frozen=True)
class Load:
    """What a load was answered with."""

    requests: int
    per_second: float
    median_ms: float
    p99_ms: float


class Caller:
    """One keep-alive connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def post(self, path: str, body: bytes, headers: str = "") -> tuple[int, bytes]:
        head = f"POST {path} HTTP/1.1\r\nHost: bench\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
        self._writer.write(head.encode() + body)
        answer = await self._reader.readuntil(b"\r\n\r\n")
        length = int(answer.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        return int(answer[9:12]), await self._reader.readexactly(length)

    def close(self) -> None:
        self._writer.close()


async def load(host: str, port: int, path: str, body: bytes, headers: str, callers: int, seconds: float) -> Load:
    """Post the same body from all callers for so long; every answer has to be 200 or 201."""
    took: list[float] = []
    ends = time.perf_counter() + seconds

    async def call() -> None:
        caller = Caller(*await asyncio.open_connection(host, port))
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
