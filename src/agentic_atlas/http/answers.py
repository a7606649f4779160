"""Bodies in and out: JSON by msgspec, within bounds."""

import asyncio
import sys
from collections.abc import Mapping
from typing import TypeVar

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from agentic_atlas.errors import InvalidInput, PayloadTooLarge
from agentic_atlas.http.turns import ASKER, LONG, BodyPlace, Turns
from agentic_atlas.protocol.codec import ProtocolError, check_nesting
from agentic_atlas.protocol.refusals import refusal

MAX_BODY = 4 * 1024 * 1024
"""Bytes of a request's body."""

MAX_DEPTH = 64
"""Deepest nesting of arrays and objects in a body."""

_MOST_DIGITS = 15
_OF_JSON = (
    (b"content-type", b"application/json"),
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
)

T = TypeVar("T")


class Json(Response):
    """A JSON response made from a struct."""

    def __init__(self, view: object, *, status: int = 200, headers: Mapping[str, str] | None = None) -> None:
        # What the framework's constructor would set, without what it looks for in each header.
        self.status_code = status
        self.background = None
        self.body = msgspec.json.encode(view)
        more = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in (headers or {}).items()]
        self.raw_headers = [(b"content-length", b"%d" % len(self.body)), *_OF_JSON, *more]


async def read(request: Request, kind: type[T], *, most: int = MAX_BODY) -> T:
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
    turns: Turns = request.app.state.turns
    with turns.place(getattr(request.state, ASKER, "")) as place:
        body = await _body(request, most, place)
        async with place.turn():
            _check(body)
            if len(body) >= LONG:
                await asyncio.sleep(0)  # Each of the two takes milliseconds: others have their turn in between.
            return _read(body, kind)


def _announced(request: Request) -> int:
    """Return how many bytes the body has, as far as its head says; else as many as none may have."""
    length = request.headers.get("content-length", "")
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
    try:
        async for part in request.stream():
            size += len(part)
            if size > most:
                raise PayloadTooLarge(f"the body has more than the {most} bytes allowed: send less, or a link to it")
            if place is not None:
                place.grows(size)
            parts.append(part)
    except ClientDisconnect:
        # Nobody is there to read an answer, and nothing went wrong here: it ends like any other refusal.
        raise InvalidInput("the body was cut off", code="malformed_request") from None
    return b"".join(parts)


def _check_form(request: Request) -> None:
    """Raise InvalidInput for a body that is compressed, or that is not said to be JSON.

    A web page of another site can send a body of a few types without asking first; JSON is none of them.
    """
    encodings = ",".join(request.headers.getlist("content-encoding")).split(",")
    if not {"identity", ""}.issuperset(encoding.strip().lower() for encoding in encodings):
        raise InvalidInput("compressed bodies are not taken: send the body as it is", code="unsupported_encoding")
    empty = request.headers.get("content-length", "0") == "0" and "transfer-encoding" not in request.headers
    types = [value.partition(";")[0].strip().lower() for value in request.headers.getlist("content-type")]
    if types != ["application/json"] and not (empty and not types):
        raise InvalidInput(
            "the body has to be JSON, and to say so: `Content-Type: application/json`", code="unsupported_media_type"
        )
