"""The HTTP server, within our loop and life-time: connections, their deadlines, and what they are answered.

A request's head is due within 10 s and 64 KiB, its body within a minute and at no less than a KiB a second; all that
waits to be sent is bounded. What is no request is told so in our one form, and the peer has a chance to read it.
Requests of one connection are answered one after the other, as they came, those of strangers in turns
(`transport.crowd`); one that begins while the server stops is told so.
"""

import asyncio
import errno
import os
import socket
import ssl
import sys
from collections import Counter, deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, suppress
from email.utils import formatdate
from enum import Enum, auto
from typing import Final, cast

from agentic_atlas.auth.proxies import FORWARDED_FOR, Proxies
from agentic_atlas.compose.deadline import BODY_WITHIN, Deadline
from agentic_atlas.compose.sources import wall
from agentic_atlas.compose.unsent import READ_WITHIN, Unsent
from agentic_atlas.errors import AtlasError, ConfigurationError
from agentic_atlas.http import errors
from agentic_atlas.http.messages import Answered, Request, RequestBody, Response, encode_head
from agentic_atlas.http.parser import RequestParser
from agentic_atlas.http.routes import Refusal, in_json
from agentic_atlas.observe.logs import Log
from agentic_atlas.transport.crowd import Crowd

SWEEP = 0.5
"""Seconds between two looks at the deadlines of connections."""
HEAD_WITHIN = 10.0 - SWEEP
"""Seconds from a connection, or from its first byte, to the whole head of a request: it is cut off within 10."""
KEEP_ALIVE = 65.0
"""Seconds from an answer to the next request on its connection."""
LAST_WORDS = 1.0
"""Seconds, once the time of a stop is over, for whoever has sent half a request to read why it ends."""
MAX_CONNECTIONS = 10_000
"""Connections at the same time; more are answered 503."""
MAX_DROPPED = 16 * 1024 * 1024
"""Bytes dropped behind what could be read, or was worth it, for a peer that still sends would be reset before it has
read its answer; none is kept."""

_AHEAD: Final = 64 * 1024
"""Bytes of a body that nobody has read yet, or of what is not parsed yet, after which no more is read."""
_MOST_ASKED: Final = 16
"""Requests that wait, after which no more are parsed."""
_BREATH: Final = 0.005
"""Seconds without reading after a piece that is dropped: who sends on and on keeps nobody from their turn."""
_AT_ONCE: Final = 4 * 1024
"""Bytes parsed at a time, and so as many requests as they hold."""
_BACKLOG: Final = 2048
_NEVER: Final = float("inf")
_SAFE: Final = ("GET", "HEAD")
_CLOSE: Final = "connection: close"
_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"

Handler = Callable[[Request], Awaitable[Answered]]


class _Stage(Enum):
    """What a connection is doing."""

    OPEN = auto()
    """Requests are read and answered, one after the other."""
    LAST = auto()
    """No more are taken; those that were are answered, then what could not be read, and then it ends."""
    LINGERS = auto()
    """All is answered; what still comes is dropped, for it would reset the connection before the peer has read that."""
    ENDS = auto()
    """It is being closed."""
    GONE = auto()
    """It is closed."""


