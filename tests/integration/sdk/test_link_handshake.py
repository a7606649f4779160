"""Opening a connection: who refuses it, who is not there, and what the person who runs the agent is told."""

from __future__ import annotations

import json
import logging
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from msgspec.structs import replace

from agentic_atlas.errors import ConfigurationError
from agentic_atlas.protocol.messages import Welcome
from agentic_atlas.sdk.link.link import is_exposed
from agentic_atlas.sdk.link.settings import Runtime
from agentic_atlas.sdk.tokens.source import TokenSource
from tests.certificates import speaking_tls
from tests.integration.sdk.dialogues import PATIENCE, QUICK, TOKEN, Lines, Peer, Router, linked


def idle(peer: Peer) -> None:
    peer.welcome()
    peer.serve_beats()


def refusal(status: int, code: str, message: str, **headers: str) -> tuple[int, str, dict[str, str]]:
    body = json.dumps({"error": {"code": code, "message": message}})
    return status, body, {"Atlas-Error": code, **headers}


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_token_ends_the_agent_with_the_routers_own_words(status: int) -> None:
    said = "the token is not an agent's token: generate one with `atlas tokens create AGENT --env .env`"
    with Router(idle, refuse=[refusal(status, "token_wrong_type", said)]) as router, linked(router.url) as (_, inbox):
        error = inbox.end()
    assert isinstance(error, ConfigurationError)
    assert error.code == "token_wrong_type"
    assert error.message == f"the router refuses this agent: {said}"
    assert len(router.requests) == 1


def test_what_a_server_says_is_cut_short_and_harmless() -> None:
    said = "\x1b[31mred\x07\r\nline two " + "x" * 5_000
    answers = [(401, json.dumps({"error": {"code": "UPPER case!", "message": said}}), {"Atlas-Error": "a\tb"})]
    with Router(idle, refuse=answers) as router, linked(router.url) as (_, inbox):
        error = inbox.end()
    assert error.code == "handshake_refused"
    assert error.message.isprintable()
    assert len(error.message) < 600
    assert "atlas tokens create" in error.message


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ((503, "<html>nginx</html>", {"Retry-After": "0"}), "refuses for now (HTTP 503)"),
        ((404, "", {}), "there is nothing at this path: is what stands before /ws right?"),
        (
            (404, '{"error": {"code": "not_found", "message": "Not Found"}}', {}),
            "that is the HTTP API; the router is at",
        ),
        ((302, "", {"Location": "ws://elsewhere/ws"}), "the address redirects elsewhere, which is not followed"),
        (refusal(429, "too_many_requests", "too many connections"), "too many connections"),
        (refusal(401, "token_not_yet_valid", "the token becomes valid in 9 minutes"), "valid in 9 minutes"),
        ((500, '{"error": {"code": 7}}', {}), "HTTP 500"),
    ],
)
def test_any_other_refusal_is_tried_again(answer: tuple[int, str, dict[str, str]], says: str) -> None:
    log = Lines()
    with Router(idle, refuse=[answer, answer]) as router, linked(router.url, log=log) as (_, inbox):
        log.wait(says)
        router.refusals.clear()
        inbox.expect(Welcome)
    assert len(log.having("Trying again.")) == 1


def test_a_redirect_never_takes_the_token_elsewhere() -> None:
    with Router(idle) as elsewhere:
        away = (302, "", {"Location": elsewhere.url})
        log = Lines()
        with Router(idle, refuse=[away]) as router, linked(router.url, log=log):
            log.wait("redirects elsewhere")
        assert elsewhere.requests == []


def test_a_router_that_is_not_there_is_named_once_with_what_to_do() -> None:
    free = socket.create_server(("127.0.0.1", 0))
    port = free.getsockname()[1]
    free.close()
    log = Lines()
    url = f"ws://localhost:{port}/ws"
    tries: list[int] = []
    enough = threading.Event()

    def tried() -> None:
        tries.append(1)
        if len(tries) >= 5:
            enough.set()

    with linked(url, log=log, tokens=TokenSource(TOKEN, log=Lines(), from_file=True, in_file=tried)):
        assert enough.wait(PATIENCE)
    line = f"can't reach the router at {url} (connection refused): is `atlas up` running? Trying again."
    assert log.lines == [("warning", line)]


