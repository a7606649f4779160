"""Whom the handshake lets in (RFC 6455 §4.2). Pure: a request in, an identity or a refusal out."""

from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import TypeAlias

import msgspec

from agentic_atlas.auth.hosts import Hosts
from agentic_atlas.errors import AtlasError, Busy, Forbidden, InvalidInput, Unavailable
from agentic_atlas.protocol.inside.messages import Identity
from agentic_atlas.protocol.versions import ERROR_HEADER, PATH, SUBPROTOCOL
from agentic_atlas.transport.head import Head, HeadRefused, HttpAnswer, upgrade_key

Verify: TypeAlias = Callable[[Sequence[str]], Identity]
"""Takes the values of all `Authorization` headers, returns who it is or raises an AtlasError. Quick, and no I/O."""

HEALTH = "/healthz"

_LONGEST_HEADER = len("Bearer ") + 4096


class HandshakeDenied(AtlasError):
    """The answer is not an upgrade; `status` is that of HTTP."""

    def __init__(
        self,
        status: HTTPStatus,
        code: str,
        message: str,
        retry_after: float | None = None,
        more: Sequence[tuple[str, str]] = (),
    ) -> None:
        super().__init__(message, code=code)
        self.status = status
        self.retry_after = retry_after
        self._more = more

    def answer(self) -> HttpAnswer:
        """Return it as it is sent, the error in the shape that all our interfaces have."""
        body = msgspec.json.encode({"error": {"code": self.code, "message": self.message, "detail": self.detail}})
        return HttpAnswer(self.status, self._headers(), body)

    def _headers(self) -> list[tuple[str, str]]:
        headers = [("Content-Type", "application/json"), (ERROR_HEADER, self.code), *self._more]
        if self.status is HTTPStatus.UNAUTHORIZED:
            headers.append(("WWW-Authenticate", "Bearer"))
        if self.retry_after is not None:
            headers.append(("Retry-After", str(max(1, round(self.retry_after)))))
        return headers


def check_sender(head: Head, hosts: Hosts) -> None:
    """Let a request pass that is for this network, and that no web page of somebody else sent.

    Raises:
        HandshakeDenied: it names no host (400) or somebody else's (421), or another site's page sent it (403).
    """
    try:
        authority = hosts.check(head.hosts())
        hosts.check_page(authority, head.all("origin"), head.all("sec-fetch-site"))
    except AtlasError as error:
        raise refusal(error) from None


def upgrade(head: Head) -> str:
    """Return the key of a request for an upgrade (`Sec-WebSocket-Key`).

    Raises:
        HandshakeDenied: it is for another path (404). HeadRefused: it asks for no upgrade; see `upgrade_key`.
    """
    if head.path != PATH:
        message = f"agents connect at {PATH}; the HTTP API is at another port, 8000 by default"
        raise HandshakeDenied(HTTPStatus.NOT_FOUND, "not_found", message)
    return upgrade_key(head)


def identify(subprotocols: Sequence[str], authorization: Sequence[str], verify: Verify) -> Identity:
    """Return whose connection this is, from all `Sec-WebSocket-Protocol` and `Authorization` headers.

    Raises:
        HandshakeDenied: not our subprotocol (400), or a token that `verify` does not accept.
    """
    offered = [name.strip() for value in subprotocols for name in value.split(",")]
    if SUBPROTOCOL not in offered:
        raise HandshakeDenied(
            HTTPStatus.BAD_REQUEST, "subprotocol_required", f"name the subprotocol {SUBPROTOCOL} in the handshake"
        )
    if any(len(value) > _LONGEST_HEADER for value in authorization):
        raise HandshakeDenied(HTTPStatus.UNAUTHORIZED, "token_too_long", "this is longer than any token of ours")
    try:
        return verify(authorization)
    except AtlasError as error:
        raise refusal(error) from None


def too_crowded() -> HandshakeDenied:
    """Return the refusal for a connection too many."""
    return HandshakeDenied(
        HTTPStatus.SERVICE_UNAVAILABLE, "too_many_connections", "there are too many connections already", 30.0
    )


def broken() -> HandshakeDenied:
    """Return the refusal for a fault of ours; it tells nothing of it."""
    return HandshakeDenied(HTTPStatus.INTERNAL_SERVER_ERROR, "internal", "the router failed at this handshake")


def refusal(error: AtlasError) -> HandshakeDenied:
    """Return the refusal for whatever was wrong with a request, or with who sent it."""
    match error:
        case HandshakeDenied():
            return error
        case HeadRefused():
            return HandshakeDenied(error.status, error.code, error.message, more=error.headers)
        case Busy():
            return HandshakeDenied(HTTPStatus.TOO_MANY_REQUESTS, error.code, error.message, error.retry_after)
        case Unavailable():
            return HandshakeDenied(HTTPStatus.SERVICE_UNAVAILABLE, error.code, error.message, error.retry_after)
        case Forbidden(code="foreign_host"):
            return HandshakeDenied(HTTPStatus.MISDIRECTED_REQUEST, error.code, error.message)
        case Forbidden():
            return HandshakeDenied(HTTPStatus.FORBIDDEN, error.code, error.message)
        case InvalidInput():
            return HandshakeDenied(HTTPStatus.BAD_REQUEST, error.code, error.message)
        case _:
            return HandshakeDenied(HTTPStatus.UNAUTHORIZED, error.code, error.message)
