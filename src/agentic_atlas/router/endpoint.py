"""The agents' door: sockets, handshakes and frames. The only module of the router that does input and output.

picows parses frames; what it leaves to its user is done here. It hands out fragments raw, so they are put together
within limits of size, number and time. It would answer pings without bound, so pings are counted and answered by us.
It would answer a malformed head itself, and quote it: the head is read here, and picows sees one that we write. It
knows neither the reserved bits nor the end of a conversation: after a close nothing is read or sent, and a peer that
does not take part in the close is cut off. Payloads are copied before anything looks at them, and before they are
sent: memory that picows hands out or on is overwritten by the next frame. What is read is counted: before `hello` no
more than one may have, after a close of ours no more than a close frame needs to come through, and never so much at
once that what follows a violation would take long to pass over.
"""

import asyncio
import logging
import os
import ssl as tls
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from picows import WSAutoPingStrategy, WSFrame, WSListener, WSMsgType, WSTransport, WSUpgradeRequest, WSUpgradeResponse
from picows.common import WSUpgradeResponseWithListener

# Not exported: the public function offers no way to count a connection before its request, or to know its address.
from picows.picows import WSProtocol  # type: ignore[attr-defined]  # as in picows.api

from agentic_atlas.errors import AtlasError, ConfigurationError
from agentic_atlas.protocol.closing import CloseCode
from agentic_atlas.protocol.codec import ProtocolError
from agentic_atlas.protocol.messages import HELLO_BYTES, Limits
from agentic_atlas.protocol.session import hello_too_big
from agentic_atlas.protocol.versions import SUBPROTOCOL
from agentic_atlas.router.connection import Connection
from agentic_atlas.router.handshake import (
    HEALTH,
    Guard,
    HandshakeRefused,
    asked,
    broken,
    check_sender,
    crowded,
    identify,
    refusal,
    response,
)
from agentic_atlas.router.ports import Crowd, Identity, Log
from agentic_atlas.router.router import Router
from agentic_atlas.router.settings import RouterSettings
from agentic_atlas.transport.frames import Assembler, ControlRate, Opcode, read_close
from agentic_atlas.transport.head import Head, read_head
from agentic_atlas.transport.lobby import Lobby
from agentic_atlas.transport.occupancy import Occupancy

_WRITE_HIGH = 256 * 1024
_WRITE_LOW = 64 * 1024
"""Bytes that wait to be sent: above the first the transport tells us so, below the second that there is room again."""
_FIRST_BUFFER = 16 * 1024
_BACKLOG = 1024
_HEADER = 14
"""Room that picows needs before a payload to write the head of its frame into."""
_AT_ONCE = 64 * 1024
"""Bytes read at a time: frames that came together are gone through together, those after a violation too."""
_BEFORE_HELLO = HELLO_BYTES + 16 * 1024
_AFTER_CLOSE = 64 * 1024
_PROTOCOL_ERROR = 1002
_INTERNAL = 1011

_UPGRADE = (
    b"GET / HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: %b\r\n\r\n"
)
"""What picows is given of a request that was let in."""

_picows_log = logging.Logger("picows.server", logging.CRITICAL)
"""Known to no configuration, so nobody can lower its level: at low ones picows logs headers, the token among them."""


@dataclass
class _Door:
    """What all sockets of an endpoint share."""

    router: Router
    guard: Guard
    limits: Limits
    occupancy: Occupancy
    crowd: Crowd
    settings: RouterSettings
    log: Log
    loop: asyncio.AbstractEventLoop
    clock: Callable[[], float]
    sockets: "set[_Socket]" = field(default_factory=set)
    empty: asyncio.Event = field(default_factory=asyncio.Event)


class Endpoint:
    """A listening socket and its connections.

    Attributes:
        port: where it listens.
    """

    def __init__(self, server: asyncio.Server, door: _Door) -> None:
        self.port: int = server.sockets[0].getsockname()[1]
        self._server = server
        self._door = door
        self._sweeping = door.loop.call_later(door.settings.sweep, self._sweep)

    async def close(self) -> None:
        """Listen no more and close all connections; takes no longer than the deadline of a close and a little."""
        self._server.close()
        for socket in list(self._door.sockets):
            socket.end()
        await self._emptied(self._door.settings.close_within + self._door.settings.sweep)
        for socket in list(self._door.sockets):
            socket.abort()
        await self._emptied(1.0)
        self._sweeping.cancel()

    async def _emptied(self, within: float) -> None:
        if not self._door.sockets:
            return
        self._door.empty.clear()
        try:
            async with asyncio.timeout(within):
                await self._door.empty.wait()
        except TimeoutError:
            self._door.log.warning("connections_left", count=len(self._door.sockets))

    def _sweep(self) -> None:
        now = self._door.clock()
        for socket in list(self._door.sockets):
            socket.sweep(now)
        self._sweeping = self._door.loop.call_later(self._door.settings.sweep, self._sweep)


