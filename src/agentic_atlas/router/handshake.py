"""Whom the handshake lets in (RFC 6455 §4.2). Pure: a request in, an identity or a refusal out."""

from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import TypeAlias

import msgspec

from agentic_atlas.errors import AtlasError, Busy, Forbidden, Unavailable
from agentic_atlas.protocol.versions import ERROR_HEADER, PATH, SUBPROTOCOL
from agentic_atlas.router.ports import Identity

Verify: TypeAlias = Callable[[Sequence[str]], Identity]
"""Takes the values of all `Authorization` headers, returns who it is or raises an AtlasError. Quick, and no I/O."""

HEALTH = "/healthz"

_LONGEST_HEADER = len("Bearer ") + 4096


class Request(msgspec.Struct, frozen=True):
    """What of a request for an upgrade matters here."""

    path: str
    subprotocols: Sequence[str]
    """Values of all `Sec-WebSocket-Protocol` headers."""
    authorization: Sequence[str]
    """Values of all `Authorization` headers."""


class HandshakeRefused(AtlasError):
    """The answer is not an upgrade; `status` is that of HTTP."""

    def __init__(self, status: HTTPStatus, code: str, message: str, retry_after: float | None = None) -> None:
        super().__init__(message, code=code)
        self.status = status
        self.retry_after = retry_after

    def headers(self) -> list[tuple[str, str]]:
        """Return the headers that go with it."""
        headers = [("Content-Type", "application/json"), (ERROR_HEADER, self.code)]
        if self.status is HTTPStatus.UNAUTHORIZED:
            headers.append(("WWW-Authenticate", "Bearer"))
        if self.retry_after is not None:
            headers.append(("Retry-After", str(max(1, round(self.retry_after)))))
        return headers

    def body(self) -> bytes:
        """Return the error in the shape that all our interfaces have."""
        return msgspec.json.encode({"error": {"code": self.code, "message": self.message, "detail": self.detail}})


def identify(request: Request, verify: Verify) -> Identity:
    """Return whose connection this is.

    Raises:
        HandshakeRefused: another path (404), not our subprotocol (400), or a token that `verify` does not accept.
    """
    if request.path != PATH:
        raise HandshakeRefused(HTTPStatus.NOT_FOUND, "not_found", f"agents connect at {PATH}")
    offered = [name.strip() for value in request.subprotocols for name in value.split(",")]
    if SUBPROTOCOL not in offered:
        raise HandshakeRefused(
            HTTPStatus.BAD_REQUEST, "subprotocol_required", f"name the subprotocol {SUBPROTOCOL} in the handshake"
        )
    if any(len(value) > _LONGEST_HEADER for value in request.authorization):
        raise HandshakeRefused(HTTPStatus.UNAUTHORIZED, "token_too_long", "this is longer than any token of ours")
    try:
        return verify(request.authorization)
    except AtlasError as error:
        raise _refusal(error) from None


def crowded() -> HandshakeRefused:
    """Return the refusal for a connection too many."""
    return HandshakeRefused(
        HTTPStatus.SERVICE_UNAVAILABLE, "too_many_connections", "there are too many connections already", 30.0
    )


def broken() -> HandshakeRefused:
    """Return the refusal for a fault of ours; it tells nothing of it."""
    return HandshakeRefused(HTTPStatus.INTERNAL_SERVER_ERROR, "internal", "the router failed at this handshake")


def _refusal(error: AtlasError) -> HandshakeRefused:
    status, retry_after = HTTPStatus.UNAUTHORIZED, None
    if isinstance(error, Forbidden):
        status = HTTPStatus.FORBIDDEN
    elif isinstance(error, Busy):
        status, retry_after = HTTPStatus.TOO_MANY_REQUESTS, error.retry_after
    elif isinstance(error, Unavailable):
        status, retry_after = HTTPStatus.SERVICE_UNAVAILABLE, error.retry_after
    return HandshakeRefused(status, error.code, error.message, retry_after)