class _Connection(asyncio.Protocol):
    """One accepted connection.

    Attributes:
        stage: what it is doing.
        room: done when what waits to be sent has become less; None: there is room.
        deadline: when it is cut off unless something happens before, by the loop's clock.
        transport: what it came with.
        answering: answers what is asked on it.
    """

    transport: asyncio.Transport
    answering: asyncio.Task[None]

    def __init__(self, server: "HttpServer") -> None:
        self.deadline = Deadline()
        self._server = server
        self.stage = _Stage.OPEN
        self._parser = RequestParser(self._begins)
        self._address = ""
        self._unread = memoryview(b"")
        """What came and is not parsed yet, for enough requests wait."""
        self._asked: deque[Request] = deque()
        """Requests that are not answered yet, the first one being answered."""
        self._body = RequestBody()
        """Of the one that was asked last."""
        self._awaited = False
        """More of it is waited for."""
        self._refusal: AtlasError | None = None
        """Why what came behind them is no request."""
        self._ended = False
        """The peer sends nothing more."""
        self._strange = True
        """Nobody knows who it is."""
        self._streams = False
        self._dropped = 0
        self._idle: asyncio.Future[None] | None = None
        self.room: asyncio.Future[None] | None = None
        self._loop = asyncio.get_running_loop()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is none by its class
        self.answering = self._server.tasks.create_task(self._serve())
        self.answering.add_done_callback(lambda _: self._server.left(self))
        peer = transport.get_extra_info("peername")
        self._address = str(peer[0]) if peer else ""
        self.deadline.set(self._loop.time(), HEAD_WITHIN)
        self._server.entered(self, self.answering)
        self._server.crowd.enter(self.transport, self._address)

    def connection_lost(self, exc: Exception | None) -> None:
        self.stage = _Stage.GONE
        self.deadline.never()
        self._server.open -= 1
        self._server.crowd.leave(self.transport)
        self._server.unsent.caught_up(self.transport)
        self._body.cut()
        if self._asked and self._asked[0].method not in _SAFE and not self._streams:
            _wake(self.room)  # what may change something is done to its end
        else:
            self.answering.cancel()
        self._server.left(self)

    def data_received(self, data: bytes) -> None:
        if self.stage is _Stage.OPEN:
            self._unread = memoryview(b"".join((self._unread, data)) if self._unread else data)
            self._read_on(len(data))
            return
        self._dropped += len(data)
        if self._dropped > MAX_DROPPED:
            self.transport.abort()
            return
        self.transport.pause_reading()
        self._loop.call_later(_BREATH, self.transport.resume_reading)

    def eof_received(self) -> bool:
        """Tell whether something is left to be answered: a peer may end its side and wait for that."""
        if self._streams or self.stage not in _SERVING:  # of who watches it is the only sign of having gone
            return False
        self._ended = True
        self._read_on()
        return bool(self._asked) or self._refusal is not None

    def pause_writing(self) -> None:
        self.room = self._loop.create_future()
        self._server.unsent.falls_behind(self.transport, self._loop.time())

    def resume_writing(self) -> None:
        room, self.room = self.room, None
        _wake(room)
        self._server.unsent.caught_up(self.transport)

    def end(self) -> None:
        """End it; one that has begun to ask gets its answer first, which any other would take for a cut."""
        if not self._asked and not (self._parser.in_head and self._parser.unfinished):
            self.transport.close()

    def give_up(self) -> bool:
        """Wait no longer for the rest of what has begun to come, and say so; tell whether there is any."""
        waits = self.stage is _Stage.OPEN and (not self._parser.in_head or self._parser.unfinished > 0)
        if waits:
            self._refuse(errors.stopping())
            _wake(self._idle)
        return waits

    async def _serve(self) -> None:
        """Answer one request after the other until the connection ends."""
        request = Request("", "")
        try:
            while self.stage in _SERVING:
                if self._asked:
                    request = self._asked[0]
                    await self._answer(request)
                elif self.stage is _Stage.LAST and self.room is not None:
                    await self.room  # who is still reading a long answer has time for it
                elif self.stage is _Stage.LAST:
                    self._finish()
                else:
                    self._idle = self._loop.create_future()
                    await self._idle
        except Exception as error:  # noqa: BLE001  # whatever it is, it ends this connection alone, and is in the log
            self._server.failed(request, error)
            self.stage = _Stage.ENDS
            self.transport.close()

    async def _answer(self, request: Request) -> None:
        wait = self._server.crowd.turn(self.transport) if self._strange else 0.0
        if wait > 0.0:
            await asyncio.sleep(wait)
            if self.stage not in _SERVING:
                return
        answered, ends = await self._server.answer(request)
        status = answered.status if isinstance(answered, Response) else 200
        self._server.answered[request.method if request.route else "", request.route, status] += 1
        if self.room is not None:
            await self.room
        if self.stage not in _SERVING:
            return
        # The rest of a body that was not all there by now is dropped as it comes: nobody wants it any more.
        through = not self._parser.in_head or (self.stage is _Stage.LAST and self._refusal is None)
        if request.last or ends or (through and len(self._asked) == 1):
            await self._send(request, answered, _CLOSE)
            self._asked.clear()
            self.stage, self._refusal = _Stage.LAST, None
            return
        await self._send(request, answered)
        self._asked.popleft()
        request.body.drop()
        self._read_on()
        if self._asked:
            await asyncio.sleep(0)  # others have their turn between two that came together

    async def _send(self, request: Request, answered: Answered, *closing: str) -> None:
        if isinstance(answered, Response):
            self.transport.write(answered.encode(self._server.date, *closing, bodiless=request.method == "HEAD"))
            return
        bodiless = request.method == "HEAD"
        # A stream's end is that of its connection to HTTP/1.0, which knows no chunks.
        chunked = ("transfer-encoding: chunked",) if request.version != "1.0" and not bodiless else ()
        try:
            async with aclosing(answered.parts) as parts:
                with answered.place:
                    self._streams = True
                    self.transport.write(encode_head(200, answered.fields, (self._server.date, *closing, *chunked)))
                    if not bodiless:
                        await _send_parts(self, parts, chunked=bool(chunked))
        except AtlasError as error:
            if self._streams:
                raise
            self.transport.write(errors.answer(error).encode(self._server.date, *closing, bodiless=bodiless))
        finally:
            self._streams = False

    def _finish(self) -> None:
        """All is answered but what could not be read."""
        refusal, self._refusal = self._refusal, None
        if refusal is not None:
            answer = errors.answer(refusal)
            self._server.answered["", "", answer.status] += 1
            self.transport.write(answer.encode(self._server.date, _CLOSE))
        between = self._parser.in_head and not self._parser.unfinished and not self._unread and not self._dropped
        self._unread = memoryview(b"")
        if self._ended or self.transport.is_closing() or (between and refusal is None):
            self.stage = _Stage.ENDS
            self.deadline.never()
            self.transport.close()
            return
        self.stage = _Stage.LINGERS
        self.deadline.set(self._loop.time(), HEAD_WITHIN)
        if self.transport.can_write_eof():
            self.transport.write_eof()
            self.transport.resume_reading()
        else:  # TLS has no half-closed connection; its goodbye tells the peer that this is the end
            self.transport.close()

    def _read_on(self, came: int = 0) -> None:
        """Parse what has come, and see to it that there is neither too much of it nor too little in too long."""
        try:
            self._parse()
        except AtlasError as error:
            self._refuse(error)
        if self.stage is _Stage.LAST:
            self._dropped, self._unread = self._dropped + len(self._unread), memoryview(b"")
            _wake(self._idle)
        self.deadline.keep(self._loop.time(), self._patience(), came)
        if self.transport.is_closing() or self._ended:
            return
        if max(len(self._unread), self._body.waiting) > _AHEAD:
            self.transport.pause_reading()
            self.deadline.held_up()
        else:
            self.transport.resume_reading()

    def _parse(self) -> None:
        while self._unread and self.stage is _Stage.OPEN and len(self._asked) < _MOST_ASKED:
            if self._strange and not (self._awaited or self._parser.in_head):
                break  # a stranger's body may come a byte at a time, and nearly always is for nobody
            piece, self._unread = self._unread[:_AT_ONCE], self._unread[_AT_ONCE:]
            self._parser.feed(piece)
        if self._ended and self.stage is _Stage.OPEN and not self._unread:
            self.stage = _Stage.LAST
            if not self._parser.in_head or self._parser.unfinished:
                raise errors.cut_off()

    def _patience(self) -> float:
        """Return the seconds within which something has to happen."""
        if self._ended:
            return HEAD_WITHIN
        if self._unread or self.stage is _Stage.LAST:
            return _NEVER  # what comes next is for us to do
        if not self._parser.in_head:
            return BODY_WITHIN
        if self._parser.unfinished:
            return HEAD_WITHIN
        return _NEVER if self._asked else KEEP_ALIVE

    def _begins(self, request: Request) -> None:
        """See `http.parser.RequestParser`."""
        proxies, address = self._server.proxies, self._address
        if proxies is not None:
            address = proxies.origin(address, request.all(FORWARDED_FOR))
        request.received(address, RequestBody(self._wanted), self._introduced if self._strange else None)
        self.deadline.anew()  # each has its own time
        self._asked.append(request)
        self._body, self._awaited = request.body, False
        _wake(self._idle)

    def _introduced(self) -> None:
        """Who asks is known."""
        self._strange = False
        self._server.crowd.introduce(self.transport)

    def _wanted(self) -> None:
        """The rest of the body is waited for."""
        request = self._asked[0]
        if not self._awaited:
            self._awaited = True
            self._loop.call_soon(self._read_on, len(self._unread))  # once it is waited for
        if request.expects:
            request.expects = False
            self.transport.write(_CONTINUE)
            self.deadline.held_up()
        if not self._ended and not self.transport.is_closing():
            self.transport.resume_reading()
            self.deadline.wanted(self._loop.time())

    def _refuse(self, error: AtlasError) -> None:
        """What was read is no request, or no body of one; it is told so behind all that was asked before."""
        error.with_traceback(None)  # which holds what was read, and this stays for as long as the peer does
        endless = error.code == "head_too_long" and not self._parser.in_head
        if self._streams or endless:  # nothing may come between the parts of an answer
            self.stage = _Stage.ENDS
            self.transport.abort()
            return
        self.stage = _Stage.LAST
        if self._parser.in_head:
            self._refusal = error
        else:
            self._body.cut(error)


