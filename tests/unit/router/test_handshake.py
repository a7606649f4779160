from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from agentic_atlas.errors import AtlasError, Busy, Forbidden, Unauthenticated, Unavailable
from agentic_atlas.router.handshake import HandshakeRefused, Request, broken, crowded, identify
from agentic_atlas.router.ports import Identity

ADA = Identity("tok", "agt", 2e9)


def accept(values: Sequence[str]) -> Identity:
    return ADA


def refused(request: Request, error: AtlasError | None = None) -> HandshakeRefused:
    def verify(values: Sequence[str]) -> Identity:
        assert error is not None, "the token must not be looked at"
        raise error

    with pytest.raises(HandshakeRefused) as caught:
        identify(request, verify)
    return caught.value


@pytest.mark.parametrize("subprotocols", [["atlas.v1"], ["other, atlas.v1"], ["other", " atlas.v1 , x"]])
def test_our_subprotocol_may_be_one_of_several(subprotocols: list[str]) -> None:
    assert identify(Request("/ws", subprotocols, ["Bearer t"]), accept) is ADA


@pytest.mark.parametrize("path", ["/", "/ws/", "/WS", "/ws?token=secret", "//ws", "/ws#x", "/%77s", ""])
def test_there_is_one_path_and_a_token_in_it_is_not_looked_at(path: str) -> None:
    error = refused(Request(path, ["atlas.v1"], ["Bearer t"]))
    assert (error.status, error.code) == (404, "not_found")
    assert "secret" not in error.message


@pytest.mark.parametrize("subprotocols", [[], [""], ["atlas.v2"], ["ATLAS.V1"], ["atlas.v1x"]])
def test_without_our_subprotocol_there_is_no_upgrade(subprotocols: list[str]) -> None:
    error = refused(Request("/ws", subprotocols, ["Bearer t"]))
    assert (error.status, error.code) == (400, "subprotocol_required")


def test_a_header_longer_than_any_token_is_refused_unread() -> None:
    error = refused(Request("/ws", ["atlas.v1"], ["Bearer " + "x" * 4097]))
    assert (error.status, error.code) == (401, "token_too_long")


@pytest.mark.parametrize(
    ("error", "status", "retry_after"),
    [
        (Unauthenticated("no"), 401, None),
        (AtlasError("expired", code="token_expired"), 401, None),
        (Forbidden("no"), 403, None),
        (Busy("later", retry_after=2.4), 429, "2"),
        (Unavailable("later", retry_after=0.1), 503, "1"),
    ],
)
def test_what_verify_says_decides_the_status(error: AtlasError, status: int, retry_after: str | None) -> None:
    answer = refused(Request("/ws", ["atlas.v1"], ["Bearer t"]), error)
    headers = dict(answer.headers())
    assert answer.status == status
    assert headers["Atlas-Error"] == error.code
    assert headers.get("Retry-After") == retry_after
    assert ("WWW-Authenticate" in headers) == (status == 401)
    assert json.loads(answer.body()) == {"error": {"code": error.code, "message": error.message, "detail": None}}


def test_a_fault_of_ours_tells_nothing() -> None:
    assert (broken().status, broken().code) == (500, "internal")
    assert (crowded().status, dict(crowded().headers())["Retry-After"]) == (503, "30")
