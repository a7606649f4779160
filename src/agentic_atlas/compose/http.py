"""The HTTP server: uvicorn within our loop and life-time, with deadlines that it lacks by itself.

Plain uvicorn keeps a half-sent request for ever, takes headers of any size, and raises a signal again after it has
stopped. Here a request's head is due within 10 s and 64 KiB, its body within a minute, and signals are the program's.
What is no request is told so in our one form, and the peer has a chance to read it.
A request that begins while the server stops is told so; plain uvicorn would hang up on half of one.
"""

import asyncio
import contextlib
import errno
import os
import socket
import sys
from asyncio import AbstractEventLoop, TimerHandle, Transport
from collections import deque
from collections.abc import Generator
from functools import partial
from http import HTTPStatus

import httptools
import uvicorn
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from agentic_atlas.compose.unsent import READ_WITHIN, Unsent
from agentic_atlas.errors import AtlasError, ConfigurationError
from agentic_atlas.http import errors
from agentic_atlas.http.front import MAX_HEAD
from agentic_atlas.http.requests import INTRODUCED
from agentic_atlas.transport.head import LINGER
from agentic_atlas.transport.server import Crowd

HEAD_WITHIN = 10.0
"""Seconds from a connection, or from the last answer on it, to the whole head of a request."""
BODY_WITHIN = 60.0
"""Seconds within which the rest of a body has to come."""
SWEEP = 1.0
"""Seconds between two looks at these deadlines."""
MAX_CONNECTIONS = 10_000
"""Connections at the same time; more are answered 503. Not `limit_concurrency` of uvicorn, whose answer names no code
and no time to come back."""

_FRAMING = (b"content-length", b"transfer-encoding")


class _Protocol(HttpToolsProtocol):
    """uvicorn's protocol with a deadline for each part of a request, and a bound for its head."""

    def __init__(
        self,
        config: uvicorn.Config,
        server_state: ServerState,
        app_state: dict[str, object],
        _loop: AbstractEventLoop | None = None,
        *,
        crowd: Crowd,
        unsent: Unsent,
    ) -> None:
        # How the application says that who asks has shown an API key that is good.
        super().__init__(config, server_state, app_state | {INTRODUCED: self._introduced}, _loop)
        self._crowd = crowd
        self._unsent = unsent
        self._deadline: TimerHandle | None = None
        self._allowed: float | None = None
        self._feeding = False
        self._in_head = True
        self._advanced = False
        self._lines = 0
        self._last = False
        self._dropped: int | None = None
        self._told = False
        self._asked: deque[RequestResponseCycle] = deque()
        self.url = b""

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        super().connection_made(transport)
        self._within(HEAD_WITHIN)
        self._crowd.enter(self, self.client[0] if self.client else "")

    def connection_lost(self, exc: Exception | None) -> None:
        self._within(None)
        self._crowd.leave(self)
        self._unsent.caught_up(self)
        self._cut()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._dropped is not None:
            self._drop(len(data))
            return
        self._feeding = True
        if self._in_head and self._deadline is None:
            self._within(HEAD_WITHIN)
        self._take(data)
        self._feeding = False
        self._arm()

    def _take(self, data: bytes) -> None:
        self._advanced = False
        self._unset_keepalive_if_required()
        try:
            rest = self._fed(data)
            while rest:
                rest = self._fed(rest)
        except httptools.HttpParserError:
            # The parser takes addresses of up to 64 KiB.
            self._refuse(errors.malformed() if len(self.url) < MAX_HEAD else errors.head_too_long(MAX_HEAD))
            return
        # What brought neither a whole head nor a piece of a body is a part of a head, or of trailers.
        self._lines = 0 if self._advanced else self._lines + len(data)
        if self._lines > MAX_HEAD and not self.transport.is_closing():
            self._too_long()

    def _fed(self, data: bytes) -> bytes:
        """Feed the parser; return what comes after a head that asks for another protocol, which it stops at."""
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as stopped:
            self._decline()
            return data[stopped.args[0] :]
        return b""

    def _decline(self) -> None:
        """Go on in HTTP/1.1 after a request for another protocol (RFC 9110, 7.8): its body is one like any other."""
        framing = [name + b": " + value for name, value in self.headers if name in _FRAMING]
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self.cycle.more_body = True
        self._in_head = False
        self._within(BODY_WITHIN)
        # The new parser has to know how its body ends, and nobody needs to hear of the head again.
        self._told = True
        self.parser.feed_data(b"\r\n".join([b"POST / HTTP/1.1", b"host: again", *framing, b"", b""]))
        self._told = False

    def on_message_begin(self) -> None:
        if not self._told:
            super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        if not self._told:
            super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._told:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        if self._told:
            return
        self._in_head, self._advanced = False, True
        self._within(BODY_WITHIN)
        super().on_headers_complete()
        if self.cycle is not None:
            self._unanswered().append(self.cycle)
            self.cycle.keep_alive = self.cycle.keep_alive and not self._last

    def on_body(self, body: bytes) -> None:
        self._advanced = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._in_head, self._advanced = True, True
        self._within(None)
        super().on_message_complete()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._unsent.falls_behind(self, self.loop.time())

    def resume_writing(self) -> None:
        super().resume_writing()
        self._unsent.caught_up(self)

    def unsent(self) -> int:
        """Return the bytes that wait to be sent."""
        return self.transport.get_write_buffer_size()

    def abort(self) -> None:
        """Cut it off."""
        self.transport.abort()

    def _introduced(self) -> None:
        self._crowd.introduce(self)

    def shutdown(self) -> None:
        # One that has begun to ask gets its answer before the connection ends, which any other would take for a cut.
        self._last = True
        if not (self._in_head and self._lines):
            super().shutdown()

    def _too_long(self) -> None:
        if self._in_head:
            self._refuse(errors.head_too_long(MAX_HEAD))
        else:
            self.transport.abort()

    def _refuse(self, error: AtlasError) -> None:
        """Answer what no application can; the connection ends when the peer has read it, or after a while."""
        if any(cycle.response_started for cycle in self._unanswered()):
            self.transport.abort()  # another answer is under way, and nothing may come between its parts
            return
        # What was asked for is not all there, and will not be.
        self._cut()
        self.transport.write(_as_sent(errors.answer(error)))
        self.transport.write_eof()
        self._dropped = 0
        self._within(HEAD_WITHIN)

    def _unanswered(self) -> "deque[RequestResponseCycle]":
        """Return the requests that are answered now or later: more may have been sent before the first had its answer.

        Uvicorn itself knows only the last of them.
        """
        while self._asked and self._asked[0].response_complete:
            self._asked.popleft()
        return self._asked

    def _cut(self) -> None:
        """Let them know that nobody reads an answer any more."""
        for cycle in self._unanswered():
            cycle.disconnected = True
            cycle.message_event.set()

    def _drop(self, nbytes: int) -> None:
        assert self._dropped is not None
        self._dropped += nbytes
        if self._dropped > LINGER:
            self.transport.abort()

    def _within(self, seconds: float | None) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        self._allowed = seconds
        if not self._feeding:
            self._arm()

    def _arm(self) -> None:
        """Set the alarm for what is still due once all that has come is looked at: most requests come whole."""
        if self._allowed is not None and self._deadline is None:
            self._deadline = self.loop.call_later(self._allowed, self._late)

    def _late(self) -> None:
        self._deadline = None
        self.transport.abort()


