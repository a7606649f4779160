"""Who waits for something hears soon that what they have shown is good no more: the right is not asked once for all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import msgspec
import pytest

from agentic_atlas.http.messages import Request, RequestBody, Response
from tests.in_process import InProcess
from tests.integration.api.network import GREET, Api, api

PATIENCE = 5.0
ASK = {"agent": "hello", "skill": "greet", "input": {"name": "Ada"}}


@asynccontextmanager
async def prepared(folder: Path) -> AsyncIterator[tuple[Api, httpx.AsyncClient, str]]:
    """Run a test with somebody who has a task, which nobody does; with the id of their key."""
    async with api(folder) as atlas, asyncio.timeout(PATIENCE):
        ada = await atlas.member("ada")
        await ada.post("/api/v1/agents", json={"name": "hello"})
        await atlas.connect(ada, "hello", GREET)
        yield atlas, ada, (await ada.get("/api/v1/whoami")).json()["api_key"]["id"]


async def watching(atlas: Api, count: int = 1) -> None:
    """Return when so many wait."""
    while sum(map(len, atlas.engine.feed._watches.values())) < count:  # noqa: ASYNC110 - nothing else tells
        await asyncio.sleep(0)


async def test_a_stream_ends_with_an_error_when_its_key_is_revoked_and_that_of_another_key_goes_on(
    tmp_path: Path,
) -> None:
    async with prepared(tmp_path) as (atlas, ada, key):
        task = (await ada.post("/api/v1/tasks", json=ASK)).json()["id"]
        other = atlas.with_key((await ada.post("/api/v1/api-keys", json={})).json()["key"])
        streams = [asyncio.ensure_future(one.get(f"/api/v1/tasks/{task}/events")) for one in (ada, other)]
        await watching(atlas, 2)
        assert (await ada.delete(f"/api/v1/api-keys/{key}")).status_code == 200
        told = (await streams[0]).text.split("\n\n")
        assert told[-2].startswith('event: refused\ndata: {"error":{"code":"key_invalid",')
        assert not streams[1].done()
        await other.post(f"/api/v1/tasks/{task}/cancel", json={})
        assert "refused" not in (await streams[1]).text


async def test_who_waits_for_a_task_is_told_when_they_are_disabled(tmp_path: Path) -> None:
    async with prepared(tmp_path) as (atlas, ada, _):
        task = (await ada.post("/api/v1/tasks", json=ASK)).json()["id"]
        shown = asyncio.ensure_future(ada.get(f"/api/v1/tasks/{task}?wait=60"))
        made = asyncio.ensure_future(ada.post("/api/v1/tasks?wait=60", json=ASK))
        await watching(atlas, 2)
        assert (await atlas.admin.patch("/api/v1/users/ada", json={"disabled": True})).status_code == 200
        for answer in (await shown, await made):
            assert (answer.status_code, answer.json()["error"]["code"]) == (401, "key_invalid")
        assert len((await atlas.admin.get("/api/v1/tasks")).json()["items"]) == 2


async def test_who_waits_for_a_task_is_told_when_their_key_expires(tmp_path: Path) -> None:
    async with prepared(tmp_path) as (atlas, ada, _):
        task = (await ada.post("/api/v1/tasks", json=ASK)).json()["id"]
        brief = atlas.with_key((await ada.post("/api/v1/api-keys", json={"expires_in": 1})).json()["key"])
        shown, streamed = await asyncio.gather(
            brief.get(f"/api/v1/tasks/{task}?wait=60"), brief.get(f"/api/v1/tasks/{task}/events")
        )
        assert (shown.status_code, shown.json()["error"]["code"]) == (401, "key_expired")
        assert '"code":"key_expired"' in streamed.text


async def test_another_role_and_a_user_who_is_let_in_again_end_nobody_s_wait(tmp_path: Path) -> None:
    async with prepared(tmp_path) as (atlas, ada, _):
        shown = asyncio.ensure_future(ada.post("/api/v1/tasks?wait=60", json=ASK))
        await watching(atlas)
        for change in ({"disabled": False}, {"role": "admin"}):
            assert (await atlas.admin.patch("/api/v1/users/ada", json=change)).status_code == 200
        task = (await atlas.admin.get("/api/v1/tasks")).json()["items"][0]["id"]
        await atlas.admin.post(f"/api/v1/tasks/{task}/cancel", json={})
        assert (await shown).json()["state"] == "canceled"


async def test_an_administrator_who_becomes_a_member_waits_no_longer_for_what_they_do_not_see(tmp_path: Path) -> None:
    async with prepared(tmp_path) as (atlas, ada, _):
        grace = await atlas.member("grace")
        await atlas.admin.patch("/api/v1/users/grace", json={"role": "admin"})
        hers = (await ada.post("/api/v1/tasks", json=ASK)).json()["id"]
        own = (await grace.post("/api/v1/tasks", json=ASK | {"agent": "ada/hello"})).json()["id"]
        lost = [asyncio.ensure_future(grace.get(f"/api/v1/tasks/{hers}{what}")) for what in ("/events", "?wait=60")]
        kept = asyncio.ensure_future(grace.get(f"/api/v1/tasks/{own}?wait=60"))
        others = asyncio.ensure_future(ada.get(f"/api/v1/tasks/{hers}?wait=60"))
        await watching(atlas, 4)
        assert (await atlas.admin.patch("/api/v1/users/grace", json={"role": "member"})).status_code == 200
        streamed, shown = [await one for one in lost]
        assert streamed.text.split("\n\n")[-2].startswith('event: refused\ndata: {"error":{"code":"task_not_found",')
        assert (shown.status_code, shown.json()["error"]["code"]) == (404, "task_not_found")
        for task in (own, hers):
            await atlas.admin.post(f"/api/v1/tasks/{task}/cancel", json={})
        assert [(await one).json()["state"] for one in (kept, others)] == ["canceled"] * 2


@pytest.mark.parametrize(
    ("what", "announced", "change", "code"),
    [
        ("", True, {}, "key_invalid"),
        ("", False, {"role": "viewer"}, "forbidden"),
        ("/{task}/input", True, {"disabled": True}, "key_invalid"),
    ],
    ids=["revoked", "a viewer, of any length", "disabled, an answer"],
)
async def test_who_loses_their_right_while_their_body_comes_does_nothing_with_it(
    tmp_path: Path, what: str, announced: bool, change: dict[str, object], code: str
) -> None:
    async with prepared(tmp_path) as (atlas, ada, key):
        task = (await ada.post("/api/v1/tasks", json=ASK)).json()["id"]
        said = msgspec.json.encode({"answer": 1} if what else ASK)
        wanted = asyncio.Event()
        body = RequestBody(wanted.set)
        fields = {
            "host": ["atlas"],
            "content-type": ["application/json"],
            "authorization": [ada.headers["authorization"]],
        }
        if announced:
            fields["content-length"] = [str(len(said))]
        request = Request("POST", "/api/v1/tasks" + what.format(task=task), fields=fields)
        request.received("127.0.0.1", body, None)
        assert isinstance(ada._transport, InProcess)
        answering = asyncio.ensure_future(ada._transport.handler(request))
        await wanted.wait()
        if change:
            await atlas.admin.patch("/api/v1/users/ada", json=change)
        else:
            await ada.delete(f"/api/v1/api-keys/{key}")
        body.feed(said)
        body.end()
        answer = await answering
        assert isinstance(answer, Response)
        assert msgspec.json.decode(answer.body)["error"]["code"] == code
        assert len((await atlas.admin.get("/api/v1/tasks")).json()["items"]) == 1
