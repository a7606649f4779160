"""Messages to bytes and back, within limits.

The one place that encodes and decodes. Whatever the bytes are, decoding returns a message or raises `ProtocolError`.
"""

from typing import ClassVar

import msgspec

from agentic_atlas.errors import AtlasError
from agentic_atlas.protocol.closing import CloseCode
from agentic_atlas.protocol.messages import Limits, Message
from agentic_atlas.protocol.nesting import Excess, excess

_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[Message] = msgspec.json.Decoder(Message)

CONTAINERS = 512 * 1024
"""Most arrays and objects in a message. Each costs whoever reads it more than its bytes tell: as values of Python, two
million take a second and 200 MB. The longest payload has no more than these of pairs of single digits (`[1,2],`)."""
_UNSUPPORTED_DATA = 1003
_INVALID_TEXT = 1007
_TOO_BIG = 1009


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


def decode(data: bytes, limits: Limits, containers: int = CONTAINERS) -> Message:
    """Return the message in a frame's bytes.

    `data` must not change afterwards: payloads are slices of it. `containers`: most arrays and objects in it.

    Raises:
        ProtocolError: too long (1009), not UTF-8 (1007), too deep, too many arrays and
            objects, not JSON, or not one of our messages (4107).
    """
    if len(data) > limits.message_bytes:
        raise ProtocolError(
            f"a message of {len(data)} bytes is over the limit of {limits.message_bytes}",
            close_code=_TOO_BIG,
            code="message_too_big",
        )
    _check_text(data)
    check_nesting(data, limits.depth, containers)
    try:
        return _decoder.decode(data)
    except msgspec.ValidationError as error:
        raise ProtocolError(f"the message is not of the protocol: {error}", code="invalid_message") from None
    except (msgspec.DecodeError, RecursionError, ValueError) as error:
        raise ProtocolError(f"the message is not JSON: {error}", code="invalid_json") from None


def check_payload(payload: bytes, depth: int, containers: int) -> None:
    """Refuse a payload with which no message would be taken; how long it is is not looked at.

    Raises:
        ProtocolError: as `decode` does.
    """
    _check_text(payload)
    check_nesting(payload, depth, containers)
    try:
        msgspec.json.decode(payload, type=msgspec.Raw)
    except (msgspec.DecodeError, RecursionError, ValueError) as error:
        raise ProtocolError(f"the message is not JSON: {error}", code="invalid_json") from None


def _check_text(data: bytes) -> None:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ProtocolError(
            f"the message is not UTF-8 (byte {error.start})", close_code=_INVALID_TEXT, code="invalid_text"
        ) from None


def binary_frame() -> ProtocolError:
    """Return the error for a frame that is not text: messages are text frames only."""
    return ProtocolError("binary frames are not used", close_code=_UNSUPPORTED_DATA, code="unsupported_data")


def check_nesting(text: str | bytes, depth: int, containers: int = CONTAINERS) -> None:
    """Refuse what nests deeper than `depth` or has more than so many arrays and objects, before a parser meets it.

    Brackets in strings do not count. Takes JSON as text or as UTF-8; what is not JSON at all is refused here or left
    to the parser. A message of 4 MB takes milliseconds, whatever is in it.

    Raises:
        ProtocolError: the nesting is deeper (`too_deep`), or there are more (`too_many_containers`).
    """
    data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    match excess(data, depth, containers):
        case Excess.CONTAINERS:
            raise ProtocolError(
                f"the message has more than {containers} arrays and objects: send fewer at once, or data as a string",
                code="too_many_containers",
            )
        case Excess.DEPTH:
            raise ProtocolError(f"the message is nested deeper than {depth}", code="too_deep")
