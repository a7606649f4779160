"""What a handshake that failed means, and that a peer's text is harmless."""

from __future__ import annotations

import socket

import pytest

from agentic_atlas.errors import AtlasError
from agentic_atlas.sdk.link.dial import (
    LONGEST_TEXT,
    HandshakeRefused,
    NotARouter,
    Unreachable,
    os_error,
    plain,
    refusal,
)
from agentic_atlas.transport.client import NotOpened


def test_a_refusal_that_another_try_may_not_meet_is_not_final() -> None:
    assert HandshakeRefused(403, "no", code=None, retry_after=None).final
    assert not HandshakeRefused(503, "later", code=None, retry_after=None).final


def test_a_peers_text_is_one_short_line() -> None:
    assert plain("a\r\n\tb\x00\x1b[0m\u202ec") == "a b [0m c"
    assert len(plain("x" * 10_000)) == LONGEST_TEXT


@pytest.mark.parametrize(
    ("error", "told", "unknown", "hung_up"),
    [
        (ConnectionRefusedError(111, "x"), "connection refused", False, False),
        (TimeoutError(), "no answer", False, False),
        (ConnectionResetError(), "it hung up without an answer", False, True),
        (socket.gaierror(-2, "x"), "the host's name can't be resolved", True, False),
        (OSError(101, "Network is unreachable"), "network is unreachable", False, False),
    ],
)
def test_what_the_system_says_becomes_a_reason(error: OSError, told: str, unknown: bool, hung_up: bool) -> None:
    reason = os_error(error)
    assert isinstance(reason, Unreachable)
    assert (reason.code, reason.message) == ("unreachable", told)
    assert (reason.unknown, reason.hung_up) == (unknown, hung_up)


def answer(status: int | None, body: bytes = b"", **headers: str) -> AtlasError:
    said = {name.replace("_", "-"): value for name, value in headers.items()}
    return refusal(NotOpened("it opens no WebSocket", status=status, headers=said, body=body))


OURS = b'{"error": {"code": "token_revoked", "message": "the token\\nhas been revoked"}}'


def test_a_routers_refusal_has_its_code_its_words_on_one_line_and_when_to_come_back() -> None:
    refused = answer(403, OURS, Atlas_Error="token_revoked", Retry_After="7")
    assert isinstance(refused, HandshakeRefused)
    told = (refused.status, refused.code, refused.message, refused.retry_after, refused.final)
    assert told == (403, "token_revoked", "the token has been revoked", 7.0, True)
    early = answer(401, b"", Atlas_Error="token_not_yet_valid")
    assert isinstance(early, HandshakeRefused)
    assert not early.final


@pytest.mark.parametrize(
    ("refused", "told"),
    [
        (answer(None), "does not speak HTTP/1.1"),
        (answer(101), "handshake is not correct"),
        (answer(404), "nothing at this path"),
        (answer(404, OURS), "that is the HTTP API"),
        (refusal(NotOpened("it insists on an extension")), "it insists on an extension"),
    ],
)
def test_what_is_no_router_of_ours_is_said_to_be_none(refused: AtlasError, told: str) -> None:
    assert isinstance(refused, NotARouter)
    assert told in refused.message


def test_an_address_that_redirects_is_named_and_not_followed() -> None:
    assert "ROUTER_WS_URL" in answer(302).message
    hung_up = refusal(NotOpened("it hung up without an answer", answered=False))
    assert isinstance(hung_up, Unreachable)
    assert hung_up.hung_up
