"""Reads a task's events over a socket of its own: whole events only, wherever the stream was cut."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from agentic_atlas.sdk.client.sse import Parser
from tests.e2e.processes import PATIENCE, Json, Platform

PART = 4096


@asynccontextmanager
async def opened(
    platform: Platform, task: str, after: int = 0, *, limit: int = 2**16
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Ask for a task's events after this one; the answer's head was read and is a success."""
    at = urlsplit(platform.url)
    reader, writer = await asyncio.open_connection(at.hostname, at.port, limit=limit)
    try:
        resume = f"Last-Event-ID: {after}\r\n" if after else ""
        # HTTP/1.0: the stream is the body as it is, and its end is the end of the connection.
        request = (
            f"GET /api/v1/tasks/{task}/events HTTP/1.0\r\nAuthorization: Bearer {platform.api_key}\r\n{resume}\r\n"
        )
        writer.write(request.encode())
        async with asyncio.timeout(PATIENCE):
            head = await reader.readuntil(b"\r\n\r\n")
        assert b" 200 " in head.splitlines()[0], head
        yield reader, writer
    finally:
        writer.transport.abort()


async def read_some(platform: Platform, task: str, after: int = 0, most: int | None = None) -> list[Json]:
    """Return the whole events in the stream's next `most` bytes, or to its end; then the connection is cut."""
    parser, found, left, read = Parser(), list[Json](), most, b""
    async with opened(platform, task, after) as (reader, _), asyncio.timeout(PATIENCE):
        while left is None or left > 0:
            part = await reader.read(PART if left is None else min(PART, left))
            if not part:
                break
            left = None if left is None else left - len(part)
            read += part
            found += [json.loads(data) for _, data in parser.feed(part)]
    ids = re.findall(rb"^id: (\d+)\n", read, re.MULTILINE)
    assert [int(id) for id in ids[: len(found)]] == [event["seq"] for event in found]
    return found