class _Socket(WSProtocol):  # type: ignore[misc]  # picows' stubs do not have its base
    """One accepted connection, from before the handshake to its very end."""

    def __init__(self, door: _Door) -> None:
        super().__init__(
            host_port=None,
            ws_path=None,
            is_client_side=False,
            ws_listener_factory=self._accept,
            logger=_picows_log,
            disconnect_on_exception=True,
            websocket_handshake_timeout=door.settings.handshake_within,
            enable_auto_ping=False,
            auto_ping_idle_timeout=1.0,
            auto_ping_reply_timeout=1.0,
            auto_ping_strategy=WSAutoPingStrategy.PING_WHEN_IDLE,
            enable_auto_pong=False,
            max_frame_size=door.limits.message_bytes,
            extra_headers=None,
            read_buffer_init_size=_FIRST_BUFFER,
        )
        self._door = door
        self._address = ""
        self._raw: asyncio.Transport | None = None
        self._peer: _Peer | None = None
        self._lobby: Lobby | None = Lobby()
        self._refused_at: float | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:
        self._raw = transport
        peername = transport.get_extra_info("peername")
        self._address = str(peername[0]) if peername else ""
        self._door.sockets.add(self)
        self._door.occupancy.enter(self._address)
        super().connection_made(transport)
        self._door.crowd.enter(self, self._address)
        if self._door.occupancy.overrun(self._address):
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._door.sockets.discard(self)
        self._door.occupancy.leave(self._address)
        self._door.crowd.leave(self)
        super().connection_lost(exc)
        if not self._door.sockets:
            self._door.empty.set()

    def end(self) -> None:
        """Close it: with a close frame after the handshake, else at once."""
        if self._peer is not None and self._peer.connection is not None:
            self._peer.connection.close(CloseCode.GOING_AWAY, "router_is_stopping")
        else:
            self.abort()

    def abort(self) -> None:
        """Cut it off."""
        if self._raw is not None:
            self._raw.abort()

    def sweep(self, now: float) -> None:
        """Look at its deadlines."""
        if self._refused_at is not None:
            late = now - self._refused_at > self._door.settings.close_within
        else:
            late = self._peer is not None and self._peer.late(now)
        if late:
            self.abort()

    # -- the head of the request, before picows knows of anything

    def get_buffer(self, size_hint: int) -> Any:
        return super().get_buffer(size_hint)[:_AT_ONCE] if self._lobby is None else self._lobby.room()

    def buffer_updated(self, nbytes: int) -> None:
        if self._lobby is None:
            if self._peer is not None and self._peer.takes(nbytes):
                super().buffer_updated(nbytes)
                self._peer.look()
        elif self._refused_at is not None:
            if self._lobby.drop(nbytes):
                self.abort()
        else:
            self._read(self._lobby, nbytes)

    def _read(self, lobby: Lobby, nbytes: int) -> None:
        """Answer the request once its head is whole. Never raises: nobody but the log may learn of a fault of ours."""
        head = None
        try:
            whole = lobby.take(nbytes)
            if whole is None:
                return
            head = read_head(whole[0])
            key = self._admitted(head)
        except AtlasError as error:
            self._refuse(refusal(error), head)
        except Exception as bug:
            self._door.log.error("handshake_failed", address=self._address, exc_info=bug)
            self._refuse(broken(), head)
        else:
            if key is not None:
                self._lobby = None
                self._feed(_UPGRADE % key.encode("ascii") + whole[1])

    def _admitted(self, head: Head) -> str | None:
        """Return the key of an upgrade that is let in; None for a request that is answered already.

        Raises:
            AtlasError: it is neither.
        """
        check_sender(head, self._door.guard.hosts)
        if head.path == HEALTH and head.method in ("GET", "HEAD"):
            headers = [("Content-Type", "application/json")]
            self._answer(response(HTTPStatus.OK, headers, b'{"status":"ok"}', bodiless=head.method == "HEAD"))
            return None
        if self._door.occupancy.full(self._address):
            raise crowded()
        request = asked(head)
        identity = identify(request, self._door.guard.verify)
        self._door.router.check(identity)
        self._door.crowd.introduce(self)
        self._peer = _Peer(self._door, identity)
        return request.key

    def _refuse(self, refused: HandshakeRefused, head: Head | None) -> None:
        self._door.log.info("handshake_refused", code=refused.code, address=self._address)
        bodiless = head is not None and head.method == "HEAD"
        self._answer(response(refused.status, refused.headers(), refused.body(), bodiless=bodiless))

    def _answer(self, data: bytes) -> None:
        """Send the last bytes of this connection; what the peer still sends is dropped until it has read them."""
        assert self._raw is not None
        self._refused_at = self._door.clock()
        self._raw.write(data)
        if self._raw.can_write_eof():
            self._raw.write_eof()
        else:
            self._raw.close()

    def _feed(self, data: bytes) -> None:
        """Give picows what it would have read itself."""
        left = memoryview(data)
        while left:
            room = super().get_buffer(-1)
            size = min(len(room), len(left))
            room[:size] = left[:size]
            super().buffer_updated(size)
            left = left[size:]

    def _accept(self, _request: WSUpgradeRequest) -> WSUpgradeResponseWithListener:
        accepted = WSUpgradeResponse.create_101_response([("Sec-WebSocket-Protocol", SUBPROTOCOL)])
        return WSUpgradeResponseWithListener(accepted, self._peer)


