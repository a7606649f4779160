"""A login by code from the waiting machine's side."""

from __future__ import annotations

from typing import Any

import pytest

from agentic_atlas.errors import AtlasError, Busy, Forbidden, NotFound
from agentic_atlas.protocol.caller.people import NewApiKey
from agentic_atlas.sdk.client.http import Sources
from agentic_atlas.sdk.client.login import LoginByCode
from tests import shown
from tests.integration.client.client_server import Answer, Server, Time, error, in_order, serving

BEGUN = Answer({"device_code": "atlas_login_x", "user_code": "BCDF-GHJK", "expires_in": 600.0, "interval": 5.0}, 201)
KEY = Answer(shown.answer(NewApiKey, id="key_1", user="ada", name="atlas login on box", key="atlas_secret"))
PENDING = error(409, "authorization_pending")


async def login(*answers: Answer) -> tuple[Server, Time, Any]:
    """Log in to a server that answers so; return what came of it."""
    time = Time()

    sources = Sources(clock=time.clock, sleep=time.sleep, chance=lambda: 0.0)
    with serving(in_order(*answers)) as server:
        async with LoginByCode(server.url, sources=sources) as waiting:
            try:
                codes = await waiting.begin("box\n")
                return server, time, (codes, await waiting.key(codes))
            except AtlasError as caught:
                return server, time, caught


async def test_a_machine_asks_without_credentials_until_it_is_let_in() -> None:
    server, time, (codes, made) = await login(BEGUN, PENDING, PENDING, KEY)
    assert (made.user, made.key) == ("ada", "atlas_secret")
    assert time.slept == [5.0, 5.0, 5.0]
    assert server.paths() == ["POST /api/v1/login-codes"] + ["POST /api/v1/login-codes/token"] * 3
    assert [asked.body for asked in server.asked[:2]] == [{"host": "box"}, {"device_code": "atlas_login_x"}]
    assert not any("authorization" in asked.headers for asked in server.asked)
    assert "atlas_login_x" not in repr(codes)
    assert "atlas_secret" not in repr(made)


async def test_it_asks_less_often_when_it_is_told_to() -> None:
    _, time, _ = await login(BEGUN, error(429, "slow_down", Retry_After="10"), PENDING, KEY)
    assert time.slept == [5.0, 10.0, 10.0]


async def test_a_server_that_is_away_for_a_while_is_waited_for() -> None:
    _, time, (_, made) = await login(BEGUN, Answer(cut=True), error(503, "unavailable"), KEY)
    assert made.user == "ada"
    assert time.slept == [5.0, 5.0, 5.0]


@pytest.mark.parametrize(
    ("answer", "kind"), [(error(403, "access_denied"), Forbidden), (error(404, "expired_token"), NotFound)]
)
async def test_it_stops_when_it_is_denied_or_too_late(answer: Answer, kind: type[AtlasError]) -> None:
    server, _, caught = await login(BEGUN, PENDING, answer)
    assert type(caught) is kind
    assert len(server.asked) == 3


async def test_it_stops_when_its_time_is_over_whatever_the_server_says() -> None:
    _, time, caught = await login(BEGUN, *[PENDING] * 200)
    assert (type(caught), caught.code) == (NotFound, "expired_token")
    assert sum(time.slept) == 600.0


@pytest.mark.parametrize(
    ("expires_in", "interval", "slept"), [(30.0, -1.0, [1.0] * 30), (1e9, 1e9, [60.0] * 60), (0.0, 5.0, [])]
)
async def test_a_server_cannot_make_it_ask_without_a_pause_or_without_an_end(
    expires_in: float, interval: float, slept: list[float]
) -> None:
    begun = Answer({"device_code": "x", "user_code": "B", "expires_in": expires_in, "interval": interval}, 201)
    _, time, caught = await login(begun, *[PENDING] * 100)
    assert isinstance(caught, NotFound)
    assert time.slept == slept


async def test_a_platform_that_is_full_says_so() -> None:
    _, _, caught = await login(error(429, "too_many_requests", "too many logins", Retry_After="60"))
    assert type(caught) is Busy
