"""Bodies in and out: JSON by msgspec, within bounds."""

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from agentic_atlas.errors import InvalidInput, PayloadTooLarge
from agentic_atlas.protocol.codec import ProtocolError, check_depth

MAX_BODY = 4 * 1024 * 1024
"""Bytes of a request's body."""

MAX_DEPTH = 64

T = TypeVar("T")


class ErrorBody(msgspec.Struct):
    """Why a request was not carried out."""

    code: str
    message: str
    detail: Any = None
    """Facts for programs, for instance where an input is wrong."""


class ErrorView(msgspec.Struct):
    """The shape of every error."""

    error: ErrorBody


class Json(Response):
    """A JSON response made from a struct."""

    media_type = "application/json"

    def __init__(self, view: object, *, status: int = 200, headers: Mapping[str, str] | None = None) -> None:
        all_headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", **(headers or {})}
        super().__init__(msgspec.json.encode(view), status_code=status, headers=all_headers)


async def read(request: Request, kind: type[T], *, most: int = MAX_BODY) -> T:
    """Return the request's body, of at most so many bytes, as a struct.

    Raises:
        PayloadTooLarge: longer than `most`; what is over is not read.
        InvalidInput: not JSON, nested too deeply, or not of this shape.
    """
    body = await _body(request, most)
    try:
        check_depth(body.decode("utf-8"), MAX_DEPTH)
        return msgspec.json.decode(body or b"{}", type=kind)
    except ProtocolError as error:
        raise InvalidInput(f"the body is not acceptable: {error.message}") from None
    except msgspec.ValidationError as error:
        what, _, path = str(error).partition(" - at `$")
        pointer = path.rstrip("`").replace(".", "/")
        raise InvalidInput(
            f"the body is not acceptable: {error}", detail=[{"path": pointer, "message": what}]
        ) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidInput(f"the body is not JSON: {error}", code="invalid_json") from None


async def _body(request: Request, most: int) -> bytes:
    if request.headers.get("content-encoding", "identity") != "identity":
        raise InvalidInput("compressed bodies are not taken: send the body as it is", code="unsupported_encoding")
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > most:
            raise PayloadTooLarge(f"the body is over the limit of {most} bytes")
        parts.append(part)
    return b"".join(parts)
