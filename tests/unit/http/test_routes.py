"""How a request finds its handler, and what the handler is given."""

from __future__ import annotations

from typing import Annotated

import httpx
import pytest
from fastapi import APIRouter, Depends, FastAPI, Header, Query, Request
from pydantic import BaseModel
from starlette.responses import Response

from agentic_atlas.errors import Conflict
from agentic_atlas.http.answers import Json
from agentic_atlas.http.routes import Routes

pytestmark = pytest.mark.anyio

router = APIRouter()


async def made(request: Request) -> list[str]:
    request.app.state.made += 1
    return ["made"]


async def from_made(what: Annotated[list[str], Depends(made)]) -> str:
    return f"from {what[0]}"


class Wanted(BaseModel):
    kind: list[int] = []
    name: str | None = None


@router.get("/things/{name}")
async def show(
    name: str,
    first: Annotated[list[str], Depends(made)],
    second: Annotated[str, Depends(from_made)],
    wanted: Annotated[Wanted, Query()],
    limit: Annotated[int, Query(ge=1, le=9)] = 5,
    last_seen: Annotated[str | None, Header(max_length=3)] = None,
) -> Response:
    return Json([name, first, second, wanted.kind, wanted.name, limit, last_seen])


@router.get("/things/{name}/parts")
async def parts(name: str) -> Response:
    return Response(name)


@router.post("/things/new")
async def create() -> Response:
    raise Conflict("it is there already")


@router.get("/broken")
async def broken() -> Response:
    raise KeyError("a secret")


def client() -> httpx.AsyncClient:
    app = FastAPI(routes=router.routes, openapi_url=None)
    app.state.made = 0
    transport = httpx.ASGITransport(Routes(app), raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://atlas")


async def test_a_handler_is_given_what_its_signature_asks_for() -> None:
    async with client() as asking:
        answer = await asking.get("/things/a%20b?kind=1&kind=2&name=x&limit=3&limit=4", headers={"Last-Seen": "abc"})
    assert answer.json() == ["a b", ["made"], "from made", [1, 2], "x", 4, "abc"]


async def test_what_is_not_said_has_its_default() -> None:
    async with client() as asking:
        assert (await asking.get("/things/a")).json() == ["a", ["made"], "from made", [], None, 5, None]


async def test_what_two_depend_on_is_made_once_for_each_request() -> None:
    app = FastAPI(routes=router.routes, openapi_url=None)
    app.state.made = 0
    async with httpx.AsyncClient(transport=httpx.ASGITransport(Routes(app)), base_url="http://atlas") as asking:
        await asking.get("/things/a")
        await asking.get("/things/a")
    assert app.state.made == 2


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
        ours, broken = await asking.post("/things/new"), await asking.get("/broken")
    assert (ours.status_code, ours.json()["error"]["message"]) == (409, "it is there already")
    assert (broken.status_code, broken.json()["error"]["code"]) == (500, "internal")
    assert "secret" not in broken.text
    app = FastAPI(routes=router.routes, openapi_url=None)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(Routes(app)), base_url="http://atlas") as asking:
        with pytest.raises(KeyError):
            await asking.get("/broken")
