"""Connections to the API's one address: HTTP/1.1 (RFC 9112) by h11 over asyncio, kept for the next request.

No more of HTTP than the API needs: nothing is followed, kept or unpacked that was not asked for.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

import h11

from agentic_atlas.transport.addresses import reached

if TYPE_CHECKING:
    from agentic_atlas.sdk.client.way import Proxy

CONNECT_TIMEOUT = 5.0
"""Seconds for a connection to be made."""
MOST_HEAD = 100 * 1024
"""Bytes of an answer's head, at most."""
MOST_IDLE = 20
"""Connections that are kept for the next request."""
KEPT = 5.0
"""Seconds that a connection is kept; a server closes its own after about as long."""
_PIECE = 64 * 1024
_CLOSING = 1.0
"""Seconds for the goodbye of TLS."""

Headers = Sequence[tuple[str, str]]


Fault = Literal["not_reached", "silent", "cut", "full"]


class TransportError(Exception):
    """There was no whole answer.

    Attributes:
        fault: `not_reached`: no connection was made, so nothing was sent, and the cause says why; `silent`: nothing
            came for too long; `cut`: the connection ended before the answer did, or what came was no HTTP; `full`: as
            many requests as may be open are.
    """

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault)
        self.fault = fault


class HttpConnection:
    """One connection, for one request after the other.

    Attributes:
        status: that of the answer to the present one.
        idle_since: when it was kept for the next one.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.status = 0
        self.idle_since = 0.0
        self._headers: dict[str, str] = {}
        self._patience = CONNECT_TIMEOUT
        self._reader = reader
        self._writer = writer
        self._state = h11.Connection(h11.CLIENT, max_incomplete_event_size=MOST_HEAD)

    @property
    def gone(self) -> bool:
        """True when the other end has closed it."""
        return self._reader.at_eof() or self._writer.is_closing()

    async def ask(self, head: h11.Request, body: bytes, patience: float) -> None:
        """Send a request and read the head of its answer; raises TransportError, for so long a silence too."""
        self._patience = patience
        events = (head, h11.Data(data=body), h11.EndOfMessage())
        # An end that does not read on may have answered already, for instance that it is too much.
        with suppress(OSError):
            async with _within(self._patience):
                self._writer.write(b"".join(self._state.send(event) or b"" for event in events))
                await self._writer.drain()
        while not isinstance(answer := await self._next(), h11.Response):
            pass
        self.status = answer.status_code
        self._headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in answer.headers}

    def header(self, name: str) -> str | None:
        """Return the value of a header of the answer, if there is one; its name in lower case."""
        return self._headers.get(name)

    async def pieces(self) -> AsyncIterator[bytes]:
        """Yield the answer's body as it comes; raises TransportError."""
        while isinstance(piece := await self._next(), h11.Data):
            yield bytes(piece.data)

    def ready(self) -> bool:
        """Make it ready for the next request; False when it can have none."""
        if self.gone or self._state.our_state is not h11.DONE or self._state.their_state is not h11.DONE:
            return False
        self._state.start_next_cycle()
        return True

    def abort(self) -> None:
        """Close it at once."""
        self._writer.transport.abort()

    async def aclose(self) -> None:
        """Close it with the goodbye of TLS."""
        self._writer.close()
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(_CLOSING):
                await self._writer.wait_closed()

    async def _next(self) -> h11.Event | type[h11.PAUSED]:
        """Return the next thing that the other end says."""
        while True:
            try:
                event = self._state.next_event()
                if event is not h11.NEED_DATA:
                    return event  # type: ignore[return-value]
                async with _within(self._patience):
                    self._state.receive_data(await self._reader.read(_PIECE))
            except (OSError, h11.ProtocolError) as error:
                raise TransportError("cut") from error


class Connections:
    """The connections of one event loop to one address.

    Args:
        url: scheme, host and port.
        proxy: on the way there, or None.
        trusted: whose certificates are.
        most: requests that may be open at a time.
    """

    def __init__(self, url: str, *, proxy: Proxy | None, trusted: ssl.SSLContext, most: int) -> None:
        parts = urlsplit(url)
        secure = parts.scheme == "https"
        self._host = parts.hostname or ""
        self._port = parts.port or (443 if secure else 80)
        self._authority = parts.netloc
        self._trusted = trusted if secure else None
        self._proxy = proxy
        self._free = asyncio.Semaphore(most)
        self._idle: list[HttpConnection] = []

    @asynccontextmanager
    async def asked(
        self, method: str, target: str, headers: Headers, body: bytes, patience: float
    ) -> AsyncIterator[HttpConnection]:
        """Ask, and give the connection with the answer for the time of the block.

        Args:
            method: of HTTP.
            target: path and query.
            headers: beside those that say where, and how much.
            body: what is sent.
            patience: seconds to wait for a slot, and for each piece of the answer.

        Raises:
            TransportError: there was no whole answer.
        """
        async with self._slot(patience):
            connection = self._kept() or await self._open()
            done = False
            try:
                await connection.ask(self._head(method, target, headers, body), body, patience)
                yield connection
                done = connection.ready()
            finally:
                if not done:
                    connection.abort()
            await self._keep(connection)

    async def aclose(self) -> None:
        """Close what is kept."""
        while self._idle:
            await self._idle.pop().aclose()

    def _head(self, method: str, target: str, headers: Headers, body: bytes) -> h11.Request:
        said = [("Host", self._authority), *headers]
        if body or method != "GET":
            said.append(("Content-Length", str(len(body))))
        if self._proxy is not None and self._trusted is None:
            # A proxy is asked for the whole address (RFC 9112 section 3.2.2).
            target = f"http://{self._authority}{target}"
            said += self._proxy.headers
        return h11.Request(method=method, target=target, headers=said)

    @asynccontextmanager
    async def _slot(self, patience: float) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(patience):
                await self._free.acquire()
        except TimeoutError:
            raise TransportError("full") from None
        try:
            yield
        finally:
            self._free.release()

    def _kept(self) -> HttpConnection | None:
        now = asyncio.get_running_loop().time()
        while self._idle:
            connection = self._idle.pop()
            if not connection.gone and now - connection.idle_since < KEPT:
                return connection
            connection.abort()
        return None

    async def _keep(self, connection: HttpConnection) -> None:
        if len(self._idle) >= MOST_IDLE:
            await connection.aclose()
            return
        connection.idle_since = asyncio.get_running_loop().time()
        self._idle.append(connection)

    async def _open(self) -> HttpConnection:
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                opened = await self._socket()
                name = None if self._trusted is None else self._host
                reader, writer = await asyncio.open_connection(sock=opened, ssl=self._trusted, server_hostname=name)
        except (OSError, TimeoutError) as error:
            raise TransportError("not_reached") from error
        return HttpConnection(reader, writer)

    async def _socket(self) -> socket.socket:
        if self._proxy is None:
            return await reached(self._host, self._port)
        if self._trusted is None:
            return await reached(self._proxy.host, self._proxy.port)
        return await self._proxy.reach(self._host, self._port)


@asynccontextmanager
async def _within(seconds: float) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        raise TransportError("silent") from None