async def _send_parts(one: _Connection, parts: AsyncIterator[bytes], *, chunked: bool) -> None:
    """Send an answer in parts, each when there is room for it."""
    async for part in parts:
        one.transport.write(b"%x\r\n%b\r\n" % (len(part), part) if chunked else part)
        if one.room is not None:
            await one.room
    if chunked:
        one.transport.write(b"0\r\n\r\n")


_SERVING: Final = (_Stage.OPEN, _Stage.LAST)


class HttpServer:
    """One listening socket, its connections, and what answers their requests.

    Attributes:
        connections: those that are open or have a request that is not dealt with, each with the task that does so.
        open: how many are open.
        answered: how many requests were, by method, route and status; the first two are empty where there is no route.
        tasks: in which connections are served, while the server runs.
        crowd: is told of all connections.
        unsent: is told of those that are behind in reading.
        proxies: who is believed about where a request comes from; None: nobody.
        date: the line that tells the time, in every answer.
        refusal: what is answered where nobody foresaw what went wrong; JSON, unless that is set.
    """

    tasks: asyncio.TaskGroup

    def __init__(
        self,
        handler: Handler,
        listener: socket.socket,
        *,
        drain: float,
        crowd: Crowd,
        log: Log,
        unsent: Unsent | None = None,
        tls: ssl.SSLContext | None = None,
        proxies: Proxies | None = None,
    ) -> None:
        """`drain`: seconds within which what is being answered at the end has to be answered; `tls`: for HTTPS;
        `proxies`: who is believed about where a request comes from."""
        self.connections: dict[_Connection, asyncio.Task[None]] = {}
        self.open = 0
        self.answered: Counter[tuple[str, str, int]] = Counter()
        self.crowd = crowd
        self.unsent = unsent or Unsent()
        self.refusal: Refusal = in_json
        self._date = 0, ""
        self._handler = handler
        self._listener = listener
        self.proxies = proxies
        self._tls = tls
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
                        lambda: _Connection(self),
                        sock=self._listener,
                        backlog=_BACKLOG,
                        ssl=self._tls,
                        ssl_handshake_timeout=HEAD_WITHIN if self._tls else None,
                        ssl_shutdown_timeout=SWEEP if self._tls else None,
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
            return errors.answer(errors.stopping()), True
        if self.open > MAX_CONNECTIONS:
            return errors.crowded(), True
        try:
            return await self._handler(request), self._stopped.is_set()
        except Exception as error:  # noqa: BLE001  # whatever it is, the caller has to be answered
            if not isinstance(error, AtlasError):
                self.failed(request, error)
            return self.refusal(request, error), self._stopped.is_set()

    def failed(self, request: Request, error: Exception) -> None:
        """Something went wrong here with a request."""
        self._log.error("request_failed", method=request.method, path=request.path, exc_info=error)

    def entered(self, one: _Connection, answering: asyncio.Task[None]) -> None:
        """A connection was accepted."""
        self.open += 1
        self.connections[one] = answering

    @property
    def date(self) -> str:
        """What an answer says of when it was made, to the second (RFC 9110 §6.6.1)."""
        second = int(wall())
        if second != self._date[0]:
            self._date = second, f"date: {formatdate(second, usegmt=True)}"
        return self._date[1]

    def left(self, one: _Connection) -> None:
        """A connection has ended, or what it asked for has; it counts until both have."""
        if one.stage is _Stage.GONE and one.answering.done():
            self.connections.pop(one, None)
        if not self.connections:
            self._empty.set()

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP)
            now = asyncio.get_running_loop().time()
            for one in [one for one in self.connections if one.deadline.due <= now]:
                one.transport.abort()
            self.unsent.sweep(now)

    async def _end(self) -> None:
        """End all connections, those first that nobody asks anything on."""
        for one in list(self.connections):
            one.end()
        await self._ended(self._drain)
        if [one for one in list(self.connections) if one.give_up()]:
            await self._ended(LAST_WORDS)
        for one, answering in list(self.connections.items()):
            answering.cancel()
            one.transport.abort()

    async def _ended(self, within: float) -> None:
        """Return when all connections have ended, or so many seconds are over."""
        self._empty.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                while self.connections:
                    await self._empty.wait()


def _wake(waiting: asyncio.Future[None] | None) -> None:
    if waiting is not None and not waiting.done():
        waiting.set_result(None)


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
