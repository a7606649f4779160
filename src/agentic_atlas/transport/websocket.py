"""One open WebSocket, the same for both ends. What it does for the library's sake is told in `transport`."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import msgspec
from picows import WSError, WSFrame, WSListener, WSMsgType, WSTransport

from agentic_atlas.protocol.closing import CloseCode, encode_reason
from agentic_atlas.protocol.codec import ProtocolError
from agentic_atlas.protocol.messages import Limits
from agentic_atlas.transport.frames import Assembler, ControlRate, Opcode, read_close, short_head
from agentic_atlas.transport.receiver import Closed, Receiver, Terms

CEILING = 64 * 1024 * 1024
"""Bytes: a peer that allows longer messages than this is held to a smaller limit."""
MOST_FRAGMENTS = 1_024
"""Fragments of one message, whatever the router allows."""

SILENT = logging.LoggerAdapter(logging.Logger("agentic_atlas.transport", logging.CRITICAL + 1), {})
"""What picows is given for a log: it keeps nothing, and nobody can find it and lower its level."""

_TOGETHER = 16 * 1024
"""Bytes: what is sent in one turn of the loop goes to the system as a whole, up to so much at a time."""
_SHORT = 4 * 1024
"""Bytes of a message that waits for the others of its turn."""

_HEADER = 14
"""Room that picows needs before a payload to write the head of its frame into."""
_ROOM = bytes(_HEADER)
_TEXT, _CLOSE = WSMsgType.TEXT, WSMsgType.CLOSE
_NO_CODE = 1005
_ABNORMAL = 1006
_PROTOCOL_ERROR = 1002
_INTERNAL_ERROR = 1011


class WebSocket(WSListener):
    """One end of a connection. Its calls return at once; after a close nothing is sent and nothing is handed on.

    Attributes:
        paused: too much waits to be sent; hold back until `Receiver.writable`.
        receiver: who takes what comes, from the end of the handshake on.
        reading: what came in one read is being taken, which ends with `look`.
        opened: the handshake was completed, now or in the past.
        closed: how either side has begun to close, or the connection has ended; None before that.
    """

    __slots__ = (  # there may be ten thousand of these
        "_begin",
        "_clock",
        "_close_timer",
        "_controls",
        "_fragments",
        "_gathered",
        "_limits",
        "_message_timer",
        "_most",
        "_raw",
        "_terms",
        "_ws",
        "closed",
        "opened",
        "paused",
        "reading",
        "receiver",
    )

    def __init__(
        self,
        begin: "Callable[[WebSocket], Receiver]",
        terms: Terms,
        clock: Callable[[], float],
    ) -> None:
        """Prepare.

        Args:
            begin: is given this once the handshake is done, and returns who takes what comes.
            terms: the limits are put in force again by `limit`.
            clock: seconds that only ever pass.
        """
        self.paused = False
        self.reading = False
        self.receiver: Receiver | None = None
        self.opened = False
        self.closed: Closed | None = None
        self._begin: Callable[[WebSocket], Receiver] | None = begin
        self._terms = terms
        self._clock = clock
        self._ws: WSTransport | None = None
        self._raw: asyncio.Transport | None = None
        self._gathered = bytearray()
        self._message_timer: asyncio.TimerHandle | None = None
        self._close_timer: asyncio.TimerHandle | None = None
        # Most connections never send a fragment or a ping: these are made for those that do.
        self._fragments: Assembler | None = None
        self._controls: ControlRate | None = None
        self.limit(terms.limits)

    def limit(self, limits: Limits) -> None:
        """Put limits in force, as far as this side can bear them; called between two messages."""
        if limits.message_bytes > CEILING or limits.fragments > MOST_FRAGMENTS:
            limits = msgspec.structs.replace(
                limits,
                message_bytes=min(limits.message_bytes, CEILING),
                fragments=min(limits.fragments, MOST_FRAGMENTS),
            )
        self._limits = limits
        self._most = limits.message_bytes
        self._fragments = self._controls = None

    def send(self, data: bytes) -> None:
        """Send one text frame, now or with the others of this turn of the loop."""
        if self._ws is None or self.closed is not None:
            return
        # What answers a message at once is one frame, and for an idle agent's beat another turn of the loop would cost.
        answers = self.reading and not self._gathered
        if answers or self._ws.is_client_side or len(data) > _SHORT:
            if self._gathered:
                _write(self._ws, self._gathered, self.receiver)
            self._ws.send_reuse_external_bytearray(_TEXT, bytearray(_ROOM + data), _HEADER)
            return
        if not self._gathered:
            asyncio.get_running_loop().call_soon(_write, self._ws, self._gathered, self.receiver)
        self._gathered += short_head(len(data))
        self._gathered += data
        if len(self._gathered) > _TOGETHER:
            _write(self._ws, self._gathered, self.receiver)

    def ping(self) -> None:
        """Send a ping frame; its answer is told by `Receiver.ponged`."""
        if self._ws is not None and self.closed is None:
            self._ws.send_ping()

    def close(self, code: int, reason: bytes = b"", *, why: str = "", bug: Exception | None = None) -> None:
        """Send a close frame, and end the connection when the peer has answered it or does not."""
        if self._ws is None or self.closed is not None:
            return
        self.closed = Closed(code, reason, ours=True, why=why, bug=bug)
        _write(self._ws, self._gathered, None)
        self._ws.send_close(_any_code(code), reason)
        # The peer's answer has to be read, or the system would reset the connection and our close frame with it.
        self.resume_reading()
        self._abort_later()

    def abort(self, why: str) -> None:
        """End the connection now, without a word to a peer that seems to be gone."""
        if self.closed is None:
            self.closed = Closed(_ABNORMAL, ours=True, why=why)
        if self._raw is not None:
            self._raw.abort()

    def pause_reading(self) -> None:
        """Take nothing more from the socket: the peer is slowed down by TCP."""
        if self._raw is not None and self.closed is None and self._raw.is_reading():
            self._raw.pause_reading()

    def resume_reading(self) -> None:
        """Take again."""
        if self._raw is not None and not self._raw.is_closing() and not self._raw.is_reading():
            self._raw.resume_reading()

    def buffered(self) -> int:
        """Return the bytes that wait for the peer to read; those of this turn, a few, are not among them."""
        return 0 if self._raw is None else self._raw.get_write_buffer_size()

    async def ended(self) -> Closed:
        """Wait until the connection has ended."""
        assert self._ws is not None
        try:
            await self._ws.wait_disconnected()
        except WSError as error:
            return self.closed or Closed(_PROTOCOL_ERROR, ours=True, why=str(error))
        return self.closed or Closed(_ABNORMAL)

    def look(self) -> None:
        """See whether picows has found a broken frame in what was read and has begun to close."""
        self.reading = False
        if self.closed is None and self._ws is not None and self._ws.is_close_frame_sent:
            error = ProtocolError("a frame is broken", close_code=_PROTOCOL_ERROR, code="bad_frame")
            self.closed = Closed(_PROTOCOL_ERROR, ours=True, why=error.message)
            self._abort_later()
            if self.receiver is not None:
                self.receiver.fail(error)

    # -- called by picows

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Begin."""
        self._ws = transport
        self._raw = transport.underlying_transport
        self.opened = True
        # They are kept as long as the connection, and nobody asks for them again.
        transport.request.headers.clear()
        transport.response.headers.clear()
        assert self._begin is not None
        self.receiver, self._begin = self._begin(self), None

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Take a frame; never raises."""
        receiver = self.receiver
        if receiver is None or transport.is_disconnected:
            return
        if self.closed is None and not transport.is_close_frame_sent:
            try:
                if frame.rsv1 or frame.rsv2 or frame.rsv3:
                    raise ProtocolError(
                        "a reserved bit is set and no extension is in use",
                        close_code=_PROTOCOL_ERROR,
                        code="reserved_bits",
                    )
                payload = frame.get_payload_as_bytes()
                if frame.msg_type is _TEXT and self._fragments is None and frame.fin and len(payload) <= self._most:
                    receiver.received(payload)
                    return
                self._take(receiver, transport, frame, payload)
            except ProtocolError as error:
                receiver.fail(error)
                self.close(error.close_code, encode_reason(error.code), why=error.message)
            except Exception as bug:  # noqa: BLE001 - what a receiver raised by mistake ends this connection alone
                receiver.crashed(bug)
                why = f"internal error ({type(bug).__name__})"
                self.close(_INTERNAL_ERROR, encode_reason("internal"), why=why, bug=bug)
                receiver.closed()
        if frame.msg_type is _CLOSE:
            # The peer's part in the close, or its own: it sends nothing more, also where it was a wrong one.
            transport.disconnect()
            self._abort_later()

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """The socket is closed."""
        for timer in (self._message_timer, self._close_timer):
            if timer is not None:
                timer.cancel()
        if self.receiver is not None:
            self.receiver.closed()

    def pause_writing(self) -> None:
        """More waits to be sent than the transport likes."""
        self.paused = True

    def resume_writing(self) -> None:
        """The peer reads again."""
        self.paused = False
        if self.closed is None and self.receiver is not None:
            self.receiver.writable()

    # -- inside

    def _take(self, receiver: Receiver, transport: WSTransport, frame: WSFrame, payload: bytes) -> None:
        opcode = int(frame.msg_type)  # type: ignore[call-overload]  # a number at run time
        if opcode >= Opcode.CLOSE:
            self._control(receiver, transport, opcode, payload)
            return
        if self._fragments is None:
            self._fragments = Assembler(self._limits)
        message = self._fragments.feed(opcode, payload, self._clock(), fin=bool(frame.fin))
        if message is not None:
            self._fragments = None
            receiver.received(message)
        elif self._message_timer is None:
            self._message_timer = _later(self._terms.message_within, self._look_at_message)

    def _control(self, receiver: Receiver, transport: WSTransport, opcode: int, payload: bytes) -> None:
        if opcode == Opcode.CLOSE:
            code, reason = read_close(payload)
            self.closed = Closed(code, reason)
            _write(transport, self._gathered, None)
            transport.send_close(_any_code(CloseCode.NORMAL if code == _NO_CODE else code))
            receiver.closed(left=True)
            return
        if self._controls is None:
            self._controls = ControlRate(self._limits.control_frames_per_second)
        self._controls.count(self._clock())
        if opcode == Opcode.PING:
            transport.send_pong(payload)
        else:
            receiver.ponged()

    def _look_at_message(self) -> None:
        """See whether the message that is not complete yet, if there is one, has had its time."""
        self._message_timer = None
        began = None if self._fragments is None else self._fragments.started_at
        if began is None or self.closed is not None or self._raw is None or self.receiver is None:
            return
        within = self._terms.message_within
        # What comes may not be read, which is not the peer's doing; or another message has begun since.
        left = began + within - self._clock() if self._raw.is_reading() else within
        self._message_timer = _later(left if left > 0 else within, self._look_at_message)
        if left <= 0:
            self.receiver.unfinished()

    def _abort_later(self) -> None:
        if self._close_timer is None and self._raw is not None:
            self._close_timer = _later(self._terms.close_within, self._raw.abort)


def _write(ws: WSTransport, gathered: bytearray, receiver: Receiver | None) -> None:
    """Send what was gathered, and tell the receiver where the peer does not read it."""
    # Nothing follows a close frame, that of picows for a broken frame included.
    if gathered and not (ws.is_close_frame_sent or ws.is_disconnected):
        ws.underlying_transport.write(bytes(gathered))
        if receiver is not None and ws.underlying_transport.get_write_buffer_size():
            asyncio.get_running_loop().call_soon(receiver.writable)  # it may be in the middle of sending
    gathered.clear()


def _later(seconds: float, do: Callable[[], object]) -> asyncio.TimerHandle:
    return asyncio.get_running_loop().call_later(seconds, do)


def _any_code(code: int) -> Any:
    """A close code as picows takes it."""
    return code
