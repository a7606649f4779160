"""A way to the HTTP API that cuts connections after so many bytes of an answer: for clients that have to resume."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

PART = 1024


class Cutting:
    """Passes connections on; each is cut after as many bytes of its answers as `allowance` gives, None for no cut.

    Attributes:
        url: where it listens.
        cuts: how many it cut.
    """

    def __init__(self, target: str, allowance: Callable[[], int | None]) -> None:
        self.url = ""
        self.cuts = 0
        self._target = urlsplit(target)
        self._allowance = allowance

    async def passed_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection to its end."""
        try:
            there, back = await asyncio.open_connection(self._target.hostname, self._target.port)
        except OSError:
            writer.transport.abort()
            return
        try:
            with suppress(OSError):
                async with asyncio.TaskGroup() as group:
                    asking = group.create_task(_copied(reader, back))
                    if not await self._answered(there, writer):
                        self.cuts += 1
                    asking.cancel()
        finally:
            writer.transport.abort()
            back.transport.abort()

    async def _answered(self, there: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        left = self._allowance()
        while left is None or left > 0:
            try:
                part = await there.read(PART if left is None else min(PART, left))
            except OSError:  # the server was killed
                part = b""
            if not part:
                return True
            left = None if left is None else left - len(part)
            writer.write(part)
            await writer.drain()
        return False


@asynccontextmanager
async def cutting(target: str, allowance: Callable[[], int | None]) -> AsyncIterator[Cutting]:
    """Listen until the end of the block."""
    way, passing = Cutting(target, allowance), set[asyncio.Task[None]]()
    async with asyncio.TaskGroup() as group:

        def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            if not server.is_serving():
                writer.transport.abort()
                return
            task = group.create_task(way.passed_on(reader, writer))
            passing.add(task)
            task.add_done_callback(passing.discard)

        server = await asyncio.start_server(accepted, "127.0.0.1", 0)
        way.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield way
        finally:
            server.close()
            for task in passing:
                task.cancel()


async def _copied(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while part := await reader.read(PART):
            writer.write(part)
            await writer.drain()