def test_while_there_is_no_router_a_line_is_said_from_time_to_time() -> None:
    log = Lines()
    with linked("ws://localhost:1/ws", log=log, timeouts=replace(QUICK, tell_again=0.05)):
        log.wait("still no connection after 0 s (connection refused); trying again")


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (b"", "it hung up without an answer"),
        (b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", "HTTP 400"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", "does not speak HTTP/1.1"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "HTTP 200"),
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n", "is not correct"),
        (b"HTTP/1.1 999 What\r\n\r\n", "does not speak HTTP/1.1"),
        (b"HTTP/1.1 404 " + b"x" * 20_000, "does not speak HTTP/1.1"),
    ],
)
def test_something_else_at_that_address_is_named(answer: bytes, says: str) -> None:
    log = Lines()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            try:
                while True:
                    accepted, _ = listener.accept()
                    with accepted:
                        accepted.recv(65_536)
                        accepted.sendall(answer)
            except OSError:
                pass  # closed: the test is over

        thread = threading.Thread(target=serve)
        thread.start()
        with linked(f"ws://127.0.0.1:{listener.getsockname()[1]}/ws", log=log):
            log.wait(says)
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(PATIENCE)
    assert len(log.lines) == 1


def test_a_server_that_speaks_another_subprotocol_is_no_router() -> None:
    log = Lines()
    with Router(idle, subprotocols=None) as router, linked(router.url, log=log):
        log.wait("what answers there does not speak atlas.v1")


def test_a_server_that_never_answers_is_given_up_and_does_not_hold_up_the_end() -> None:
    log = Lines()
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        linked(f"ws://127.0.0.1:{listener.getsockname()[1]}/ws", log=log, timeouts=replace(QUICK, connect=0.05)) as (
            link,
            inbox,
        ),
    ):
        log.wait("no answer within 0.05 s")
        link.stop()
        assert inbox.end() is None


def test_stopping_in_the_middle_of_a_handshake_does_not_wait_for_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        timeouts = replace(QUICK, connect=60.0)
        with linked(f"ws://127.0.0.1:{listener.getsockname()[1]}/ws", timeouts=timeouts) as (link, inbox):
            accepted, _ = listener.accept()
            accepted.recv(1)
            link.stop()
            assert inbox.end() is None
            accepted.settimeout(PATIENCE)
            while accepted.recv(65_536):
                pass  # until the link's end is closed
            accepted.close()


@pytest.mark.parametrize("token", ["a.b.c\r\nX-Evil: 1", "a b", "", "ü.b.c"])
def test_a_token_that_would_break_out_of_its_header_is_never_sent(token: str) -> None:
    with Router(idle) as router, linked(router.url, token=token) as (_, inbox):
        error = inbox.end()
        assert isinstance(error, ConfigurationError)
        assert "Evil" not in error.message
    assert router.requests == []


