"""WebSocket frames to whole messages (RFC 6455 §5.4), for libraries that hand frames out raw.

Bounded in total size, number of fragments and control frames; nothing here knows a socket or a clock.
"""

from enum import IntEnum

from agentic_atlas.protocol.codec import ProtocolError, binary_frame
from agentic_atlas.protocol.messages import Limits

_PROTOCOL_ERROR = 1002
_INVALID_TEXT = 1007
_TOO_BIG = 1009


class Opcode(IntEnum):
    """Frame types of RFC 6455 §5.2."""

    CONTINUATION = 0x0
    TEXT = 0x1
    BINARY = 0x2
    CLOSE = 0x8
    PING = 0x9
    PONG = 0xA


_NO_CODE = 1005
"""Stands for a close frame without a code; never sent (RFC 6455 §7.4.1)."""
_SENT_CODES = frozenset((1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014))
"""Of the codes below 3000, those that may be in a frame: §7.4.1, and the registry that it founded."""


def read_close(payload: bytes) -> tuple[int, bytes]:
    """Return code and reason of a close frame (RFC 6455 §5.5.1, §7.4); 1005 when it has none.

    Raises:
        ProtocolError: half a code or one that no peer may send (1002), or a reason that is not UTF-8 (1007).
    """
    if not payload:
        return _NO_CODE, b""
    code = int.from_bytes(payload[:2], "big")
    if len(payload) < 2 or not (code in _SENT_CODES or 3000 <= code <= 4999):
        raise ProtocolError("a close frame has a code that none may have", close_code=_PROTOCOL_ERROR, code="bad_close")
    try:
        payload[2:].decode("utf-8")
    except UnicodeDecodeError:
        raise ProtocolError(
            "the reason of a close frame is not UTF-8", close_code=_INVALID_TEXT, code="invalid_text"
        ) from None
    return code, payload[2:]


def short_head(size: int) -> bytes:
    """Return what a server's frame with a whole text message of less than 64 KiB begins with (RFC 6455 §5.2)."""
    return bytes((0x81, size)) if size < 126 else b"\x81\x7e" + size.to_bytes(2, "big")


class Assembler:
    """Puts the fragments of text messages together.

    Attributes:
        started_at: when the unfinished message began, or None; the owner closes a connection that leaves one
            unfinished for too long.
    """

    __slots__ = ("_limits", "_parts", "_size", "started_at")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._parts: list[bytes] = []
        self._size = 0
        self.started_at: float | None = None

    def feed(self, opcode: int, payload: bytes, now: float, *, fin: bool) -> bytes | None:
        """Take one data frame; return the whole message when it is complete.

        Raises:
            ProtocolError: binary (1003), a fragment out of place (1002), too long or too many fragments (1009).
        """
        if opcode == Opcode.BINARY:
            raise binary_frame()
        self._check_place(opcode)
        self._size += len(payload)
        if self._size > self._limits.message_bytes:
            raise ProtocolError(
                f"a message is over the limit of {self._limits.message_bytes} bytes",
                close_code=_TOO_BIG,
                code="message_too_big",
            )
        if fin and not self._parts:
            self._size = 0
            return payload
        return self._add(payload, now, fin=fin)

    def _check_place(self, opcode: int) -> None:
        unfinished = bool(self._parts)
        if opcode == Opcode.TEXT and not unfinished:
            return
        if opcode == Opcode.CONTINUATION and unfinished:
            return
        raise ProtocolError("a fragment is out of place", close_code=_PROTOCOL_ERROR, code="bad_fragment")

    def _add(self, payload: bytes, now: float, *, fin: bool) -> bytes | None:
        self._parts.append(payload)
        if len(self._parts) > self._limits.fragments:
            raise ProtocolError(
                f"a message has more than {self._limits.fragments} fragments",
                close_code=_TOO_BIG,
                code="too_many_fragments",
            )
        if not fin:
            self.started_at = now if self.started_at is None else self.started_at
            return None
        message = b"".join(self._parts)
        self._parts.clear()
        self._size = 0
        self.started_at = None
        return message


class ControlRate:
    """Counts control frames (ping, pong) in windows of one second."""

    __slots__ = ("_count", "_per_second", "_window")

    def __init__(self, per_second: int) -> None:
        self._per_second = per_second
        self._window = float("-inf")
        self._count = 0

    def count(self, now: float) -> None:
        """Take one control frame.

        Raises:
            ProtocolError: too many within one second (4107).
        """
        if now - self._window >= 1.0:
            self._window, self._count = now, 0
        self._count += 1
        if self._count > self._per_second:
            raise ProtocolError(f"more than {self._per_second} control frames in a second", code="control_flood")
