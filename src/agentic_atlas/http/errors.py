"""The one table from error to HTTP status, and the one shape in which errors are answered."""

from collections.abc import Collection, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from agentic_atlas.errors import (
    AtlasError,
    Busy,
    Conflict,
    Forbidden,
    InvalidInput,
    NotFound,
    PayloadTooLarge,
    Unauthenticated,
    Unavailable,
)
from agentic_atlas.http.messages import Response, json
from agentic_atlas.observe.redaction import redact
from agentic_atlas.protocol.caller.values import ErrorAnswer, ErrorInfo
from agentic_atlas.protocol.refusals import Refusal, of_pydantic
from agentic_atlas.protocol.schemas.words import pointer

STATUS: dict[type[AtlasError], HTTPStatus] = {
    PayloadTooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    InvalidInput: HTTPStatus.UNPROCESSABLE_ENTITY,
    Unauthenticated: HTTPStatus.UNAUTHORIZED,
    Forbidden: HTTPStatus.FORBIDDEN,
    NotFound: HTTPStatus.NOT_FOUND,
    Conflict: HTTPStatus.CONFLICT,
    Busy: HTTPStatus.TOO_MANY_REQUESTS,
    Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    AtlasError: HTTPStatus.INTERNAL_SERVER_ERROR,
}
"""Status of each class of error; a class that is not listed has its nearest ancestor's."""

STATUS_OF_CODE: dict[str, HTTPStatus] = {
    "storage_full": HTTPStatus.INSUFFICIENT_STORAGE,
    "malformed_request": HTTPStatus.BAD_REQUEST,
    "bad_host": HTTPStatus.BAD_REQUEST,
    "foreign_host": HTTPStatus.MISDIRECTED_REQUEST,
    "unsupported_encoding": HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    "unsupported_media_type": HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    "head_too_long": HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    "transfer_encoding": HTTPStatus.NOT_IMPLEMENTED,
    "http_version": HTTPStatus.HTTP_VERSION_NOT_SUPPORTED,
}
"""Codes whose status differs from their class's."""

_MOST_FAULTS = 20


def status_of(error: AtlasError) -> HTTPStatus:
    """Return the HTTP status of an error."""
    if error.code in STATUS_OF_CODE:
        return STATUS_OF_CODE[error.code]
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


def answer(error: Exception) -> Response:
    """Return the response for an error."""
    if not isinstance(error, AtlasError):
        # The server logs the traceback; the caller learns only that it is not their fault.
        why = "something went wrong on the server; its log has the reason"
        view = ErrorAnswer(error=ErrorInfo(code="internal", message=why))
        return json(view, status=HTTPStatus.INTERNAL_SERVER_ERROR)
    more = []
    if isinstance(error, Unauthenticated):
        more.append(("www-authenticate", "Bearer"))
    if isinstance(error, (Busy, Unavailable)):
        more.append(("retry-after", str(max(1, round(error.retry_after)))))
    told = json(ErrorAnswer(error=error_info(error)), *more, status=status_of(error))
    # It quotes what was asked for, and programs log why they were refused.
    told.body = redact(told.body.decode()).encode()
    return told


def no_route() -> AtlasError:
    """Return the error for a path where there is nothing."""
    return NotFound("there is nothing at this address")


def not_allowed(methods: Collection[str]) -> Response:
    """Return the response for a path where there are other methods than the one that was asked for: these."""
    allowed = {*methods, "HEAD"} if "GET" in methods else methods
    status = HTTPStatus.METHOD_NOT_ALLOWED
    info = ErrorInfo(code=status.name.lower(), message=status.phrase)
    return json(ErrorAnswer(error=info), ("allow", ", ".join(sorted(allowed))), status=status)


def parameters(faults: Sequence[Mapping[str, Any]]) -> InvalidInput:
    """Return the error for parameters that are not acceptable, from what Pydantic says of them."""
    told = [
        {"path": pointer(fault["loc"]), "message": of_pydantic(fault["msg"], fault.get("input"))}
        for fault in faults[:_MOST_FAULTS]
    ]
    first = Refusal(pointer(faults[0]["loc"][1:]), told[0]["message"])
    return InvalidInput(first.sentence, detail=told)


def stopping() -> AtlasError:
    """Return the error for a request that came, or was not whole, while the server stops."""
    return Unavailable("the server is stopping: try again when it is back", code="server_stopping", retry_after=2)


def crowded() -> Response:
    """Return the response for a request on a connection too many, which ends with it."""
    return answer(
        Unavailable("too many connections are open: close some that are not used", code="too_many_connections")
    )


def malformed() -> AtlasError:
    """Return the error for what is no request of HTTP; it quotes nothing of it."""
    return InvalidInput("this is no request of HTTP", code="malformed_request")


def cut_off() -> AtlasError:
    """Return the error for a request of which the rest did not come."""
    return InvalidInput("the request was cut off", code="malformed_request")


def too_many_pieces(least: int) -> AtlasError:
    """Return the error for a body in chunks that hold next to nothing."""
    return InvalidInput(
        f"the body comes in too many chunks of less than {least} bytes: send it in longer ones",
        code="malformed_request",
    )


def transfer_encoding() -> AtlasError:
    """Return the error for a body in a transfer coding that is not understood here."""
    return InvalidInput("the only transfer coding that is understood is `chunked`", code="transfer_encoding")


def head_too_long(most: int) -> AtlasError:
    """Return the error for a head of more than `most` bytes."""
    return InvalidInput(f"the request's head is over the limit of {most} bytes", code="head_too_long")


def error_info(error: AtlasError) -> ErrorInfo:
    """Return an error as it is shown."""
    return ErrorInfo(code=error.code, message=error.message, detail=error.detail)
