"""Listening for WebSockets: each accepted connection, from before its request to its very end.

What is read is counted: of a peer that has not said who it is no more than it may have to say, after a close of ours no
more than a close frame needs to come through, and never so much at once that what follows a violation would take long
to pass over.
"""

import asyncio
import ssl as tls
from collections.abc import Callable
from typing import NamedTuple, Protocol

from picows import WSAutoPingStrategy, WSUpgradeRequest, WSUpgradeResponse
from picows.common import WSUpgradeResponseWithListener

# Not exported: see `transport`.
from picows.picows import WSProtocol  # type: ignore[attr-defined]  # as in picows.api

from agentic_atlas.protocol.closing import encode_reason
from agentic_atlas.protocol.codec import ProtocolError
from agentic_atlas.transport.crowd import Crowd
from agentic_atlas.transport.head import Head, HttpAnswer, Incoming, read_head
from agentic_atlas.transport.limiter import ConnectionLimiter
from agentic_atlas.transport.receiver import Receiver, Terms
from agentic_atlas.transport.websocket import SILENT, WebSocket

_WRITE_HIGH = 256 * 1024
_WRITE_LOW = 64 * 1024
"""Bytes that wait to be sent: above the first the transport tells us so, below the second that there is room again."""
_FIRST_BUFFER = 2 * 1024
_BACKLOG = 1024
_AT_ONCE = 64 * 1024
"""Bytes read at a time: frames that came together are gone through together, those after a violation too."""
_AFTER_CLOSE = 64 * 1024

_get_buffer, _buffer_updated = WSProtocol.get_buffer, WSProtocol.buffer_updated

_UPGRADE = (
    b"GET / HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: %b\r\n\r\n"
)
"""What picows is given of a request that was let in."""


class Upgrade(NamedTuple):
    """A request becomes a WebSocket."""

    key: str
    """Its `Sec-WebSocket-Key`."""
    subprotocol: str
    """What is spoken from then on; empty: what both know without a word."""
    begin: Callable[[WebSocket], Receiver]
    """See `WebSocket`."""


class Door(Protocol):
    """Who decides what becomes of a request."""

    unknown_bytes: int
    """Bytes read of a peer before it has said who it is."""
    farewell: tuple[int, str]
    """Code and word of the close of a connection that is there when the server stops."""

    def origin(self, head: Head, peer: str) -> str:
        """Return the address that a request comes from, given that of its connection: another one behind a proxy."""

    def answer(self, head: Head, address: str, *, crowded: bool) -> Upgrade | HttpAnswer:
        """Let a request in, or answer it. Whatever this raises is answered by `refuse`.

        `crowded`: this connection is one too many.
        """

    def refuse(self, error: Exception, address: str) -> HttpAnswer:
        """Return the answer to a request that is not let in: `error` says why, or is a fault of ours."""

    def too_much(self) -> ProtocolError:
        """Return why a connection is closed on which more than `unknown_bytes` came."""

    def left(self, count: int) -> None:
        """So many connections were still there when the time to close them was over."""


