"""Whom the handshake lets in (RFC 6455 §4.2). Pure: a request in, an identity or a refusal out."""

from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import TypeAlias

import msgspec

from agentic_atlas.auth.hosts import Hosts
from agentic_atlas.errors import AtlasError, Busy, Forbidden, InvalidInput, Unavailable
from agentic_atlas.protocol.inside.messages import Identity
from agentic_atlas.protocol.versions import ERROR_HEADER, PATH, SUBPROTOCOL
from agentic_atlas.transport.head import HandshakeDenied, Head, HttpAnswer, upgrade_key

Verify: TypeAlias = Callable[[Sequence[str]], Identity]
"""Takes the values of all `Authorization` headers, returns who it is or raises an AtlasError. Quick, and no I/O."""

HEALTH = "/healthz"

_LONGEST_HEADER = len("Bearer ") + 4096


def answer(refused: HandshakeDenied) -> HttpAnswer:
    """Return a refusal as it is sent, the error in the shape that all our interfaces have."""
    body = msgspec.json.encode({"error": {"code": refused.code, "message": refused.message, "detail": refused.detail}})
    headers = [("Content-Type", "application/json"), (ERROR_HEADER, refused.code), *refused.headers]
    if refused.status is HTTPStatus.UNAUTHORIZED:
        headers.append(("WWW-Authenticate", "Bearer"))
    return HttpAnswer(refused.status, headers, body)


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
        HandshakeDenied: it is for another path (404), or asks for no upgrade; see `upgrade_key`.
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
        HTTPStatus.SERVICE_UNAVAILABLE, "too_many_connections", "there are too many connections already", _later(30.0)
    )


def broken() -> HandshakeDenied:
    """Return the refusal for a fault of ours; it tells nothing of it."""
    return HandshakeDenied(HTTPStatus.INTERNAL_SERVER_ERROR, "internal", "the router failed at this handshake")


def refusal(error: AtlasError) -> HandshakeDenied:
    """Return the refusal for whatever was wrong with a request, or with who sent it."""
    match error:
        case HandshakeDenied():
            return error
        case Busy():
            return HandshakeDenied(HTTPStatus.TOO_MANY_REQUESTS, error.code, error.message, _later(error.retry_after))
        case Unavailable():
            return HandshakeDenied(HTTPStatus.SERVICE_UNAVAILABLE, error.code, error.message, _later(error.retry_after))
        case Forbidden(code="foreign_host"):
            return HandshakeDenied(HTTPStatus.MISDIRECTED_REQUEST, error.code, error.message)
        case Forbidden():
            return HandshakeDenied(HTTPStatus.FORBIDDEN, error.code, error.message)
        case InvalidInput():
            return HandshakeDenied(HTTPStatus.BAD_REQUEST, error.code, error.message)
        case _:
            return HandshakeDenied(HTTPStatus.UNAUTHORIZED, error.code, error.message)


def _later(seconds: float) -> tuple[tuple[str, str], ...]:
    """Return the header that says when to try again."""
    return (("Retry-After", str(max(1, round(seconds)))),)
