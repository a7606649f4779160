"""How a request finds its handler, and what the handler is given."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from time import monotonic
from typing import Annotated

import httpx
import pytest
from pydantic import BaseModel, Field

from agentic_atlas.auth.hosts import Hosts
from agentic_atlas.errors import Conflict
from agentic_atlas.http.cookies import Cookies
from agentic_atlas.http.messages import Request, Response, StreamingResponse, json
from agentic_atlas.http.routes import HEADER, NUMBER, WHOLE, RouteGroup, Routes
from agentic_atlas.http.turns import Turns
from tests.in_process import InProcess

pytestmark = pytest.mark.anyio

group = RouteGroup("things", "/things")


class Shelf:
    """What the table is given."""

    name = "a shelf"


class Wanted(BaseModel):
    kind: list[int] = []
    name: str | None = None


@group.at("GET", "/{name}")
async def show(
    name: str,
    shelf: Shelf,
    request: Request,
    wanted: Wanted,
    limit: Annotated[int, Field(ge=1, le=9), WHOLE] = 5,
    wait: Annotated[float, NUMBER] = 0.5,
    last_seen: Annotated[str | None, Field(max_length=3), HEADER] = None,
) -> Response:
    return json([name, shelf.name, request.method, wanted.kind, wanted.name, limit, wait, last_seen])


@group.at("GET", "/{name}/parts")
async def parts(name: str) -> Response:
    return Response(body=name.encode())


@group.at("GET", "/at/stream")
async def stream() -> StreamingResponse:
    async def pieces() -> AsyncGenerator[bytes, None]:
        yield b"piece"

    return StreamingResponse([("content-type", "text/plain")], pieces())


@group.at("POST", "/new")
async def create() -> Response:
    raise Conflict("it is there already")


@group.at("GET", "/at/broken")
async def broken() -> Response:
    raise KeyError("a secret")


def client(*, raises: bool = False) -> httpx.AsyncClient:
    transport = InProcess(
        Routes(group.routes, {Shelf: Shelf(), Turns: Turns(monotonic), Cookies: Cookies()}, Hosts()), raises=raises
    )
    return httpx.AsyncClient(transport=transport, base_url="http://atlas")


async def test_a_handler_is_given_what_its_signature_asks_for() -> None:
    asked = "/things/a%20b?kind=1&kind=2&name=x&limit=3&limit=4&wait=2.5"
    async with client() as asking:
        answer = await asking.get(asked, headers={"Last-Seen": "abc"})
    assert answer.json() == ["a b", "a shelf", "GET", [1, 2], "x", 4, 2.5, "abc"]


async def test_what_is_not_said_has_its_default() -> None:
    async with client() as asking:
        assert (await asking.get("/things/a")).json() == ["a", "a shelf", "GET", [], None, 5, 0.5, None]


@pytest.mark.parametrize("written", ["1_0", "%2010", "10%20", "%2B10", "-1", "1.0", "1e1", "0x1", "%D9%A3", "", "inf"])
async def test_a_whole_number_is_written_in_digits_alone(written: str) -> None:
    async with client() as asking:
        answer = await asking.get(f"/things/a?limit={written}")
    assert answer.status_code == 422
    assert answer.json()["error"]["message"].startswith("limit has to be a whole number")


@pytest.mark.parametrize("written", ["1_0", "%202.5", "%2B1", "-1", "inf", "nan", "1.", ".5", "%D9%A3", ""])
async def test_a_number_is_written_in_digits_and_a_point(written: str) -> None:
    async with client() as asking:
        answer = await asking.get(f"/things/a?wait={written}")
        assert (await asking.get("/things/a?wait=1e-05")).json()[6] == 0.00001
    assert answer.status_code == 422
    assert answer.json()["error"]["message"].startswith("wait has to be a number")


async def test_an_encoded_slash_does_not_end_a_segment() -> None:
    async with client() as asking:
        assert (await asking.get("/things/a%2Fparts")).json()[0] == "a/parts"
        assert (await asking.get("/things%2Fa")).status_code == 404
        assert (await asking.get("/%74hings/a")).json()[0] == "a"
        assert (await asking.get("/things/")).status_code == 404


async def test_all_parameters_that_are_not_acceptable_are_told() -> None:
    async with client() as asking:
        answer = await asking.get("/things/a?kind=1&kind=x&limit=10", headers={"Last-Seen": "abcd"})
    assert answer.status_code == 422
    assert [fault["path"] for fault in answer.json()["error"]["detail"]] == [
        "/query/kind/1",
        "/query/limit",
        "/header/last-seen",
    ]


async def test_another_method_is_told_all_that_there_are_at_the_path() -> None:
    async with client() as asking:
        assert (await asking.get("/things/new")).json()[0] == "new"  # the pattern, for the plain path has no GET
        answer = await asking.put("/things/new")
        nothing = await asking.get("/nothing")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD, POST")
    assert (nothing.status_code, nothing.json()["error"]["code"]) == (404, "not_found")


async def test_a_path_is_a_route_as_a_whole_or_not_at_all() -> None:
    async with client() as asking:
        assert (await asking.get("/things/a/parts")).text == "a"
        assert (await asking.get("/things/a/parts%0A")).status_code == 404


async def test_an_error_of_ours_is_answered_and_any_other_told_to_the_server_alone() -> None:
    async with client() as asking:
        ours, broken = await asking.post("/things/new"), await asking.get("/things/at/broken")
    assert (ours.status_code, ours.json()["error"]["message"]) == (409, "it is there already")
    assert (broken.status_code, broken.json()["error"]["code"]) == (500, "internal")
    assert "secret" not in broken.text
    async with client(raises=True) as asking:
        with pytest.raises(KeyError):
            await asking.get("/things/at/broken")


@pytest.mark.parametrize(
    ("authority", "hosts", "status"),
    [("evil.example", [], 421), ("[::::]", [], 400), ("atlas", [], 200), ("evil.example", ["atlas"], 421)],
)
async def test_a_request_of_http_1_0_is_for_the_host_that_its_target_names(
    authority: str, hosts: list[str], status: int
) -> None:
    given = {Shelf: Shelf(), Turns: Turns(monotonic), Cookies: Cookies()}
    request = Request("GET", "/things/a/parts", fields={"host": hosts}, authority=authority, version="1.0")
    answer = await Routes(group.routes, given, Hosts())(request)
    assert isinstance(answer, Response)
    assert answer.status == status


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/things/a/parts", 200),
        ("GET", "/things/at/stream", 200),
        ("POST", "/things/new", 409),
        ("DELETE", "/things/new", 405),
        ("GET", "/nothing", 404),
    ],
)
async def test_every_answer_over_tls_has_browsers_come_by_it_alone(method: str, path: str, status: int) -> None:
    given = {Shelf: Shelf(), Turns: Turns(monotonic), Cookies: Cookies("https://atlas")}
    transport = InProcess(Routes(group.routes, given, Hosts()))
    for host, told in (("atlas", ["max-age=31536000"]), ("127.0.0.1", [])):
        async with httpx.AsyncClient(transport=transport, base_url=f"http://{host}") as asking:
            answer = await asking.request(method, path)
        assert (answer.status_code, answer.headers.get_list("strict-transport-security")) == (status, told)


async def test_of_a_host_that_is_none_nothing_is_made_but_a_refusal() -> None:
    given = {Shelf: Shelf(), Turns: Turns(monotonic), Cookies: Cookies("https://atlas")}
    request = Request("GET", "/things/a/parts", fields={"host": ["[::::]"], "cookie": ["__Host-atlas_session=s1"]})
    answer = await Routes(group.routes, given, Hosts())(request)
    assert isinstance(answer, Response)
    assert answer.status == 400
