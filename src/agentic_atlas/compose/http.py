"""The HTTP server, within our loop and life-time: connections, their deadlines, and what they are answered.

A request's head is due within 10 s and 64 KiB, its body within a minute; all that waits to be sent is bounded. What is
no request is told so in our one form, and the peer has a chance to read it. Requests of one connection are answered one
after the other, as they came; one that begins while the server stops is told so.
"""

import asyncio
import errno
import os
import socket
import sys
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from email.utils import formatdate
from typing import Final, cast

from structlog.typing import FilteringBoundLogger

from agentic_atlas.compose.sources import wall
from agentic_atlas.compose.unsent import READ_WITHIN, Unsent
from agentic_atlas.errors import AtlasError, ConfigurationError
from agentic_atlas.http import errors
from agentic_atlas.http.messages import Answered, Request, RequestBody, Response, StreamingResponse, encode_head
from agentic_atlas.http.parser import RequestParser
from agentic_atlas.transport.crowd import Crowd
from agentic_atlas.transport.head import LINGER

HEAD_WITHIN = 10.0
"""Seconds from a connection, or from its first byte, to the whole head of a request."""
BODY_WITHIN = 60.0
"""Seconds within which the rest of a body has to come."""
KEEP_ALIVE = 65.0
"""Seconds from an answer to the next request on its connection."""
SWEEP = 1.0
"""Seconds between two looks at these deadlines."""
MAX_CONNECTIONS = 10_000
"""Connections at the same time; more are answered 503."""

_AHEAD: Final = 64 * 1024
"""Bytes of a body that nobody has read yet, or of requests behind one that is not answered yet, after which no more is
read."""
_BACKLOG: Final = 2048
_NEVER: Final = float("inf")
_CLOSE: Final = "connection: close"
_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"

Handler = Callable[[Request], Awaitable[Answered]]