def _as_sent(response: Response) -> bytes:
    """Return an answer that ends its connection, as it goes over the wire."""
    status = HTTPStatus(response.status_code)
    fields = [*response.raw_headers, (b"connection", b"close")]
    head = [b"HTTP/1.1 %d %b" % (status.value, status.phrase.encode("ascii"))]
    head += [name + b": " + value for name, value in fields]
    return b"\r\n".join([*head, b"", bytes(response.body)])


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        # Signals are the program's; uvicorn would raise them again after it has stopped.
        yield


class HttpServer:
    """One listening socket and the application behind it."""

    def __init__(
        self, app: ASGIApp, listener: socket.socket, *, drain: float, crowd: Crowd, unsent: Unsent | None = None
    ) -> None:
        self._app = app
        self._stopping = False
        self._unsent = unsent or Unsent()
        config = uvicorn.Config(
            self._answer,
            interface="asgi3",
            http=partial(_Protocol, crowd=crowd, unsent=self._unsent),  # type: ignore[arg-type]  # only ever called
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=65,
            timeout_graceful_shutdown=max(1, round(drain)),
        )
        self._server = _Server(config)
        self._listener = listener

    async def run(self) -> None:
        """Serve until `stop`."""
        async with asyncio.TaskGroup() as group:
            sweeping = group.create_task(self._sweep())
            await self._server.serve(sockets=[self._listener])
            sweeping.cancel()

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP)
            self._unsent.sweep(asyncio.get_running_loop().time())

    def stop(self) -> None:
        """Take no more requests, finish those that are being answered, bounded by `drain`; then `run` returns."""
        self._stopping = True
        self._server.should_exit = True

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._who_answers()(scope, receive, send)

    def _who_answers(self) -> ASGIApp:
        if self._stopping:
            return errors.stopping()
        return errors.crowded() if len(self._server.server_state.connections) > MAX_CONNECTIONS else self._app


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