class _Peer(WSListener):
    """The agent at the other end of an upgraded socket; implements `ports.Transport`.

    Attributes:
        connection: the router's end, from the end of the handshake on.
    """

    def __init__(self, door: _Door, identity: Identity) -> None:
        self.connection: Connection | None = None
        self._door = door
        self._identity = identity
        self._ws: WSTransport | None = None
        self._raw: asyncio.Transport | None = None
        self._assembler = Assembler(door.limits)
        self._controls = ControlRate(door.limits.control_frames_per_second)
        self._closing_since: float | None = None
        self._before_hello = _BEFORE_HELLO
        self._after_close = _AFTER_CLOSE

    # -- for the socket

    def takes(self, nbytes: int) -> bool:
        """Tell whether the frames of so many bytes more are looked at; else they are dropped."""
        if self._closing_since is not None:
            self._after_close -= nbytes
            if self._after_close < 0 and self._raw is not None:
                self._raw.abort()
            return self._after_close >= 0
        if self.connection is not None and not self.connection.instance_id:
            self._before_hello -= nbytes
            if self._before_hello < 0:
                self.connection.fail(hello_too_big())
                return False
        return True

    def look(self) -> None:
        """See whether picows has found a broken frame and closes; it would wait for ever for a peer that does not."""
        if self._closing_since is None and self._ws is not None and self._ws.is_close_frame_sent:
            self._closing_since = self._door.clock()
            if self.connection is not None:
                self.connection.fail(ProtocolError("a frame is broken", close_code=_PROTOCOL_ERROR, code="bad_frame"))

    # -- for picows

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._ws = transport
        self._raw = transport.underlying_transport
        self._raw.set_write_buffer_limits(_WRITE_HIGH, _WRITE_LOW)
        self.connection = self._door.router.connect(self._identity, self)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        connection = self.connection
        if connection is None or self._closing_since is not None or transport.is_close_frame_sent:
            self._pass_over(transport, frame)
            return
        try:
            self._take(connection, transport, frame)
        except ProtocolError as error:
            connection.fail(error)
        except Exception as bug:
            self._door.log.error("connection_failed", agent=self._identity.agent_id, exc_info=bug)
            connection.close(_INTERNAL, "internal")

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self._closing_since = self._door.clock()
        if self.connection is not None:
            self.connection.closed()

    def pause_writing(self) -> None:
        """The connection sees for itself how much waits to be sent."""

    def resume_writing(self) -> None:
        if self.connection is not None:
            self.connection.writable()

    # -- `ports.Transport`

    def send(self, data: bytes) -> None:
        """See `Transport.send`."""
        if self._ws is not None and self._closing_since is None:
            # Not `send`: for long messages it hands uvloop a view of a buffer that the next frame overwrites.
            self._ws.send_reuse_external_bytearray(WSMsgType.TEXT, bytearray(_HEADER) + data, _HEADER)

    def ping(self) -> None:
        """See `Transport.ping`."""
        if self._ws is not None and self._closing_since is None:
            self._ws.send_ping()

    def close(self, code: int, reason: bytes) -> None:
        """See `Transport.close`."""
        if self._ws is None or self._closing_since is not None:
            return
        self._closing_since = self._door.clock()
        self._ws.send_close(_any_code(code), reason)
        # The peer's answer has to be read, or the system would reset the connection and our close frame with it.
        self.resume_reading()

    def pause_reading(self) -> None:
        """See `Transport.pause_reading`."""
        if self._raw is not None and not self._raw.is_closing() and self._closing_since is None:
            self._raw.pause_reading()

    def resume_reading(self) -> None:
        """See `Transport.resume_reading`."""
        if self._raw is not None and not self._raw.is_closing():
            self._raw.resume_reading()

    def buffered(self) -> int:
        """See `Transport.buffered`."""
        return 0 if self._raw is None else self._raw.get_write_buffer_size()

    # -- inside

    def late(self, now: float) -> bool:
        """Look at the deadlines of a message and of a close; True when the socket is to be cut off."""
        if self._closing_since is not None:
            return now - self._closing_since > self._door.settings.close_within
        self.look()
        started_at = self._assembler.started_at
        if (
            started_at is not None
            and now - started_at > self._door.settings.message_within
            and self.connection is not None
        ):
            self.connection.close(CloseCode.TIMEOUT, "message_unfinished")
        return False

    def _take(self, connection: Connection, transport: WSTransport, frame: WSFrame) -> None:
        if frame.rsv1 or frame.rsv2 or frame.rsv3:
            raise ProtocolError(
                "a reserved bit is set and no extension is in use", close_code=_PROTOCOL_ERROR, code="reserved_bits"
            )
        opcode = int(frame.msg_type)  # type: ignore[call-overload]  # an int at run time
        if opcode >= Opcode.CLOSE:
            self._control(connection, transport, opcode, frame.get_payload_as_bytes())
            return
        now = self._door.clock()
        message = self._assembler.feed(opcode, frame.get_payload_as_bytes(), now, fin=bool(frame.fin))
        if message is not None:
            connection.received(message)

    def _control(self, connection: Connection, transport: WSTransport, opcode: int, payload: bytes) -> None:
        if opcode == Opcode.CLOSE:
            self._leave(connection, transport, payload)
            return
        self._controls.count(self._door.clock())
        if opcode == Opcode.PING:
            transport.send_pong(payload)
        else:
            connection.ponged()

    def _leave(self, connection: Connection, transport: WSTransport, payload: bytes) -> None:
        """Take the peer's close, after which it sends nothing more, also where it is a wrong one."""
        try:
            code, _ = read_close(payload)
        except ProtocolError as error:
            connection.fail(error)
        else:
            self._closing_since = self._door.clock()
            transport.send_close(_any_code(code if payload else CloseCode.NORMAL))
            connection.closed(left=True)
        transport.disconnect()

    def _pass_over(self, transport: WSTransport, frame: WSFrame) -> None:
        """Nothing counts any more but the peer's part in the close."""
        if int(frame.msg_type) == Opcode.CLOSE:  # type: ignore[call-overload]  # an int at run time
            transport.disconnect()


