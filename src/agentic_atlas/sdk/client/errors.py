"""The one table between the API's error answers and our exceptions, and the errors only a client can meet.

An answer is known by its `error.code` first, for that is what a batch has too, then by its status. The exception keeps
the API's own code, message and detail.
"""

import msgspec

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
from agentic_atlas.protocol.caller.values import ErrorAnswer, ErrorInfo

ERRORS: tuple[tuple[int, type[AtlasError]], ...] = (
    (400, InvalidInput),
    (401, Unauthenticated),
    (403, Forbidden),
    (404, NotFound),
    (409, Conflict),
    (413, PayloadTooLarge),
    (422, InvalidInput),
    (429, Busy),
    (503, Unavailable),
    (507, Unavailable),
)
"""Status of an answer and the exception it becomes; the exception's `default_code` is the code that means it too."""

_BY_STATUS = dict(ERRORS)
_BY_CODE = {kind.default_code: kind for _, kind in ERRORS}
_GATEWAY = frozenset({502, 504})
_LONGEST_TEXT = 500


class ConnectionCut(Unavailable):
    """The connection was lost after the request may have arrived: it is repeated only where that does no harm."""

    default_code = "connection_lost"


class UnexpectedAnswer(AtlasError):
    """Something answered that is not the API: a wrong address, a proxy's page, an incompatible version."""

    default_code = "unexpected_answer"


class NotFinished(AtlasError, TimeoutError):
    """The wait was over before the task. The message says whether the task goes on."""

    default_code = "not_finished"

    def __init__(self, message: str, *, task_id: str) -> None:
        super().__init__(message)
        self.task_id = task_id


def from_error(error: ErrorInfo, *, status: int = 0, retry_after: float = 1.0) -> AtlasError:
    """Return the exception for an error of the API; `retry_after` is in seconds and counts for the retryable ones."""
    kind = _BY_CODE.get(error.code) or (NotFound if error.code.endswith("_not_found") else None)
    kind = kind or _BY_STATUS.get(status, AtlasError)
    if issubclass(kind, Busy | Unavailable):
        return kind(error.message, retry_after=retry_after, code=error.code, detail=error.detail)
    return kind(error.message, code=error.code, detail=error.detail)


def from_answer(status: int, body: bytes, retry_after: str | None) -> AtlasError:
    """Return the exception for an answer that is not a success, whoever gave it."""
    seconds = _seconds(retry_after)
    try:
        error = msgspec.json.decode(body, type=ErrorAnswer).error
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return _from_stranger(status, body, seconds)
    return from_error(error, status=status, retry_after=seconds)


def _from_stranger(status: int, body: bytes, retry_after: float) -> AtlasError:
    """Return the exception for an answer in another form than ours: of a proxy, or of another server."""
    if status in _GATEWAY:
        return ConnectionCut(f"a proxy answered {status}: Agentic Atlas behind it does not answer", retry_after=1.0)
    if status in (429, 503):
        kind = Busy if status == 429 else Unavailable
        return kind(f"the server answered {status}: try again later", retry_after=retry_after)
    if 300 <= status < 400:
        return UnexpectedAnswer(f"the address redirects elsewhere ({status}), which is not followed: use the final one")
    text = body[:_LONGEST_TEXT].decode(errors="replace").strip()
    return UnexpectedAnswer(
        f"the server answered {status} in a form Agentic Atlas does not use: check the address", detail=text or None
    )


def _seconds(header: str | None) -> float:
    """Read a Retry-After header; a date instead of seconds counts as one second."""
    try:
        seconds = float(header or 1.0)
    except ValueError:
        return 1.0
    return seconds if 0 <= seconds < float("inf") else 1.0
