from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from agentic_atlas.auth.hosts import Hosts
from agentic_atlas.errors import AtlasError, Busy, Forbidden, Unauthenticated, Unavailable
from agentic_atlas.protocol.inside.messages import Identity
from agentic_atlas.router.handshake import (
    answer,
    broken,
    check_sender,
    identify,
    too_crowded,
    upgrade,
)
from agentic_atlas.transport.head import HandshakeDenied, Head

ADA = Identity("tok", "agt", 2e9)


def accept(values: Sequence[str]) -> Identity:
    return ADA


def refused(
    subprotocols: Sequence[str], authorization: Sequence[str], error: AtlasError | None = None
) -> HandshakeDenied:
    def verify(values: Sequence[str]) -> Identity:
        assert error is not None, "the token must not be looked at"
        raise error

    with pytest.raises(HandshakeDenied) as caught:
        identify(subprotocols, authorization, verify)
    return caught.value


@pytest.mark.parametrize("subprotocols", [["atlas.v1"], ["other, atlas.v1"], ["other", " atlas.v1 , x"]])
def test_our_subprotocol_may_be_one_of_several(subprotocols: list[str]) -> None:
    assert identify(subprotocols, ["Bearer t"], accept) is ADA


@pytest.mark.parametrize("path", ["/", "/ws/", "/WS", "//ws", "/ws#x", "/%77s", ""])
def test_there_is_one_path(path: str) -> None:
    with pytest.raises(HandshakeDenied) as caught:
        upgrade(Head("GET", path, True, ()))
    assert (caught.value.status, caught.value.code) == (404, "not_found")


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ([], 400, "bad_host"),
        ([("host", "a"), ("host", "a")], 400, "bad_host"),
        ([("host", "evil.example")], 421, "foreign_host"),
        ([("host", "a"), ("origin", "http://b")], 403, "cross_site"),
        ([("host", "a"), ("sec-fetch-site", "cross-site")], 403, "cross_site"),
    ],
)
def test_a_request_for_somebody_else_or_by_somebody_elses_page_is_refused(
    fields: list[tuple[str, str]], status: int, code: str
) -> None:
    with pytest.raises(HandshakeDenied) as caught:
        check_sender(Head("GET", "/ws", True, tuple(fields)), Hosts())
    assert (caught.value.status, caught.value.code) == (status, code)


def test_the_host_of_an_absolute_address_counts_in_place_of_the_field() -> None:
    check_sender(Head("GET", "/ws", True, (("host", "evil.example"),), "localhost:8080"), Hosts())
    with pytest.raises(HandshakeDenied):
        check_sender(Head("GET", "/ws", True, (("host", "localhost"),), "evil.example"), Hosts())


@pytest.mark.parametrize("subprotocols", [[], [""], ["atlas.v2"], ["ATLAS.V1"], ["atlas.v1x"]])
def test_without_our_subprotocol_there_is_no_upgrade(subprotocols: list[str]) -> None:
    error = refused(subprotocols, ["Bearer t"])
    assert (error.status, error.code) == (400, "subprotocol_required")


def test_a_header_longer_than_any_token_is_refused_unread() -> None:
    error = refused(["atlas.v1"], ["Bearer " + "x" * 4097])
    assert (error.status, error.code) == (401, "token_too_long")


@pytest.mark.parametrize(
    ("error", "status", "retry_after"),
    [
        (Unauthenticated("no"), 401, None),
        (AtlasError("expired", code="token_expired"), 401, None),
        (Forbidden("no"), 403, None),
        (Forbidden("elsewhere", code="foreign_host"), 421, None),
        (Busy("later", retry_after=2.4), 429, "2"),
        (Unavailable("later", retry_after=0.1), 503, "1"),
    ],
)
def test_what_verify_says_decides_the_status(error: AtlasError, status: int, retry_after: str | None) -> None:
    denied = refused(["atlas.v1"], ["Bearer t"], error)
    headers = dict(answer(denied).headers)
    assert answer(denied).status == denied.status == status
    assert headers["Atlas-Error"] == error.code
    assert headers.get("Retry-After") == retry_after
    assert ("WWW-Authenticate" in headers) == (status == 401)
    assert json.loads(answer(denied).body) == {"error": {"code": error.code, "message": error.message, "detail": None}}


def test_a_fault_of_ours_tells_nothing() -> None:
    assert (broken().status, broken().code) == (500, "internal")
    assert (too_crowded().status, dict(answer(too_crowded()).headers)["Retry-After"]) == (503, "30")