def _any_code(code: int) -> Any:
    """A close code for picows, whose enumeration names only those of the standard and takes all."""
    return code


async def serve(
    router: Router,
    guard: Guard,
    *,
    host: str,
    port: int,
    log: Log,
    crowd: Crowd,
    occupancy: Occupancy,
    ssl: tls.SSLContext | None = None,
) -> Endpoint:
    """Listen for agents on the running loop.

    Args:
        router: runs already, or is about to.
        guard: tells who a connection is, and which requests are for this network.
        host: address to listen on.
        port: 0 for a free one.
        log: where events go; never a token, never a payload.
        crowd: told of every connection, until it has shown a token that is good.
        occupancy: how many connections there may be, in all and from one address; more are answered 503.
        ssl: for `wss://`.

    Raises:
        ConfigurationError: the address is taken or not this machine's.
    """
    loop = asyncio.get_running_loop()
    office = router.office
    door = _Door(router, guard, office.limits, occupancy, crowd, office.settings, log, loop, office.clock)
    _Socket(door)  # a picows with another constructor fails here, not at the first agent
    try:
        server = await loop.create_server(
            lambda: _Socket(door),
            host,
            port,
            ssl=ssl,
            backlog=_BACKLOG,
            ssl_handshake_timeout=office.settings.tls_within if ssl else None,
            ssl_shutdown_timeout=office.settings.close_within if ssl else None,
        )
    except OSError as error:
        raise ConfigurationError(
            # The event loop's own text repeats the address.
            f"the router can't listen on {host}:{port} ({os.strerror(error.errno) if error.errno else error}): "
            "stop what uses it, or choose another port with --router-port or ATLAS_ROUTER_PORT",
            code="address_in_use",
        ) from None
    return Endpoint(server, door)
