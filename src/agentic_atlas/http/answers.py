"""Bodies in and out: JSON by msgspec, within bounds."""

import asyncio
import sys
from typing import Final, TypeVar

import msgspec

from agentic_atlas.errors import InvalidInput, PayloadTooLarge
from agentic_atlas.http.messages import Request, Response
from agentic_atlas.http.turns import LONG, BodyPlace, Turns
from agentic_atlas.protocol.codec import ProtocolError, check_nesting
from agentic_atlas.protocol.refusals import refusal

MAX_BODY = 4 * 1024 * 1024
"""Bytes of a request's body."""

MAX_DEPTH = 64
"""Deepest nesting of arrays and objects in a body."""

_MOST_DIGITS = 15
_OF_JSON: Final = (
    ("content-type", "application/json"),
    ("cache-control", "no-store"),
    ("x-content-type-options", "nosniff"),
)

T = TypeVar("T")


def json(view: object, *more: tuple[str, str], status: int = 200) -> Response:
    """Return the response with a struct as JSON, and `more` fields."""
    return Response(status, (*_OF_JSON, *more), msgspec.json.encode(view))


async def read(request: Request, turns: Turns, kind: type[T], *, most: int = MAX_BODY) -> T:
    """Return the request's body, of at most so many bytes, as a struct.

    Raises:
        PayloadTooLarge: longer than `most`; what is over is not read.
        InvalidInput: not said to be JSON, not JSON, nested too deeply, not of this shape, or cut off.
        Busy: too many long bodies of this user are on their way.
    """
    _check_form(request)
    if _announced(request) < min(LONG, most):
        body = await _body(request, most, None)
        _check(body)
        return _read(body, kind)
    with turns.place(request.asker) as place:
        body = await _body(request, most, place)
        async with place.turn():
            _check(body)
            if len(body) >= LONG:
                await asyncio.sleep(0)  # Each of the two takes milliseconds: others have their turn in between.
            return _read(body, kind)


def _announced(request: Request) -> int:
    """Return how many bytes the body has, as far as its head says; else as many as none may have."""
    length = request.first("content-length") or ""
    return int(length) if length.isascii() and length.isdigit() and len(length) <= _MOST_DIGITS else sys.maxsize


def _check(body: bytes) -> None:
    try:
        body.decode("utf-8")
        check_nesting(body, MAX_DEPTH)
    except ProtocolError as error:
        raise InvalidInput(f"the body is not acceptable: {error.message}") from None
    except UnicodeDecodeError as error:
        raise InvalidInput(f"the body is not JSON: {error}", code="invalid_json") from None


def _read(body: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(body or b"{}", type=kind)
    except msgspec.ValidationError as error:
        found = refusal(error, kind, _untyped(body))
        detail = [{"path": found.path, "message": found.message}]
        raise InvalidInput(f"the body is not acceptable: {found.sentence}", detail=detail) from None
    except (msgspec.DecodeError, RecursionError) as error:
        raise InvalidInput(f"the body is not JSON: {error}", code="invalid_json") from None


def _untyped(body: bytes) -> object:
    """Return a body as JSON values; None for a long one, and for one that is no JSON behind what was refused."""
    if len(body) >= LONG:
        return None  # Built as values, four megabytes of brackets keep everybody waiting for a third of a second.
    try:
        return msgspec.json.decode(body or b"{}")
    except (msgspec.DecodeError, RecursionError):
        return None


async def _body(request: Request, most: int, place: BodyPlace | None) -> bytes:
    parts: list[bytes] = []
    size = 0
    while part := await request.body.read():
        size += len(part)
        if size > most:
            raise PayloadTooLarge(f"the body has more than the {most} bytes allowed: send less, or a link to it")
        if place is not None:
            place.grows(size)
        parts.append(part)
    return b"".join(parts)


def _check_form(request: Request) -> None:
    """Raise InvalidInput for a body that is compressed, or that is not said to be JSON.

    A web page of another site can send a body of a few types without asking first; JSON is none of them.
    """
    encodings = ",".join(request.all("content-encoding")).split(",")
    if not {"identity", ""}.issuperset(encoding.strip().lower() for encoding in encodings):
        raise InvalidInput("compressed bodies are not taken: send the body as it is", code="unsupported_encoding")
    empty = request.first("content-length") in (None, "0") and request.first("transfer-encoding") is None
    types = [value.partition(";")[0].strip().lower() for value in request.all("content-type")]
    if types != ["application/json"] and not (empty and not types):
        raise InvalidInput(
            "the body has to be JSON, and to say so: `Content-Type: application/json`", code="unsupported_media_type"
        )