class Listener:
    """A listening socket and its connections.

    Attributes:
        port: where it listens.
    """

    def __init__(
        self,
        door: Door,
        terms: Terms,
        limiter: ConnectionLimiter,
        crowd: Crowd,
        clock: Callable[[], float],
    ) -> None:
        """See `listen`."""
        self.port = 0
        self.door = door
        self.terms = terms
        self.limiter = limiter
        self.crowd = crowd
        self.clock = clock
        self.connections: set[Accepted] = set()
        self._empty = asyncio.Event()
        self._server: asyncio.Server | None = None

    async def open(self, host: str, port: int, ssl: tls.SSLContext | None) -> None:
        """Listen. Raises OSError when the address is taken or not this machine's."""
        Accepted(self)  # a picows with another constructor fails here, not at the first connection
        self._server = await asyncio.get_running_loop().create_server(
            lambda: Accepted(self),
            host,
            port,
            ssl=ssl,
            backlog=_BACKLOG,
            ssl_handshake_timeout=self.terms.tls_within if ssl else None,
            ssl_shutdown_timeout=self.terms.close_within if ssl else None,
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Listen no more and close all connections; takes no longer than the deadline of a close and a little."""
        if self._server is not None:
            self._server.close()
        for one in list(self.connections):
            one.end()
        await self._emptied(self.terms.close_within + 0.5)
        for one in list(self.connections):
            one.abort()
        await self._emptied(1.0)

    def ended(self, one: "Accepted") -> None:
        """A connection has ended."""
        self.connections.discard(one)
        if not self.connections:
            self._empty.set()

    async def _emptied(self, within: float) -> None:
        if not self.connections:
            return
        self._empty.clear()
        try:
            async with asyncio.timeout(within):
                await self._empty.wait()
        except TimeoutError:
            self.door.left(len(self.connections))


class Accepted(WSProtocol):  # type: ignore[misc]  # picows' stubs do not have its base
    """One accepted connection.

    Attributes:
        websocket: what it became, once its request was let in.
    """

    __slots__ = (  # as many as of those
        "_address",
        "_after_close",
        "_before_known",
        "_incoming",
        "_known",
        "_listener",
        "_raw",
        "_refused",
        "_subprotocol",
        "websocket",
    )

    def __init__(self, listener: Listener) -> None:
        super().__init__(
            host_port=None,
            ws_path=None,
            is_client_side=False,
            ws_listener_factory=self._accept,
            logger=SILENT,
            disconnect_on_exception=True,
            websocket_handshake_timeout=listener.terms.handshake_within,
            enable_auto_ping=False,
            auto_ping_idle_timeout=1.0,
            auto_ping_reply_timeout=1.0,
            auto_ping_strategy=WSAutoPingStrategy.PING_WHEN_IDLE,
            enable_auto_pong=False,
            max_frame_size=listener.terms.limits.message_bytes,
            extra_headers=None,
            read_buffer_init_size=_FIRST_BUFFER,
        )
        self.websocket: WebSocket | None = None
        self._listener = listener
        self._address = ""
        self._raw: asyncio.Transport | None = None
        self._incoming: Incoming | None = Incoming()
        self._refused: asyncio.TimerHandle | None = None
        self._subprotocol = ""
        self._before_known = listener.door.unknown_bytes
        self._after_close = _AFTER_CLOSE
        self._known = False

    def end(self) -> None:
        """Close it: with a close frame after the handshake, else at once."""
        if self.websocket is not None and self.websocket.opened:
            code, word = self._listener.door.farewell
            self.websocket.close(code, encode_reason(word))
        else:
            self.abort()

    def abort(self) -> None:
        """Cut it off."""
        if self._raw is not None:
            self._raw.abort()

    # -- called by the event loop

    def connection_made(self, transport: asyncio.Transport) -> None:
        """It was accepted, and its TLS handshake is done."""
        self._raw = transport
        transport.set_write_buffer_limits(_WRITE_HIGH, _WRITE_LOW)
        peername = transport.get_extra_info("peername")
        self._address = str(peername[0]) if peername else ""
        self._listener.connections.add(self)
        self._listener.limiter.enter(self._address)
        super().connection_made(transport)
        self._listener.crowd.enter(transport, self._address)
        if self._listener.limiter.overrun(self._address):
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """It has ended."""
        if self._refused is not None:
            self._refused.cancel()
        self._listener.limiter.leave(self._address)
        if self._raw is not None:
            self._listener.crowd.leave(self._raw)
        super().connection_lost(exc)
        self._listener.ended(self)

    def get_buffer(self, size_hint: int) -> object:
        """Return where the next bytes go."""
        if self._incoming is not None:
            return self._incoming.room()
        room: memoryview = _get_buffer(self, size_hint)
        return room if len(room) <= _AT_ONCE else room[:_AT_ONCE]

    def buffer_updated(self, nbytes: int) -> None:
        """So many bytes came."""
        websocket = self.websocket
        if websocket is not None:
            if (self._known and websocket.closed is None) or self._takes(websocket, nbytes):
                websocket.reading = True
                _buffer_updated(self, nbytes)
                websocket.look()
        elif self._incoming is not None:
            if self._refused is None:
                self._read(self._incoming, nbytes)
            elif self._incoming.drop(nbytes):
                self.abort()

    def _takes(self, websocket: WebSocket, nbytes: int) -> bool:
        """Tell whether the frames of so many bytes more are looked at; else they are dropped."""
        receiver = websocket.receiver
        if websocket.closed is not None:
            self._after_close -= nbytes
            if self._after_close < 0:
                self.abort()
            return self._after_close >= 0
        self._known = receiver is not None and receiver.known
        if receiver is not None and not self._known:
            self._before_known -= nbytes
            if self._before_known < 0:
                receiver.fail(self._listener.door.too_much())
                return False
        return True

    def _read(self, incoming: Incoming, nbytes: int) -> None:
        """Answer the request once its head is whole. Never raises: nobody but the log may learn of a fault of ours."""
        head, more = None, b""
        try:
            whole = incoming.take(nbytes)
            if whole is None:
                return
            head, more = read_head(whole[0]), whole[1]
            self._comes_from(self._listener.door.origin(head, self._address))
            crowded = self._listener.limiter.full(self._address)
            answer = self._listener.door.answer(head, self._address, crowded=crowded)
        except Exception as error:  # noqa: BLE001 - see above; the door tells them apart
            answer = self._listener.door.refuse(error, self._address)
        if isinstance(answer, Upgrade):
            self._upgrade(answer, more)
        else:
            self._answer(answer.encode(bodiless=head is not None and head.method == "HEAD"))

    def _comes_from(self, origin: str) -> None:
        """It counts among those of this address."""
        if origin != self._address:
            self._listener.limiter.leave(self._address)
            self._address = origin
            self._listener.limiter.enter(origin)

    def _upgrade(self, upgrade: Upgrade, more: bytes) -> None:
        """Go on as a WebSocket; `more` is what came after the head."""
        assert self._raw is not None
        self._listener.crowd.introduce(self._raw)
        self._incoming = None
        self._subprotocol = upgrade.subprotocol
        self.websocket = WebSocket(upgrade.begin, self._listener.terms, self._listener.clock)
        self._feed(_UPGRADE % upgrade.key.encode("ascii") + more)
        self.websocket.look()

    def _answer(self, data: bytes) -> None:
        """Send the last bytes of this connection; what the peer still sends is dropped until it has read them."""
        assert self._raw is not None
        self._refused = asyncio.get_running_loop().call_later(self._listener.terms.close_within, self._raw.abort)
        self._raw.write(data)
        if self._raw.can_write_eof():
            self._raw.write_eof()
        else:
            self._raw.close()

    def _feed(self, data: bytes) -> None:
        """Give picows what it would have read itself."""
        left = memoryview(data)
        while left:
            room: memoryview = _get_buffer(self, -1)
            size = min(len(room), len(left))
            room[:size] = left[:size]
            _buffer_updated(self, size)
            left = left[size:]

    def _accept(self, _request: WSUpgradeRequest) -> WSUpgradeResponseWithListener:
        said = [("Sec-WebSocket-Protocol", self._subprotocol)] if self._subprotocol else []
        accepted = WSUpgradeResponse.create_101_response(said)
        return WSUpgradeResponseWithListener(accepted, self.websocket)


async def listen(
    door: Door,
    terms: Terms,
    *,
    host: str,
    port: int,
    limiter: ConnectionLimiter,
    crowd: Crowd,
    clock: Callable[[], float],
    ssl: tls.SSLContext | None = None,
) -> Listener:
    """Listen for WebSockets on the running loop.

    Args:
        door: decides what becomes of each request.
        terms: room and time for each connection.
        host: address to listen on.
        port: 0 for a free one.
        limiter: how many connections there may be, in all and from one address.
        crowd: told of every connection, until its request was let in.
        clock: seconds that only ever pass.
        ssl: for `wss://`.

    Raises:
        OSError: the address is taken or not this machine's.
    """
    listener = Listener(door, terms, limiter, crowd, clock)
    await listener.open(host, port, ssl)
    return listener
