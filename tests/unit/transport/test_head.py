"""Heads of requests: those that the standards allow are read, all others are told apart, and none is quoted."""

from __future__ import annotations

from http import HTTPStatus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentic_atlas.transport.head import (
    LINGER,
    MAX_FIELDS,
    MAX_HEAD,
    HandshakeDenied,
    Head,
    HttpAnswer,
    Incoming,
    read_head,
    upgrade_key,
)

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
LINES = (
    "Host: localhost",
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Version: 13",
    f"Sec-WebSocket-Key: {KEY}",
)


def head(first: str = "GET /ws HTTP/1.1", *lines: str) -> Head:
    return read_head("\r\n".join([first, *(lines or LINES)]).encode("latin-1"))


def changed(**lines: str | None) -> Head:
    """Read a handshake with these fields instead; None for one that is not there."""
    fields = dict(line.split(": ", 1) for line in LINES)
    for name, value in lines.items():
        spelled = {"Key": "Sec-WebSocket-Key", "Version": "Sec-WebSocket-Version"}.get(name, name)
        if value is None:
            fields.pop(spelled)
        else:
            fields[spelled] = value
    return head("GET /ws HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items()))


@pytest.mark.parametrize(
    ("target", "path", "authority"),
    [
        ("/ws", "/ws", None),
        ("/ws?x=1", "/ws", None),
        ("/ws?", "/ws", None),
        ("http://localhost:8080/ws", "/ws", "localhost:8080"),
        ("HTTP://localhost/ws?x=1", "/ws", "localhost"),
        ("ws://[::1]:8080/ws", "/ws", "[::1]:8080"),
        ("wss://a", "/", "a"),
        ("http://a?x", "/", "a"),
        ("*", "*", None),
    ],
)
def test_a_target_may_have_a_query_and_may_be_a_whole_address(target: str, path: str, authority: str | None) -> None:
    read = head(f"GET {target} HTTP/1.1")
    assert (read.path, read.authority) == (path, authority)


@pytest.mark.parametrize("connection", ["Upgrade", "upgrade", "keep-alive, Upgrade", "keep-alive,UPGRADE , x"])
@pytest.mark.parametrize("upgrade", ["websocket", "WebSocket", "h2c, websocket"])
def test_words_are_read_in_any_case_and_out_of_lists(connection: str, upgrade: str) -> None:
    assert upgrade_key(changed(Connection=connection, Upgrade=upgrade)) == KEY


def test_a_list_may_stand_in_several_fields() -> None:
    lines = [line for line in LINES if not line.startswith("Connection")]
    assert upgrade_key(head("GET /ws HTTP/1.1", *lines, "Connection: keep-alive", "connection: Upgrade")) == KEY


@pytest.mark.parametrize(
    ("asked", "status", "code"),
    [
        (changed(Upgrade=None), 426, "upgrade_required"),
        (changed(Connection=None), 426, "upgrade_required"),
        (changed(Connection="keep-alive"), 426, "upgrade_required"),
        (changed(Connection="Upgraded"), 426, "upgrade_required"),
        (changed(Upgrade="h2c"), 426, "upgrade_required"),
        (head("GET /ws HTTP/1.0"), 426, "upgrade_required"),
        (changed(Version="8"), 426, "websocket_version"),
        (changed(Version=None), 426, "websocket_version"),
        (changed(Key=None), 400, "bad_websocket_key"),
        (changed(Key=""), 400, "bad_websocket_key"),
        (changed(Key="secret"), 400, "bad_websocket_key"),
        (changed(Key=KEY + "\xe9"), 400, "bad_websocket_key"),
        (head("POST /ws HTTP/1.1"), 405, "method_not_allowed"),
        (head("HEAD /ws HTTP/1.1"), 426, "upgrade_required"),
    ],
)
def test_what_is_no_handshake_is_told_what_is_missing(asked: Head, status: int, code: str) -> None:
    with pytest.raises(HandshakeDenied) as refused:
        upgrade_key(asked)
    assert (refused.value.status, refused.value.code) == (status, code)
    assert "secret" not in refused.value.message


@pytest.mark.parametrize(
    ("data", "status"),
    [
        ("", 400),
        ("GET", 400),
        ("GET /ws", 400),
        ("GET  /ws HTTP/1.1", 400),
        ("GET /ws secret HTTP/1.1", 400),
        ("G\x00T /ws HTTP/1.1", 400),
        ("GET /s\xe9cret HTTP/1.1", 400),
        ("GET /ws ICE/1.1", 400),
        ("GET /ws HTTP/2.0", 505),
        ("GET /ws HTTP/0.9", 505),
        ("GET /ws HTTP/1.1\r\nAuthorization secret", 400),
        ("GET /ws HTTP/1.1\r\nAuthorization : secret", 400),
        ("GET /ws HTTP/1.1\r\n: secret", 400),
        ("GET /ws HTTP/1.1\r\nA: b\r\n secret", 400),
        ("GET /ws HTTP/1.1\r\nA: sec\x00ret", 400),
        ("GET /ws HTTP/1.1\r\nA: sec\nret", 400),
        ("GET /ws HTTP/1.1\r\nA: sec\rret", 400),
        ("GET /ws HTTP/1.1\r\nA: \x7f", 400),
        ("GET /ws HTTP/1.1\r\nContent-Length: 5", 400),
        ("GET /ws HTTP/1.1\r\nContent-Length: secret", 400),
        ("GET /ws HTTP/1.1\r\nContent-Length:", 400),
        ("GET /ws HTTP/1.1\r\nTransfer-Encoding: chunked", 400),
        ("GET /ws HTTP/1.1" + "\r\nA: b" * (MAX_FIELDS + 1), 431),
    ],
)
def test_a_malformed_head_is_refused_and_not_quoted(data: str, status: int) -> None:
    with pytest.raises(HandshakeDenied) as refused:
        read_head(data.encode("latin-1"))
    assert refused.value.status == status
    assert "secret" not in refused.value.message
    assert "ret" not in refused.value.message.split()


@given(st.binary(max_size=200))
def test_whatever_comes_is_a_head_or_is_refused(data: bytes) -> None:
    try:
        assert read_head(data).method
    except HandshakeDenied as refused:
        assert refused.status in (400, 431, 505)


def put(incoming: Incoming, data: bytes) -> tuple[bytes, bytes] | None:
    """Let bytes arrive, as many at a time as there is room for."""
    whole = None
    while data and whole is None:
        room = memoryview(incoming.room())
        size = min(len(room), len(data))
        room[:size] = data[:size]
        whole = incoming.take(size)
        data = data[size:]
    return None if whole is None else (whole[0], whole[1] + data)


@pytest.mark.parametrize("step", [1, 3, 4, 7, 100])
def test_a_head_is_put_together_from_pieces_and_what_follows_is_kept(step: int) -> None:
    incoming, sent = Incoming(), b"GET / HTTP/1.1\r\nA: b\r\n\r\n\r\n\r\nmore"
    for start in range(0, len(sent), step):
        whole = put(incoming, sent[start : start + step])
        if whole is not None:
            rest = sent[start + step :]
            assert (whole[0], whole[1] + rest) == (b"GET / HTTP/1.1\r\nA: b", b"\r\n\r\nmore")
            return
    raise AssertionError


@pytest.mark.parametrize("more", [b"", b"\r\n\r\n"])
def test_a_head_over_the_bound_is_refused_in_one_piece_too(more: bytes) -> None:
    assert put(Incoming(), b"x" * MAX_HEAD) is None
    assert put(Incoming(), b"x" * MAX_HEAD + b"\r\n\r\n") is not None
    with pytest.raises(HandshakeDenied) as refused:
        put(Incoming(), b"x" * (MAX_HEAD + 4) + more)
    assert (refused.value.status, refused.value.code) == (431, "head_too_long")


def test_what_comes_after_a_refusal_is_dropped_up_to_a_bound() -> None:
    incoming = Incoming()
    assert not incoming.drop(LINGER)
    assert incoming.drop(1)


def test_tls_is_turned_away_with_its_first_byte() -> None:
    with pytest.raises(HandshakeDenied) as refused:
        put(Incoming(), b"\x16")
    assert (refused.value.status, refused.value.code) == (400, "no_tls")
    assert "use ws://" in refused.value.message


def test_an_answer_to_head_tells_its_length_and_leaves_the_body_out() -> None:
    whole = HttpAnswer(HTTPStatus.OK, [("A", "b")], b"four").encode(bodiless=False)
    assert whole == b"HTTP/1.1 200 OK\r\nA: b\r\nContent-Length: 4\r\nConnection: close\r\n\r\nfour"
    assert HttpAnswer(HTTPStatus.OK, [("A", "b")], b"four").encode(bodiless=True) == whole.removesuffix(b"four")
