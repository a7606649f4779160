"""Values of HTTP: what is read of a request, and the bytes of an answer."""

from __future__ import annotations

import asyncio

import pytest

from agentic_atlas.backend.domain.records import ApiKey, Role, User
from agentic_atlas.backend.rights import Principal
from agentic_atlas.errors import InvalidInput
from agentic_atlas.http.messages import Request, RequestBody, Response, encode_head

pytestmark = pytest.mark.anyio


async def test_a_body_is_read_as_it_comes_in_and_more_of_it_is_wanted_only_then() -> None:
    wanted: list[str] = []
    body = RequestBody(lambda: wanted.append("more"))
    body.feed(b"a")
    body.feed(b"b")
    assert body.waiting == 2
    assert await body.read() == b"ab"
    assert not wanted
    reading = asyncio.ensure_future(body.read())
    await asyncio.sleep(0)
    assert wanted == ["more"]
    body.feed(b"c")
    assert await reading == b"c"
    body.end()
    assert await body.read() == b""
    assert await body.read() == b""


async def test_a_body_that_is_cut_off_is_no_body_and_one_that_nobody_reads_is_not_kept() -> None:
    body = RequestBody()
    reading = asyncio.ensure_future(body.read())
    await asyncio.sleep(0)
    body.cut()
    with pytest.raises(InvalidInput, match="cut off"):
        await reading
    dropped = RequestBody()
    dropped.feed(b"a")
    dropped.drop()
    dropped.feed(b"b")
    assert dropped.waiting == 0


async def test_a_body_that_is_whole_is_not_cut() -> None:
    body = RequestBody()
    body.feed(b"all")
    body.end()
    body.cut()
    assert (await body.read(), await body.read()) == (b"all", b"")


@pytest.mark.parametrize(("host", "name"), [("A:1", "a"), ("[::1]:80", "::1"), ("", "")])
def test_a_request_tells_the_name_it_came_by(host: str, name: str) -> None:
    assert Request("GET", "/", fields={"host": [host]}).hostname == name


def test_who_asks_is_told_to_the_connection() -> None:
    known: list[str] = []
    request = Request("GET", "/")
    request.received("192.0.2.1", RequestBody(), lambda: known.append(request.asker))
    who = Principal(User("usr_1", "ada", Role.MEMBER, 0.0), ApiKey("key_1", "usr_1", "", b"", 0.0), ("*",))
    request.introduce(who)
    assert (known, request.who) == (["usr_1"], who)


def test_an_answer_says_how_long_it_is_unless_there_can_be_none() -> None:
    told = Response(201, [("location", "/x")], b"body")
    assert (
        told.encode("date: now")
        == b"HTTP/1.1 201 Created\r\ndate: now\r\ncontent-length: 4\r\nlocation: /x\r\n\r\nbody"
    )
    assert told.encode("date: now", bodiless=True).endswith(b"content-length: 4\r\nlocation: /x\r\n\r\n")
    assert Response(204).encode("date: now") == b"HTTP/1.1 204 No Content\r\ndate: now\r\n\r\n"


@pytest.mark.parametrize("value", ["a\r\nb: c", "a\nb", "a\r\n\r\nb"])
def test_no_field_holds_a_line_break(value: str) -> None:
    with pytest.raises(ValueError, match="line break"):
        encode_head(200, [("a", value)], ["date: now"])
