"""Logins by code over the API: begun by nobody in particular, decided by a user, collected once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from agentic_atlas.api.app import create_app
from agentic_atlas.backend.engine.logins import BEGUN_PER_MINUTE, INTERVAL, LIFETIME, WRONG_PER_MINUTE
from agentic_atlas.backend.usecases.application import Application
from tests.in_process import InProcess
from tests.integration.api.network import JSON, Api, api, client_of


@dataclass
class Logins:
    """The API at a time that a test moves."""

    atlas: Api
    anonymous: httpx.AsyncClient
    ada: httpx.AsyncClient
    now: float

    async def begin(self, host: str = "box") -> dict[str, Any]:
        answer = await self.anonymous.post("/api/v1/login-codes", json={"host": host})
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    async def decide(self, how: str, codes: dict[str, Any], client: httpx.AsyncClient | None = None) -> httpx.Response:
        return await (client or self.ada).post(f"/api/v1/login-codes/{how}", json={"user_code": codes["user_code"]})

    async def collect(self, codes: dict[str, Any]) -> httpx.Response:
        """Ask with the device code once the interval is over."""
        self.now += INTERVAL
        body = {"device_code": codes["device_code"]}
        return await self.anonymous.post("/api/v1/login-codes/token", json=body)

    def at_this_time(self, client: httpx.AsyncClient) -> httpx.AsyncClient:
        copy = client_of(self.anonymous)
        copy.headers.update(client.headers)
        return copy


@asynccontextmanager
async def logins(folder: Path) -> AsyncIterator[Logins]:
    async with api(folder) as atlas:
        ada = await atlas.member("ada")
        under_test = Logins(atlas, atlas.anonymous, ada, atlas.engine.clock())
        transport = InProcess(create_app(Application(replace(atlas.engine, clock=lambda: under_test.now))))
        async with httpx.AsyncClient(transport=transport, base_url="http://atlas", headers=JSON) as anonymous:
            under_test.anonymous = anonymous
            under_test.ada = under_test.at_this_time(ada)
            yield under_test


def fault(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


async def test_a_machine_is_let_in_as_the_user_who_approves_it(tmp_path: Path) -> None:
    async with logins(tmp_path) as atlas:
        codes = await atlas.begin()
        assert (codes["expires_in"], codes["interval"]) == (600.0, 5.0)
        assert codes["verification_uri"] == "http://atlas/login/code"
        assert codes["verification_uri_complete"] == f"http://atlas/login/code#code={codes['user_code']}"
        assert fault(await atlas.collect(codes)) == (409, "authorization_pending")
        shown = (await atlas.decide("show", codes)).json()
        assert (shown["host"], shown["address"], shown["age"]) == ("box", "127.0.0.1", INTERVAL)
        assert (shown["scopes"], shown["lasts"]) == (["*"], 90 * 86_400.0)
        assert (await atlas.decide("approve", codes)).json()["host"] == "box"
        collected = await atlas.collect(codes)
        assert (collected.status_code, collected.headers["Cache-Control"]) == (200, "no-store")
        made = collected.json()
        assert (made["user"], made["name"]) == ("ada", "atlas login on box")
        lives = datetime.fromisoformat(made["expires_at"]) - datetime.fromisoformat(made["created_at"])
        assert lives == timedelta(days=90)
        me = await atlas.atlas.with_key(made["key"]).get("/api/v1/whoami")
        assert me.json()["user"]["name"] == "ada"
        assert fault(await atlas.collect(codes)) == (404, "expired_token")
        assert fault(await atlas.decide("approve", codes)) == (404, "login_code_not_found")
        keys = (await atlas.ada.get("/api/v1/api-keys")).json()["items"]
        assert [key["name"] for key in keys].count("atlas login on box") == 1


async def test_two_questions_at_once_get_one_key(tmp_path: Path) -> None:
    async with logins(tmp_path) as atlas:
        codes = await atlas.begin()
        await atlas.decide("approve", codes)
        async with asyncio.TaskGroup() as group:
            asked = [group.create_task(atlas.collect(codes)) for _ in range(4)]
        assert sorted(task.result().status_code for task in asked) == [200, 404, 404, 404]


async def test_a_machine_that_is_denied_gets_nothing(tmp_path: Path) -> None:
    async with logins(tmp_path) as atlas:
        codes = await atlas.begin()
        assert (await atlas.decide("deny", codes)).status_code == 200
        assert fault(await atlas.decide("approve", codes)) == (404, "login_code_not_found")
        assert fault(await atlas.collect(codes)) == (403, "access_denied")


async def test_a_login_ends_after_ten_minutes(tmp_path: Path) -> None:
    async with logins(tmp_path) as atlas:
        late, unfetched = await atlas.begin(), await atlas.begin()
        await atlas.decide("approve", unfetched)
        atlas.now += LIFETIME
        assert fault(await atlas.decide("approve", late)) == (404, "login_code_not_found")
        for codes in (late, unfetched):
            assert fault(await atlas.collect(codes)) == (404, "expired_token")


async def test_asking_too_often_is_told_with_the_time_to_wait(tmp_path: Path) -> None:
    async with logins(tmp_path) as atlas:
        codes = await atlas.begin()
        await atlas.collect(codes)
        atlas.now -= INTERVAL
        answer = await atlas.collect(codes)
        assert fault(answer) == (429, "slow_down")
        assert answer.headers["Retry-After"] == "10"


async def test_guesses_of_a_user_code_are_bounded_for_each_user(tmp_path: Path) -> None:
    async with logins(tmp_path) as atlas:
        codes = await atlas.begin()
        for how in ("show", "approve", "deny", "show") * 3:
            answer = await atlas.decide(how, {"user_code": "BBBB-BBBB"})
            if answer.status_code == 429:
                break
        assert fault(await atlas.decide("approve", codes)) == (429, "too_many_requests")
        eve = atlas.at_this_time(await atlas.atlas.member("eve"))
        wrong = [await atlas.decide("show", {"user_code": f"{n}"}, eve) for n in range(WRONG_PER_MINUTE + 1)]
        assert [one.status_code for one in wrong] == [404] * WRONG_PER_MINUTE + [429]
        assert wrong[-1].headers["Retry-After"] == "60"
        atlas.now += 60
        assert (await atlas.decide("approve", codes)).status_code == 200


async def test_one_address_cannot_begin_logins_without_end(tmp_path: Path) -> None:
    async with logins(tmp_path) as atlas:
        for _ in range(BEGUN_PER_MINUTE):
            await atlas.begin()
        answer = await atlas.anonymous.post("/api/v1/login-codes", json={"host": "box"})
        assert fault(answer) == (429, "too_many_requests")


async def test_what_was_approved_by_a_key_or_a_user_that_is_no_longer_valid_gets_nothing(tmp_path: Path) -> None:
    async with logins(tmp_path) as atlas:
        first, second = await atlas.begin(), await atlas.begin()
        key = (await atlas.ada.post("/api/v1/api-keys", json={"name": "stolen"})).json()
        thief = atlas.at_this_time(atlas.atlas.with_key(key["key"]))
        assert (await atlas.decide("approve", first, thief)).status_code == 200
        assert (await atlas.decide("approve", second)).status_code == 200
        await atlas.ada.delete(f"/api/v1/api-keys/{key['id']}")
        assert fault(await atlas.collect(first)) == (403, "access_denied")
        await atlas.atlas.admin.patch("/api/v1/users/ada", json={"disabled": True})
        assert fault(await atlas.collect(second)) == (403, "access_denied")


async def test_what_a_stranger_sends_is_bounded(tmp_path: Path) -> None:
    async with logins(tmp_path) as atlas:
        for body in (
            {},
            {"host": ""},
            {"host": "this machine (atlas update)"},
            {"host": "x" * 65},
            {"host": "two\nlines"},
            {"host": "x", "more": 1},
        ):
            assert (await atlas.anonymous.post("/api/v1/login-codes", json=body)).status_code == 422
        long = await atlas.anonymous.post("/api/v1/login-codes/token", content=b" " * 2_000)
        assert fault(long) == (413, "payload_too_large")
        unknown = await atlas.collect({"device_code": "atlas_login_" + "x" * 43})
        assert fault(unknown) == (404, "expired_token")
