"""Messages to bytes and back, within limits.

The one place that encodes and decodes. Whatever the bytes are, decoding returns a message or raises `ProtocolError`.
"""

from typing import ClassVar

import msgspec

from agentic_atlas.errors import AtlasError
from agentic_atlas.protocol.closing import CloseCode
from agentic_atlas.protocol.messages import Limits, Message

_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[Message] = msgspec.json.Decoder(Message)

_UNSUPPORTED_DATA = 1003
_INVALID_TEXT = 1007
_TOO_BIG = 1009

_AS_SQUARE = bytes.maketrans(b"{}", b"[]")
_NO_BRACKET_OR_QUOTE = bytes(set(range(256)) - set(b'"[]{}'))


class ProtocolError(AtlasError):
    """The peer sent what the protocol does not allow.

    Attributes:
        close_code: what the connection is to be closed with: 1003, 1007 and 1009 as in RFC 6455 §7.4.1, else 4107.
    """

    default_code: ClassVar[str] = "protocol_violation"

    def __init__(
        self, message: str, *, close_code: int = CloseCode.PROTOCOL_VIOLATION, code: str | None = None
    ) -> None:
        super().__init__(message, code=code)
        self.close_code = int(close_code)


def encode(message: Message) -> bytes:
    """Return the message as the bytes of one text frame."""
    return _encoder.encode(message)


def decode(data: bytes, limits: Limits) -> Message:
    """Return the message in a frame's bytes.

    `data` must not change afterwards: payloads are slices of it.

    Raises:
        ProtocolError: too long (1009), not UTF-8 (1007), too deep, not JSON, or not one of our messages (4107).
    """
    if len(data) > limits.message_bytes:
        raise ProtocolError(
            f"a message of {len(data)} bytes is over the limit of {limits.message_bytes}",
            close_code=_TOO_BIG,
            code="message_too_big",
        )
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ProtocolError(
            f"the message is not UTF-8 (byte {error.start})", close_code=_INVALID_TEXT, code="invalid_text"
        ) from None
    check_depth(data, limits.depth)
    try:
        return _decoder.decode(data)
    except msgspec.ValidationError as error:
        raise ProtocolError(f"the message is not of the protocol: {error}", code="invalid_message") from None
    except (msgspec.DecodeError, RecursionError, ValueError) as error:
        raise ProtocolError(f"the message is not JSON: {error}", code="invalid_json") from None


def binary_frame() -> ProtocolError:
    """Return the error for a frame that is not text: messages are text frames only."""
    return ProtocolError("binary frames are not used", close_code=_UNSUPPORTED_DATA, code="unsupported_data")


def check_depth(text: str | bytes, limit: int) -> None:
    """Refuse nesting deeper than `limit`, before a parser meets it.

    Brackets in strings do not count. Takes JSON as text or as UTF-8; what is not JSON at all is refused here or left
    to the parser. One pass removes the innermost pairs of brackets, so no step looks at single characters: a message
    of 3 MB takes milliseconds.

    Raises:
        ProtocolError: the nesting is deeper, or brackets do not match.
    """
    data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    if data.count(b"[") + data.count(b"{") <= limit:
        return
    brackets = _brackets(data)
    for _ in range(limit):
        if not brackets:
            return
        brackets = brackets.replace(b"[]", b"")
    if brackets:
        raise ProtocolError(f"the message is nested deeper than {limit}", code="too_deep")


def _brackets(data: bytes) -> bytes:
    """Return the brackets of a JSON text that are not in strings, all as square ones."""
    if b"\\" in data:
        data = data.replace(b"\\\\", b"").replace(b'\\"', b"")
    # Two quotes side by side go: whether a bracket is inside a string depends on odd or even quotes before it alone.
    bare = data.translate(_AS_SQUARE, _NO_BRACKET_OR_QUOTE).replace(b'""', b"")
    return b"".join(bare.split(b'"')[::2])
