"""A TCP proxy that does to live connections what networks do: cuts, delays, slices, half-closes, swallows, throttles.

It runs on a thread, in a loop of its own. What it does is said for each direction, and may be changed at any time; it
holds for connections that live and for those to come.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any, Self, TypeVar

T = TypeVar("T")

CHUNK = 65_536
TURN = 0.05
"""Seconds between two pieces when a rate is given."""
BACKLOG = 64 * 1024
"""Bytes that the proxy itself may hold for a slow reader, in each direction."""


@dataclass
class Direction:
    """What happens to the bytes of one direction.

    Attributes:
        delay: seconds that each piece waits.
        slice: most bytes written at once; 0 leaves the pieces as they come.
        rate: bytes a second; 0 is no limit.
        hole: bytes vanish; a connection of which some have vanished stays like that.
    """

    delay: float = 0.0
    slice: int = 0
    rate: float = 0.0
    hole: bool = False

    def piece(self, most: int) -> int:
        """Return how many bytes to write next."""
        sizes = [most]
        if self.slice:
            sizes.append(self.slice)
        if self.rate:
            sizes.append(max(1, int(self.rate * TURN)))
        return min(sizes)


@dataclass(eq=False)
class _Connection:
    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    swallows: set[str] = field(default_factory=set)


class Proxy:
    """Forwards to one port of this machine.

    Attributes:
        up: from whoever connects to the server.
        down: from the server.
        accepted: connections there were so far.
    """

    def __init__(self, port: int) -> None:
        self.up = Direction()
        self.down = Direction()
        self.accepted = 0
        self.port = 0
        self._target = port
        self._refusing = False
        self._connections: set[_Connection] = set()
        self._arrived = threading.Condition()
        self._loop = asyncio.new_event_loop()
        self._over = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()
        self._listening = threading.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),), name="proxy")

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/ws"

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._listening.wait(5)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join()
        self._loop.close()

    def reset(self) -> int:
        """Cut every connection with RST in both directions; return how many there were."""
        return self._do(self._reset())

    def finish(self) -> int:
        """Cut every connection with FIN in both directions, after what was read before."""
        return self._do(self._finish())

    def half_close(self, *, towards_server: bool) -> int:
        """End one direction of every connection, and leave the other open."""
        return self._do(self._half_close(towards_server=towards_server))

    def refuse(self, refusing: bool) -> None:
        """Cut connections as soon as they come, or let them through again."""
        self._refusing = refusing

    def wait_for(self, accepted: int, patience: float) -> None:
        """Wait until there were so many connections."""
        with self._arrived:
            there = self._arrived.wait_for(lambda: self.accepted >= accepted, patience)
        assert there, f"{self.accepted} connections and not {accepted} within {patience} s"

    # -- on the proxy's loop

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0, limit=BACKLOG)
        self.port = server.sockets[0].getsockname()[1]
        self._listening.set()
        try:
            await self._over.wait()
        finally:
            server.close()
            await self._reset()
            await self._empty.wait()

    async def _connected(self, reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        if self._refusing:
            _abort(client)
            return
        try:
            answers, server = await asyncio.open_connection("127.0.0.1", self._target, limit=BACKLOG)
        except OSError:
            _abort(client)
            return
        connection = _Connection(client, server)
        for writer in (client, server):
            writer.transport.set_write_buffer_limits(BACKLOG)
            writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._connections.add(connection)
        self._empty.clear()
        with self._arrived:
            self.accepted += 1
            self._arrived.notify_all()
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pump(connection, "up", reader, server))
                both.create_task(self._pump(connection, "down", answers, client))
        finally:
            self._connections.discard(connection)
            if not self._connections:
                self._empty.set()
            _abort(client)
            _abort(server)

    async def _pump(
        self, connection: _Connection, name: str, source: asyncio.StreamReader, target: asyncio.StreamWriter
    ) -> None:
        """Carry bytes until their end, and carry the end on; a cut of one side is a cut of the other."""
        try:
            while data := await source.read(CHUNK):
                await self._carry(connection, name, data, target)
            if name not in connection.swallows and target.can_write_eof():
                target.write_eof()
        except (OSError, RuntimeError):
            _abort(connection.client)
            _abort(connection.server)

    async def _carry(self, connection: _Connection, name: str, data: bytes, target: asyncio.StreamWriter) -> None:
        while data:
            how: Direction = getattr(self, name)
            if how.hole:
                connection.swallows.add(name)
            if name in connection.swallows:
                return
            size = how.piece(len(data))
            piece, data = data[:size], data[size:]
            await asyncio.sleep(how.delay + (size / how.rate if how.rate else 0.0))
            target.write(piece)
            await target.drain()

    async def _reset(self) -> int:
        for connection in (connections := list(self._connections)):
            _abort(connection.client)
            _abort(connection.server)
        return len(connections)

    async def _finish(self) -> int:
        for connection in (connections := list(self._connections)):
            connection.client.close()
            connection.server.close()
        return len(connections)

    async def _half_close(self, *, towards_server: bool) -> int:
        for connection in (connections := list(self._connections)):
            (connection.server if towards_server else connection.client).write_eof()
        return len(connections)


def _abort(writer: asyncio.StreamWriter) -> None:
    """End a connection with RST, whatever waits to be sent."""
    connection = writer.get_extra_info("socket")
    if connection is not None and connection.fileno() >= 0:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
