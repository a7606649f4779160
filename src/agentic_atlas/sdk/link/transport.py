"""The WebSocket under the link: picows, with what it leaves open closed (design: Chosen parts).

picows hands out frames raw and answers pings without bound: here frames are put together within limits, and pings are
counted and answered by hand. How a connection is opened is in `dial`.

Reading is never paused because writing is: with a peer that does the same, both would wait for ever. What is said in
answer to the peer is bounded instead: the ledger holds it back, and pings are counted.
"""

import asyncio
from collections.abc import Callable
from typing import Protocol

import msgspec
from picows import WSError, WSFrame, WSListener, WSMsgType, WSTransport

from agentic_atlas.protocol.closing import CloseCode, encode_reason
from agentic_atlas.protocol.codec import ProtocolError
from agentic_atlas.protocol.messages import Limits
from agentic_atlas.transport.frames import Assembler, ControlRate, Opcode, read_close

CEILING = 64 * 1024 * 1024
"""Bytes: a router that allows longer messages than this is given a smaller limit."""
MOST_FRAGMENTS = 1_024

_ABNORMAL = 1006
_NO_CODE = 1005
_PROTOCOL_ERROR = 1002
_INTERNAL_ERROR = 1011


class Closed(msgspec.Struct, frozen=True):
    """How a connection ended.

    Attributes:
        code: of the side that began to close; 1006 for a cut.
        ours: this side began.
        why: for the log, when this side closed because of a fault.
        bug: what this process itself did wrong.
    """

    code: int
    reason: bytes = b""
    ours: bool = False
    why: str = ""
    bug: Exception | None = None


class Receiver(Protocol):
    """Who takes what arrives; called on the connection's loop."""

    def received(self, data: bytes) -> None:
        """Take one whole text message. Raises ProtocolError when the connection is to be closed because of it."""

    def writable(self) -> None:
        """The peer reads again: what was held back may be sent."""


class Connection(WSListener):
    """One open connection. Its calls return at once; after a close nothing is sent and nothing is handed on.

    Attributes:
        paused: too much waits to be sent; hold back until `Receiver.writable`.
    """

    def __init__(self, receiver: Receiver, clock: Callable[[], float], close_timeout: float) -> None:
        self.paused = False
        self._receiver = receiver
        self._clock = clock
        self._close_timeout = close_timeout
        self._transport: WSTransport | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._closed: Closed | None = None
        self.limit(Limits())

    def limit(self, limits: Limits) -> None:
        """Put limits in force, as far as this side can bear them; called between two messages."""
        self._limits = msgspec.structs.replace(
            limits,
            message_bytes=min(limits.message_bytes, CEILING),
            fragments=min(limits.fragments, MOST_FRAGMENTS),
        )
        self._assembler = Assembler(self._limits)
        self._control = ControlRate(self._limits.control_frames_per_second)

    def send(self, data: bytes) -> None:
        """Send one text frame."""
        if self._transport is not None and self._closed is None:
            self._transport.send(WSMsgType.TEXT, data)

    def close(self, code: int, reason: bytes = b"", *, why: str = "") -> None:
        """Send a close frame, and end the connection when the peer has answered it or does not."""
        if self._transport is None or self._closed is not None:
            return
        self._closed = Closed(code, reason, ours=True, why=why)
        self._send_close(code, reason)
        self._abort_later()

    def abort(self, why: str) -> None:
        """End the connection now, without a word to a peer that seems to be gone."""
        if self._closed is None:
            self._closed = Closed(_ABNORMAL, ours=True, why=why)
        if self._transport is not None:
            self._transport.disconnect(graceful=False)

    @property
    def opened(self) -> bool:
        """Whether the handshake was completed, now or in the past."""
        return self._transport is not None

    def read(self, *, on: bool) -> None:
        """Take from the socket, or leave what comes to TCP until told otherwise."""
        if self._transport is None or self._closed is not None:
            return
        socket = self._transport.underlying_transport
        if on and not socket.is_reading():
            socket.resume_reading()
        elif not on and socket.is_reading():
            socket.pause_reading()

    def buffered(self) -> int:
        """Return the bytes that wait to be sent."""
        return 0 if self._transport is None else self._transport.underlying_transport.get_write_buffer_size()

    def unfinished_since(self) -> float | None:
        """Return when the message that is not complete yet began, or None."""
        return self._assembler.started_at

    async def ended(self) -> Closed:
        """Wait until the connection has ended."""
        assert self._transport is not None
        try:
            await self._transport.wait_disconnected()
        except WSError as error:
            # What picows itself found wrong with a frame; it has closed the connection.
            return self._closed or Closed(_PROTOCOL_ERROR, ours=True, why=str(error))
        except Exception as error:  # noqa: BLE001 - what a receiver raised by mistake ends this connection, not the agent
            return Closed(_INTERNAL_ERROR, ours=True, why=f"internal error ({type(error).__name__})", bug=error)
        return self._closed or Closed(_ABNORMAL)

    # -- called by picows

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Begin."""
        self._transport = transport

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Take a frame; never raises, and hands on nothing once a close was sent or received."""
        if transport.is_disconnected:
            return
        if self._closed is None and not transport.is_close_frame_sent:
            try:
                self._take(transport, frame)
            except ProtocolError as error:
                self.close(error.close_code, encode_reason(error.code), why=error.message)
                if _opcode(frame) is Opcode.CLOSE:
                    self._leave(transport)
        elif _opcode(frame) is Opcode.CLOSE:
            self._leave(transport)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """The socket is closed."""
        if self._deadline is not None:
            self._deadline.cancel()

    def pause_writing(self) -> None:
        """More waits to be sent than the transport likes."""
        self.paused = True

    def resume_writing(self) -> None:
        """The peer reads again."""
        self.paused = False
        if self._closed is None:
            self._receiver.writable()

    # -- inside

    def _take(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.rsv1 or frame.rsv2 or frame.rsv3:
            raise ProtocolError("a reserved bit is set", close_code=_PROTOCOL_ERROR, code="reserved_bit")
        opcode, now = _opcode(frame), self._clock()
        if opcode is Opcode.CLOSE:
            self._peer_closes(transport, *read_close(frame.get_payload_as_bytes()))
            return
        if opcode in (Opcode.PING, Opcode.PONG):
            self._control.count(now)
            if opcode == Opcode.PING:
                transport.send_pong(frame.get_payload_as_bytes())
            return
        message = self._assembler.feed(opcode, frame.get_payload_as_bytes(), now, fin=frame.fin)
        if message is not None:
            self._receiver.received(message)

    def _peer_closes(self, transport: WSTransport, code: int, reason: bytes) -> None:
        self._closed = Closed(code, reason)
        self._send_close(CloseCode.NORMAL if code == _NO_CODE else code, b"")
        self._leave(transport)

    def _leave(self, transport: WSTransport) -> None:
        transport.disconnect()
        self._abort_later()

    def _send_close(self, code: int, reason: bytes) -> None:
        assert self._transport is not None
        self._transport.send_close(code, reason)  # type: ignore[arg-type]  # its enum lacks the codes above 1014

    def _abort_later(self) -> None:
        if self._deadline is None and self._transport is not None:
            loop = asyncio.get_running_loop()
            self._deadline = loop.call_later(self._close_timeout, self._transport.disconnect, False)


def _opcode(frame: WSFrame) -> Opcode:
    return Opcode(frame.msg_type)  # type: ignore[arg-type]  # an int at run time, whatever its stub says
