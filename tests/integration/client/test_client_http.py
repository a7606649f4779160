from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from agentic_atlas.errors import AtlasError, Busy, ConfigurationError, InvalidInput, PayloadTooLarge, Unavailable
from agentic_atlas.protocol.caller.values import Asked
from agentic_atlas.sdk.address import address
from agentic_atlas.sdk.client import http as client_http
from agentic_atlas.sdk.client.asynchronous import AsyncClient
from agentic_atlas.sdk.client.errors import ConnectionCut, UnexpectedAnswer
from agentic_atlas.sdk.client.http import Http, Sources
from tests.certificates import speaking_tls
from tests.integration.client import client_server
from tests.integration.client.client_server import KEY, Answer, Server, Time, error, in_order, serving


class Thing(msgspec.Struct, frozen=True):
    name: str


class Change(Asked, frozen=True, kw_only=True):
    n: int = 0
    name: str = ""


OK = Answer({"name": "hammer", "new_field": 1})
CUT = Answer(cut=True)


async def send(
    answer: Callable[[client_server.Asked], Answer], patience: float = 5.0, **how: object
) -> tuple[Server, Time, object]:
    """Send one request; return what the server saw, the time it took, and the answer or the error."""
    time = Time()
    with serving(answer) as server:
        sources = Sources(clock=time.clock, sleep=time.sleep, chance=lambda: 0.0)
        http = Http(server.address, timeout=5.0, patience=patience, sources=sources)
        try:
            sent = http.send(str(how.pop("method", "GET")), "/things", Thing, **how)  # type: ignore[arg-type]
            return server, time, await sent
        except AtlasError as error:
            return server, time, error
        finally:
            await http.aclose()


async def test_a_request_carries_the_key_in_its_header_and_reads_the_answer_whatever_is_new_in_it() -> None:
    server, _, answer = await send(in_order(OK), method="POST", body=Change(n=1), query={"a": "x y", "b": None})
    assert answer == Thing(name="hammer")
    asked = server.asked[0]
    assert (asked.method, asked.path, asked.query, asked.body) == ("POST", "/api/v1/things", {"a": "x y"}, {"n": 1})
    assert asked.headers["authorization"] == f"Bearer {KEY}"


async def test_a_server_that_says_later_is_asked_again_when_it_said() -> None:
    server, time, answer = await send(
        in_order(error(503, "unavailable", Retry_After="2"), error(429, "too_many_requests", Retry_After="1"), OK)
    )
    assert answer == Thing(name="hammer")
    assert time.slept == [2.0, 1.0]
    assert len(server.asked) == 3


async def test_a_server_that_says_much_later_is_not_waited_for() -> None:
    server, time, answer = await send(in_order(error(429, "too_many_requests", Retry_After="60"), OK))
    assert isinstance(answer, Busy)
    assert answer.retry_after == 60
    assert (len(server.asked), time.slept) == (1, [])


async def test_a_lost_connection_is_made_up_for_where_the_request_can_be_repeated() -> None:
    server, _, answer = await send(in_order(CUT, Answer({"name": "hal"}, cut=True), OK))
    assert answer == Thing(name="hammer")
    assert len(server.asked) == 3


async def test_a_lost_connection_is_an_error_where_repeating_could_do_it_twice() -> None:
    server, _, answer = await send(in_order(CUT, OK), method="POST", repeatable=False)
    assert isinstance(answer, ConnectionCut)
    assert len(server.asked) == 1


async def test_a_request_that_waits_at_the_server_outlives_a_restart_longer_than_its_patience() -> None:
    _server, time, answer = await send(in_order(*[CUT] * 9, OK), patience=1.0, query={"wait": 30.0})
    assert answer == Thing(name="hammer")
    assert sum(time.slept) > 10


async def test_an_error_of_the_request_itself_is_not_tried_again() -> None:
    server, _, answer = await send(in_order(error(422, "invalid_input", "name is missing"), OK))
    assert isinstance(answer, InvalidInput)
    assert answer.message == "name is missing"
    assert len(server.asked) == 1


async def test_a_redirect_is_not_followed_and_the_key_goes_nowhere_else() -> None:
    with serving(in_order(OK)) as elsewhere:
        _, _, answer = await send(in_order(Answer(status=307, headers={"Location": f"{elsewhere.url}/api/v1/things"})))
    assert isinstance(answer, UnexpectedAnswer)
    assert elsewhere.asked == []


@pytest.mark.parametrize("body", [b"<html>", b'{"nam', b"[" * 100_000, b"\xff", b'{"name": 1}'])
async def test_an_answer_in_another_form_says_to_check_the_address(body: bytes) -> None:
    _, _, answer = await send(in_order(Answer(body)))
    assert isinstance(answer, UnexpectedAnswer)
    assert "check the address" in answer.message


async def test_an_answer_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_http, "MAX_ANSWER", 1000)
    _, _, answer = await send(in_order(Answer({"name": "x" * 2000})))
    assert isinstance(answer, PayloadTooLarge)


async def test_a_text_that_json_cannot_hold_is_refused_before_anything_is_sent() -> None:
    server, _, answer = await send(in_order(OK), method="POST", body=Change(name="\ud800"))
    assert isinstance(answer, InvalidInput)
    assert server.asked == []


@pytest.mark.parametrize("patience", [0.0, 1.0])
async def test_nobody_there_is_told_with_the_address_and_the_remedy(patience: float) -> None:
    with serving(in_order()) as server:
        gone = server.url
    time = Time()

    http = Http(
        address(gone, KEY),
        timeout=1,
        patience=patience,
        sources=Sources(clock=time.clock, sleep=time.sleep, chance=lambda: 0.0),
    )
    with pytest.raises(Unavailable) as caught:
        await http.send("POST", "/things", Thing, repeatable=False)
    assert (
        caught.value.message
        == f"cannot reach Agentic Atlas at {gone}: nothing answers there; start it with `atlas up`, "
        "or look with `atlas platforms` which ones answer"
    )
    assert KEY not in repr(caught.value) + repr(caught.value.__cause__) + repr(http.address)
    await http.aclose()
    assert len(time.slept) == (0 if patience == 0 else 3)


async def test_plain_text_where_tls_is_spoken_is_told_with_the_scheme_that_is_right(tmp_path: Path) -> None:
    _, context = speaking_tls(tmp_path)

    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    async with server, AsyncClient(f"http://127.0.0.1:{port}", api_key=KEY) as atlas:
        with pytest.raises(ConfigurationError, match=f"http://127.0.0.1:{port} speaks TLS: use https://"):
            await atlas.people.whoami()