def test_the_token_is_in_no_log_at_any_level(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(1)
    for name in ("picows", "picows.client", "asyncio", "agentic_atlas.picows"):
        logging.getLogger(name).setLevel(1)
    log = Lines()
    with (
        Router(idle, refuse=[refusal(503, "later", "later"), (200, "", {})]) as router,
        linked(router.url, log=log) as (_, inbox),
    ):
        log.wait("refuses for now")
        router.refusals.clear()
        inbox.expect(Welcome)
    ours = [record for record in caplog.records if not record.name.startswith("websockets")]
    assert not any(TOKEN in record.getMessage() for record in ours)
    assert not any(TOKEN in line for _, line in log.lines)


@pytest.fixture
def tls(tmp_path: Path) -> tuple[Path, ssl.SSLContext]:
    return speaking_tls(tmp_path)


def test_a_certificate_that_is_trusted_is_connected_to(tls: tuple[Path, ssl.SSLContext]) -> None:
    pem, context = tls
    runtime = Runtime(tls=ssl.create_default_context(cafile=pem))
    with Router(idle, tls=context) as router, linked(router.url, runtime=runtime) as (link, inbox):
        inbox.expect(Welcome)
        link.stop()
    assert len(router.requests) == 1


def test_a_certificate_that_nobody_vouches_for_is_not_sent_a_token(tls: tuple[Path, ssl.SSLContext]) -> None:
    log = Lines()
    with Router(idle, tls=tls[1]) as router, linked(router.url, log=log):
        log.wait("its certificate is not trusted")
    assert router.requests == []


def test_tls_at_a_plain_port_is_named() -> None:
    log = Lines()
    with Router(idle) as router, linked(router.url.replace("ws://", "wss://"), log=log):
        log.wait("Trying again.")
    assert log.having("TLS failed") or log.having("hung up") or log.having("does not speak TLS: use ws://")
    assert router.requests == []


def test_plain_text_at_a_port_with_tls_is_named_with_the_scheme_that_is_right(
    tls: tuple[Path, ssl.SSLContext],
) -> None:
    log = Lines()
    with Router(idle, tls=tls[1]) as router, linked(router.url.replace("wss://", "ws://"), log=log):
        log.wait("it speaks TLS: use wss://")
    assert router.requests == []


def test_a_router_behind_a_proxy_is_connected_to_through_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with Router(idle) as router, tunnelling(router.url) as (between, asked):
        monkeypatch.setenv("HTTP_PROXY", between)
        with linked("ws://router.example/ws") as (link, inbox):
            inbox.expect(Welcome)
            link.stop()
    assert asked == [b"CONNECT router.example:80 HTTP/1.1"]
    assert len(router.requests) == 1


def test_a_proxy_that_is_none_for_us_ends_the_link_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:1")
    with linked("wss://router.example/ws") as (_, inbox):
        error = inbox.end()
    assert isinstance(error, ConfigurationError)
    assert "SOCKS" in error.message
    assert "NO_PROXY" in error.message


@contextmanager
def tunnelling(url: str) -> Iterator[tuple[str, list[bytes]]]:
    """Be a proxy whose every tunnel leads to this address, once; give its own, and what it was asked."""
    parts, asked = urlsplit(url), list[bytes]()

    def carry(reads: socket.socket, writes: socket.socket) -> None:
        with suppress(OSError):
            while piece := reads.recv(65_536):
                writes.sendall(piece)
            writes.shutdown(socket.SHUT_WR)

    def serve() -> None:
        came, _ = listening.accept()
        with came, socket.create_connection((parts.hostname, parts.port)) as there:
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                head += came.recv(1)
            asked.append(head.split(b"\r\n")[0])
            came.sendall(b"HTTP/1.1 200 Go\r\n\r\n")
            back = threading.Thread(target=carry, args=(there, came))
            back.start()
            carry(came, there)
            back.join(PATIENCE)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        serving = threading.Thread(target=serve)
        serving.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}", asked
        serving.join(PATIENCE)


def test_a_token_that_travels_in_clear_is_warned_about_once() -> None:
    log = Lines()
    with linked("ws://192.0.2.1:1/ws", log=log, timeouts=replace(QUICK, connect=0.05)):
        log.wait("can't reach the router")
    assert len(log.having("the token travels unencrypted to ws://192.0.2.1:1/ws: use wss://")) == 1


@pytest.mark.parametrize(
    ("url", "exposed"),
    [
        ("ws://localhost:8080/ws", False),
        ("ws://127.0.0.9/ws", False),
        ("ws://[::1]:8080/ws", False),
        ("ws://atlas.localhost/ws", False),
        ("wss://example.org/ws", False),
        ("ws://example.org/ws", True),
        ("ws://10.0.0.1/ws", True),
        ("ws://localhost.example.org/ws", True),
    ],
)
def test_only_another_machine_without_tls_exposes_the_token(url: str, exposed: bool) -> None:
    assert is_exposed(url) is exposed
