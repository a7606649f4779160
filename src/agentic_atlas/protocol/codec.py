"""Messages to bytes and back, within limits; what payloads in them may be, and what one struct passes on to another.

The one place that encodes and decodes. Whatever the bytes are, decoding returns a message or raises `ProtocolError`. No
look at a payload copies it or builds what it says: of four megabytes of brackets that would take seconds.

A task is asked for, kept, delivered and shown as four structs, and most of what they hold is the same under the same
name (`passed_on`). Named once each, a field more is only declared where it is to be; what differs is given beside it.
"""

import math
import re
from functools import cache
from typing import Any, ClassVar, TypeVar

import msgspec

from agentic_atlas.errors import AtlasError, PayloadTooLarge
from agentic_atlas.protocol.closing import CloseCode
from agentic_atlas.protocol.messages import Limits, Message
from agentic_atlas.protocol.nesting import excess

T = TypeVar("T", bound=msgspec.Struct)

_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[Message] = msgspec.json.Decoder(Message)

CONTAINERS = 512 * 1024
"""Most arrays and objects in a message. Each costs whoever reads it more than its bytes tell: as values of Python, two
million take a second and 200 MB. The longest payload has no more than these of pairs of single digits (`[1,2],`)."""
MOST_DIGITS = 4_299
"""Digits of an integer. Python reads 4,300, which keeps longer ones from taking long; a sign may count as one."""
_UNSUPPORTED_DATA = 1003
_INVALID_TEXT = 1007
_TOO_BIG = 1009

_OBJECT = re.compile(rb"\s*\{")
_DIGITS = bytes.maketrans(b"123456789E", b"000000000e")
_LONG_EXPONENT = b"0e000"
_LONG = b"0" * 200
"""No number is too large that has neither three digits in its exponent nor so many before it."""
_NUMBER = re.compile(rb"[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")


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
    """Return the message in a frame's bytes; raises as `check` and `read` do."""
    check(data, limits, containers)
    return read(data)


def check(data: bytes, limits: Limits, containers: int = CONTAINERS) -> None:
    """Look whether a frame's bytes may be read; `containers`: most arrays and objects in them.

    Raises:
        ProtocolError: too long (1009), not UTF-8 (1007), too deep, or too many arrays and objects (4107).
    """
    if len(data) > limits.message_bytes:
        raise ProtocolError(
            f"a message of {len(data)} bytes is over the limit of {limits.message_bytes}",
            close_code=_TOO_BIG,
            code="message_too_big",
        )
    if not data.isascii():
        _check_text(data)
    if data.count(b"[") + data.count(b"{") > min(limits.depth, containers):
        check_nesting(data, limits.depth, containers)


def read(data: bytes) -> Message:
    """Return the message in bytes that were checked, and that must not change afterwards: payloads are slices of them.

    Raises:
        ProtocolError: not JSON, or not one of our messages (4107).
    """
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
    if data.count(b"[") + data.count(b"{") <= min(depth, containers):
        return  # With no more brackets than may nest it can't be too deep, wherever they are.
    match excess(data, depth, containers):
        case "containers":
            raise ProtocolError(
                f"the message has more than {containers} arrays and objects: send fewer at once, or data as a string",
                code="too_many_containers",
            )
        case "depth":
            raise ProtocolError(f"the message is nested deeper than {depth}", code="too_deep")


def numbers_fit(text: bytes) -> bool:
    """Tell whether all numbers of a well-formed JSON text fit into doubles, or are integers of `MOST_DIGITS`.

    JSON sets no bound for a number (RFC 8259 §6). Readers take those that a double has room for, and integers of as
    many digits as Python reads. A payload is passed on as it is, so one with 1e999 in it would spoil whatever it is
    part of. What is true of a whole message is true of the payloads in it.
    """
    plain = text.translate(_DIGITS, b"+.")
    if _LONG_EXPONENT not in plain and _LONG not in plain:
        return True
    return all(_fits(number) for number in _NUMBER.findall(_outside_strings(text)))


def is_object(text: bytes | msgspec.Raw) -> bool:
    """Tell whether a well-formed JSON text is an object."""
    return _OBJECT.match(memoryview(text)) is not None


def input_too_large(size: int, most: int) -> PayloadTooLarge:
    """Return the error of an input of so many bytes where at most so many are allowed: the same wherever it is met."""
    return PayloadTooLarge(
        f"the input has {size} bytes, more than the {most} allowed (bytes travel as base64, a third longer): "
        "send less, or a link to it"
    )


def passed_on(kind: type[T], source: msgspec.Struct, **unlike: object) -> T:
    """Return a struct of this kind with the fields of `source` that it has too, and these that are its own or differ.

    Raises:
        TypeError: it lacks a field that is in neither, or one of these is none of its.
    """
    given: dict[str, Any] = {name: getattr(source, name) for name in _shared(kind, type(source))}
    given.update(unlike)
    return kind(**given)


def _fits(number: bytes) -> bool:
    return len(number) <= MOST_DIGITS if number.isdigit() else not math.isinf(float(number))


def _outside_strings(text: bytes) -> bytes:
    if b"\\" in text:
        text = text.replace(b"\\\\", b"").replace(b'\\"', b"")
    return b" ".join(text.split(b'"')[::2])


@cache
def _shared(kind: type[msgspec.Struct], source: type[msgspec.Struct]) -> tuple[str, ...]:
    names = tuple(name for name in source.__struct_fields__ if name in kind.__struct_fields__)
    assert names, "structs that have nothing in common pass nothing on"
    return names