class _Connection(asyncio.Protocol):
    """One accepted connection.

    Attributes:
        due: when it is cut off unless something happens before, by the loop's clock.
    """

    _transport: asyncio.Transport
    _answering: asyncio.Task[None]
    _body: RequestBody

    def __init__(self, server: "HttpServer") -> None:
        self.due = _NEVER
        self._server = server
        self._parser = RequestParser(self._begins, self._goes_on, self._is_whole)
        self._address = ""
        self._known = False
        self._asked: deque[Request] = deque()
        """Requests that are not answered yet, the first one being answered."""
        self._behind = 0
        self._last = False
        self._gone = False
        self._streams = False
        self._dropped: int | None = None
        self._idle: asyncio.Future[None] | None = None
        self._room: asyncio.Future[None] | None = None
        self._loop = asyncio.get_running_loop()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by its class
        self._answering = self._server.tasks.create_task(self._serve())
        peer = transport.get_extra_info("peername")
        self._address = str(peer[0]) if peer else ""
        self.due = self._loop.time() + HEAD_WITHIN
        self._server.connections[self] = self._answering
        self._server.crowd.enter(self._transport, self._address)

    def connection_lost(self, exc: Exception | None) -> None:
        self.due = _NEVER
        self._server.crowd.leave(self._transport)
        self._server.unsent.caught_up(self._transport)
        self._let_go()
        if self._streams:
            self._answering.cancel()

    def data_received(self, data: bytes) -> None:
        if self._dropped is not None:
            self._dropped += len(data)
            if self._dropped > LINGER:
                self._transport.abort()
            return
        try:
            self._parser.feed(data)
        except AtlasError as error:
            self._refuse(error)
            return
        if self._parser.in_head and self._parser.unfinished:
            self.due = min(self.due, self._loop.time() + HEAD_WITHIN)
        if len(self._asked) > 1:
            self._behind += len(data)
            _read_no_more(self._transport, self._behind)

    def pause_writing(self) -> None:
        self._room = self._loop.create_future()
        self._server.unsent.falls_behind(self._transport, self._loop.time())

    def resume_writing(self) -> None:
        room, self._room = self._room, None
        if room is not None and not room.done():
            room.set_result(None)
        self._server.unsent.caught_up(self._transport)

    def abort(self) -> None:
        """Cut it off."""
        self._transport.abort()

    def end(self) -> None:
        """End it; one that has begun to ask gets its answer first, which any other would take for a cut."""
        self._last = True
        if not self._asked and not (self._parser.in_head and self._parser.unfinished):
            self._transport.close()

    async def _serve(self) -> None:
        """Answer one request after the other until the connection ends."""
        try:
            while not self._gone:
                if not self._asked:
                    self._idle = self._loop.create_future()
                    await self._idle
                    continue
                request = self._asked[0]
                answered, ends = await self._server.answer(request)
                if self._room is not None:
                    await self._room
                if not self._gone:
                    await self._send(request, answered, last=request.last or ends or self._last)
        except Exception as error:  # noqa: BLE001  # whatever it is, it ends this connection alone, and is in the log
            self._server.failed(request, error)
            self._transport.close()
        finally:
            self._server.left(self)

    async def _send(self, request: Request, answered: Answered, *, last: bool) -> None:
        closing = (_CLOSE,) if last else ()
        if isinstance(answered, Response):
            self._transport.write(answered.encode(self._server.date, *closing, bodiless=request.method == "HEAD"))
        else:
            await self._stream(request, answered, closing)
        self._asked.popleft()
        request.body.drop()
        if last:
            self._gone = True
            self._transport.close()
            return
        if len(self._asked) < 2:
            self._behind = 0
        self._transport.resume_reading()
        if not self._asked and self._parser.in_head and not self._parser.unfinished:
            self.due = self._loop.time() + KEEP_ALIVE

    async def _stream(self, request: Request, answered: StreamingResponse, closing: tuple[str, ...]) -> None:
        bodiless = request.method == "HEAD"
        # A stream's end is that of its connection to HTTP/1.0, which knows no chunks.
        chunked = ("transfer-encoding: chunked",) if request.version != "1.0" and not bodiless else ()
        try:
            async with aclosing(answered.parts) as parts:
                with answered.place:
                    self._streams = True
                    self._transport.write(encode_head(200, answered.fields, (self._server.date, *closing, *chunked)))
                    if not bodiless:
                        await self._send_parts(parts, chunked=bool(chunked))
        except AtlasError as error:
            if self._streams:
                raise
            self._transport.write(errors.answer(error).encode(self._server.date, *closing, bodiless=bodiless))
        finally:
            self._streams = False

    async def _send_parts(self, parts: AsyncIterator[bytes], *, chunked: bool) -> None:
        async for part in parts:
            self._transport.write(b"%x\r\n%b\r\n" % (len(part), part) if chunked else part)
            if self._room is not None:
                await self._room
        if chunked:
            self._transport.write(b"0\r\n\r\n")

    def _begins(self, request: Request) -> None:
        """See `http.parser.RequestParser`, for the two below as well."""
        self.due = self._loop.time() + BODY_WITHIN
        request.received(self._address, RequestBody(self._wanted), None if self._known else self._introduced)
        self._asked.append(request)
        self._body = request.body
        if self._idle is not None and not self._idle.done():
            self._idle.set_result(None)

    def _goes_on(self, piece: bytes) -> None:
        _read_no_more(self._transport, self._body.feed(piece))

    def _is_whole(self) -> None:
        self.due = _NEVER if self._asked else self._loop.time() + KEEP_ALIVE
        self._body.end()

    def _wanted(self) -> None:
        """The rest of the body is waited for."""
        request = self._asked[0]
        if request.expects:
            request.expects = False
            self._transport.write(_CONTINUE)
        self._transport.resume_reading()

    def _introduced(self) -> None:
        self._known = True
        self._server.crowd.introduce(self._transport)

    def _refuse(self, error: AtlasError) -> None:
        """Answer what no handler can; the connection ends when the peer has read it, or after a while."""
        endless = error.code == "head_too_long" and not self._parser.in_head
        if self._streams or endless:  # nothing may come between the parts of an answer
            self._transport.abort()
            return
        # What was asked for is not all there, and will not be.
        self._let_go()
        self._transport.write(errors.answer(error).encode(self._server.date, _CLOSE))
        self._transport.write_eof()
        self._dropped = 0
        self.due = self._loop.time() + HEAD_WITHIN

    def _let_go(self) -> None:
        """Nobody reads an answer any more."""
        self._gone = True
        for request in self._asked:
            request.body.cut()
        for waiting in (self._idle, self._room):
            if waiting is not None and not waiting.done():
                waiting.set_result(None)


