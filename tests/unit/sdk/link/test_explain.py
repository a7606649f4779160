"""Few lines about many tries, and what a close means."""

from __future__ import annotations

import socket

import pytest

from agentic_atlas.errors import ConfigurationError
from agentic_atlas.protocol.closing import ADVICE, CloseCode, comes_back, encode_reason
from agentic_atlas.sdk.link import explain
from agentic_atlas.sdk.link.dial import HandshakeRefused, NotARouter, Unreachable, os_error
from agentic_atlas.sdk.link.explain import Outage, Remedy
from agentic_atlas.transport.receiver import Closed


def test_a_long_outage_is_one_line_and_one_a_minute() -> None:
    outage = Outage(tell_again=60.0)
    assert outage.back(0.0) is None
    lines = [outage.lost("it was cut", 10.0)]
    lines += [outage.failed("never reached", "connection refused", 10.0 + second) for second in range(1, 130)]
    assert [line for line in lines if line] == [
        "connection lost: it was cut; trying again",
        "still no connection after 60 s (connection refused); trying again",
        "still no connection after 120 s (connection refused); trying again",
    ]
    assert outage.back(142.2) == "back after 132.2 s"
    assert outage.lost("again", 150.0) == "connection lost: again; trying again"


def test_a_connection_that_ends_before_there_was_one_is_none_that_was_lost() -> None:
    outage = Outage(60.0)
    assert outage.lost("another process has the token", 0.0) == (
        "not connected: another process has the token; trying again"
    )


def test_a_router_that_was_never_reached_gets_a_line_of_its_own() -> None:
    outage = Outage(60.0)
    assert outage.failed("can't reach it", "refused", 0.0) == "can't reach it"
    assert outage.failed("can't reach it", "refused", 1.0) is None
    assert outage.back(2.0) is None


@pytest.mark.parametrize("code", [*ADVICE, 4050, 4150, 1002, 1006, 1011])
def test_every_close_either_comes_back_with_a_reason_or_ends_with_what_to_do(code: int) -> None:
    closed = Closed(int(code))
    refusal = explain.final(closed)
    assert (refusal is None) is comes_back(code)
    assert explain.reason(closed)
    if refusal is not None and code != CloseCode.NORMAL:
        assert isinstance(refusal.error, ConfigurationError)
        assert ": " in refusal.error.message
        assert refusal.error.code


def test_a_close_of_our_own_never_ends_the_agent() -> None:
    closed = Closed(CloseCode.PROTOCOL_VIOLATION, ours=True, why="the message is not JSON")
    assert explain.final(closed) is None
    assert explain.reason(closed) == "the message is not JSON"


def test_an_agent_that_was_kept_out_says_after_how_long_it_is_back() -> None:
    outage = Outage(60.0)
    outage.back(0.0)
    outage.kept_out(10.0)
    outage.kept_out(20.0)
    assert outage.back(70.0) == "back after 60.0 s"


def test_the_precise_code_of_a_close_is_said_and_harmless() -> None:
    closed = Closed(CloseCode.INVALID_REGISTRATION, encode_reason("schema\n\x1b[31m of_translate"))
    refusal = explain.final(closed)
    assert refusal is not None
    assert "(schema [31m of_translate): correct the skill" in refusal.error.message
    restart = Closed(CloseCode.RESTART, encode_reason("restart", 2.5))
    assert explain.reason(restart) == "the router restarts"
    assert explain.retry_after(restart) == 2.5
    assert explain.retry_after(Closed(1006, b"\xff")) is None


def test_a_refusal_without_a_fix_gets_one() -> None:
    refused = HandshakeRefused(403, "no", code=None, retry_after=None)
    assert "atlas tokens create" in explain.refused_for_good(refused).error.message


def test_who_has_a_token_that_was_rotated_is_sent_to_the_one_that_came_in_its_place() -> None:
    closed = explain.final(Closed(CloseCode.TOKEN_REVOKED, encode_reason("token_rotated")))
    refused = explain.refused_for_good(HandshakeRefused(401, "no", code="token_rotated", retry_after=None))
    for refusal in (closed, refused):
        assert refusal is not None
        assert refusal.error.message.startswith("the token was rotated: put the one that came in its place into .env")
        assert refusal.happened == "the token was rotated"


@pytest.mark.parametrize(
    ("code", "at_start", "later"),
    [
        ("token_expired", Remedy.ANOTHER_TOKEN, Remedy.ANOTHER_TOKEN),
        ("token_revoked", Remedy.ANOTHER_TOKEN, Remedy.ANOTHER_TOKEN),
        ("token_rotated", Remedy.ANOTHER_TOKEN, Remedy.ANOTHER_TOKEN),
        ("token_bad_signature", Remedy.NONE, Remedy.ANOTHER_TOKEN),
        ("agent_disabled", Remedy.ENABLING, Remedy.ENABLING),
        ("owner_disabled", Remedy.ENABLING, Remedy.ENABLING),
    ],
)
def test_a_refused_handshake_says_what_is_waited_for(code: str, at_start: Remedy, later: Remedy) -> None:
    refusal = explain.refused_for_good(HandshakeRefused(401, "no", code=code, retry_after=None))
    assert (refusal.remedy(known=False), refusal.remedy(known=True)) == (at_start, later)
    assert refusal.of_token is (later is Remedy.ANOTHER_TOKEN)
    assert refusal.error.code == code


@pytest.mark.parametrize(
    ("code", "later"),
    [
        (CloseCode.TOKEN_INVALID, Remedy.ANOTHER_TOKEN),
        (CloseCode.TOKEN_EXPIRED, Remedy.ANOTHER_TOKEN),
        (CloseCode.AGENT_DISABLED, Remedy.ENABLING),
        (CloseCode.REPLACED, Remedy.NONE),
        (CloseCode.WRONG_AGENT, Remedy.NONE),
        (4150, Remedy.NONE),
    ],
)
def test_a_close_says_what_is_waited_for(code: int, later: Remedy) -> None:
    refusal = explain.final(Closed(int(code)))
    assert refusal is not None
    assert refusal.remedy(known=True) is later


def test_the_sentence_for_a_router_that_is_not_there_names_the_fix() -> None:
    url = "ws://localhost:8080/ws"
    assert explain.unreachable(url, Unreachable("connection refused")) == (
        f"can't reach the router at {url} (connection refused): is `atlas up` running? Trying again."
    )
    assert "ROUTER_WS_URL" in explain.unreachable(url, NotARouter("HTTP 200"))
    untrusted = explain.unreachable(url, Unreachable("its certificate is not trusted: expired", untrusted=True))
    assert untrusted.endswith(": its certificate is not trusted: expired. Trying again."), "somebody is there"
    misspelt = explain.unreachable("ws://lokalhost/ws", os_error(socket.gaierror(-2, "Name or service not known")))
    assert misspelt == (
        "can't reach the router at ws://lokalhost/ws (the host's name can't be resolved): is ROUTER_WS_URL right? "
        "Trying again."
    )