class HttpServer:
    """One listening socket, its connections, and what answers their requests.

    Attributes:
        connections: those that are open or have a request that is not dealt with, each with the task that does so.
        tasks: in which connections are served, while the server runs.
        crowd: is told of all connections.
        unsent: is told of those that are behind in reading.
        date: the line that tells the time, in every answer.
    """

    tasks: asyncio.TaskGroup

    def __init__(
        self,
        handler: Handler,
        listener: socket.socket,
        *,
        drain: float,
        crowd: Crowd,
        log: FilteringBoundLogger,
        unsent: Unsent | None = None,
    ) -> None:
        """`drain`: seconds within which what is being answered at the end has to be answered."""
        self.connections: dict[_Connection, asyncio.Task[None]] = {}
        self.crowd = crowd
        self.unsent = unsent or Unsent()
        self.date = _date()
        self._handler = handler
        self._listener = listener
        self._drain = drain
        self._log = log
        self._stopped = asyncio.Event()
        self._empty = asyncio.Event()

    async def run(self) -> None:
        """Serve until `stop`."""
        loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as group:
            sweeping = group.create_task(self._sweep())
            try:
                async with asyncio.TaskGroup() as self.tasks:
                    listening = await loop.create_server(
                        lambda: _Connection(self), sock=self._listener, backlog=_BACKLOG
                    )
                    await self._stopped.wait()
                    listening.close()
                    await self._end()
            finally:
                sweeping.cancel()

    def stop(self) -> None:
        """Take no more requests, finish those that are being answered, bounded by `drain`; then `run` returns."""
        self._stopped.set()

    async def answer(self, request: Request) -> tuple[Answered, bool]:
        """Return what a request is answered, and whether its connection ends with that."""
        if self._stopped.is_set():
            return errors.stopping(), True
        if len(self.connections) > MAX_CONNECTIONS:
            return errors.crowded(), True
        try:
            return await self._handler(request), False
        except Exception as error:  # noqa: BLE001  # whatever it is, the caller has to be answered
            if not isinstance(error, AtlasError):
                self.failed(request, error)
            return errors.answer(error), False

    def failed(self, request: Request, error: Exception) -> None:
        """Something went wrong here with a request."""
        self._log.error("request_failed", method=request.method, path=request.path, exc_info=error)

    def left(self, one: _Connection) -> None:
        """A connection has ended."""
        self.connections.pop(one, None)
        if not self.connections:
            self._empty.set()

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP)
            self.date = _date()
            now = asyncio.get_running_loop().time()
            for one in [one for one in self.connections if one.due <= now]:
                one.abort()
            self.unsent.sweep(now)

    async def _end(self) -> None:
        """End all connections, those first that nobody asks anything on."""
        for one in list(self.connections):
            one.end()
        self._empty.clear()
        try:
            async with asyncio.timeout(self._drain):
                while self.connections:
                    await self._empty.wait()
        except TimeoutError:
            for one, answering in list(self.connections.items()):
                answering.cancel()
                one.abort()


def _date() -> str:
    return f"date: {formatdate(wall(), usegmt=True)}"


def _read_no_more(transport: asyncio.Transport, unread: int) -> None:
    if unread > _AHEAD and not transport.is_closing():
        transport.pause_reading()


def listen(host: str, port: int, setting: str) -> socket.socket:
    """Return a listening socket.

    Raises:
        ConfigurationError: the port is taken or the address is not this machine's; names the setting to change.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.create_server((host, port), family=family, backlog=2048)
    except (UnicodeError, socket.gaierror):
        raise _no_address(host, "is no address") from None
    except OSError as error:
        if error.errno == errno.EADDRNOTAVAIL:
            raise _no_address(host, "is no address of this machine") from None
        raise ConfigurationError(
            f"can't listen on {host}:{port} ({os.strerror(error.errno) if error.errno else error}): "
            f"stop what uses it, or choose another port with {setting}",
            code="address_in_use",
        ) from None
    if sys.platform == "linux":
        # A peer that takes nothing for so long is cut, whatever waits to be sent to it (RFC 5482).
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(READ_WITHIN * 1000))
    listener.setblocking(False)
    return listener


def _no_address(host: str, what: str) -> ConfigurationError:
    return ConfigurationError(f"can't listen on {host}, which {what}: correct --host or ATLAS_HOST")


async def until(stop: asyncio.Event, server: HttpServer) -> None:
    """Run the server until `stop` is set and what it was answering is answered."""
    async with asyncio.TaskGroup() as group:
        running = group.create_task(server.run())
        await stop.wait()
        server.stop()
        await running
