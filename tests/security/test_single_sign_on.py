"""People log in at a real identity provider; whatever is not its answer to this very browser lets nobody in."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx

from agentic_atlas.backend.usecases import machine
from agentic_atlas.compose.network import Network, network
from agentic_atlas.settings import Settings
from tests.debug_log import debug_log
from tests.e2e.processes import free_port
from tests.identity_provider import CLIENT, SECRET, identity_provider, signed_in

CREATING = {"oidc_create": True, "oidc_role": "viewer"}


@dataclass
class World:
    """A network whose people log in at a provider.

    Attributes:
        key: of its administrator.
    """

    up: Network
    key: str
    stack: AsyncExitStack

    async def browser(self) -> httpx.AsyncClient:
        """Return a browser, which follows no redirect by itself."""
        headers = {"Origin": self.up.addresses.api_url}
        browser = httpx.AsyncClient(base_url=self.up.addresses.api_url, headers=headers, timeout=30.0)
        return await self.stack.enter_async_context(browser)

    async def departed(self, browser: httpx.AsyncClient) -> str:
        """Return where the network sends a browser that wants to log in."""
        answer = await browser.get("/login/oidc")
        assert answer.status_code == 303, answer.text
        return answer.headers["location"]

    async def back(self, browser: httpx.AsyncClient, name: str) -> httpx.Response:
        """Log in at the provider, and return what the network then answers."""
        sent = await signed_in(browser, await self.departed(browser), name)
        return await browser.get(sent.headers["location"])


@asynccontextmanager
async def world(folder: Path, **settings: object) -> AsyncIterator[World]:
    port = free_port()
    with identity_provider(f"http://127.0.0.1:{port}/login/oidc/callback") as issuer:
        client = {"oidc_issuer": issuer, "oidc_client_id": CLIENT, "oidc_client_secret": SECRET}
        chosen = Settings(data_dir=folder / "data", http_port=port, router_port=0, **client, **settings)  # type: ignore[arg-type]
        async with network(chosen, debug_log()) as up, AsyncExitStack() as stack:
            key = await machine.bootstrap(up.engine, "admin")
            assert key is not None
            yield World(up, key, stack)


def failure(answer: httpx.Response) -> str:
    """Return why somebody was not let in; they have no session."""
    assert (answer.status_code, "atlas_session" in answer.headers.get("set-cookie", "")) == (303, False)
    where, _, why = answer.headers["location"].partition("#failed=")
    assert where == "/login"
    return why


async def test_whoever_the_provider_vouches_for_is_let_in_and_known_again(tmp_path: Path) -> None:
    async with world(tmp_path, **CREATING) as made:
        first, again = await made.browser(), await made.browser()
        assert 'href="/login/oidc"' in (await first.get("/login")).text
        answer = await made.back(first, "Ada.Lovelace@example.org")
        assert (answer.status_code, answer.headers["location"]) == (303, "/overview")
        session = (await first.get("/api/v1/session")).json()
        assert session["user"] == "ada-lovelace"
        assert (await first.get("/api/v1/whoami")).json()["user"]["role"] == "viewer"
        await made.back(again, "Ada.Lovelace@example.org")
        assert (await again.get("/api/v1/session")).json()["user"] == "ada-lovelace"
        other = await made.browser()
        await made.back(other, "ada_lovelace@elsewhere.example.org")
        assert (await other.get("/api/v1/session")).json()["user"] == "ada_lovelace"
        namesake = await made.browser()
        await made.back(namesake, "ada.lovelace@elsewhere.example.org")
        assert (await namesake.get("/api/v1/session")).json()["user"] == "ada-lovelace-2"


async def test_nobody_is_made_unless_that_is_set_and_none_but_of_the_domains_that_are(tmp_path: Path) -> None:
    async with world(tmp_path) as made:
        assert failure(await made.back(await made.browser(), "ada@example.org")) == "not_invited"
    async with world(tmp_path / "second", oidc_create=True, oidc_domains="example.org, Example.com") as made:
        for name in ("ada@example.net", "unverified@example.org", "ada@sub.example.org"):
            assert failure(await made.back(await made.browser(), name)) == "not_invited"
        assert (await made.back(await made.browser(), "ada@example.com")).headers["location"] == "/overview"


async def test_a_name_at_the_provider_is_no_way_in_as_a_user_who_is_there_and_a_link_is(tmp_path: Path) -> None:
    async with world(tmp_path, oidc_create=True) as made:
        stranger = await made.browser()
        await made.back(stranger, "admin@example.org")
        assert (await stranger.get("/api/v1/session")).json()["user"] == "admin-2"

        admin = await made.browser()
        secret = await machine.first_login(made.up.engine, "admin")
        password = "tall trees by the sea"
        await admin.post("/api/v1/invitations/accept", json={"secret": secret, "password": password})
        await admin.post("/api/v1/session", json={"name": "admin", "password": password})
        linking = "/api/v1/users/me/identities"
        found = await admin.post(linking, json={"password": "wrong"})
        assert (found.status_code, found.json()["error"]["code"]) == (401, "login_failed")
        address = (await admin.post(linking, json={"password": password})).json()["address"]
        sent = await signed_in(admin, address, "root@example.org")
        assert (await admin.get(sent.headers["location"])).headers["location"] == "/overview"
        linked = await made.browser()
        await made.back(linked, "root@example.org")
        assert (await linked.get("/api/v1/session")).json()["user"] == "admin"

        fresh = await made.browser()
        await fresh.post("/api/v1/session", json={"name": "admin", "password": password})
        address = (await fresh.post(linking, json={"password": password})).json()["address"]
        sent = await signed_in(fresh, address, "admin@example.org")
        assert failure(await fresh.get(sent.headers["location"])) == "identity_taken"

        headers = {"Authorization": f"Bearer {made.key}"}
        await fresh.patch("/api/v1/users/admin-2", json={"disabled": True}, headers=headers)
        assert failure(await made.back(await made.browser(), "admin@example.org")) == "login_failed"


async def test_what_is_no_answer_to_this_browser_lets_nobody_in(tmp_path: Path) -> None:
    async with world(tmp_path, **CREATING) as made:
        ada, eve = await made.browser(), await made.browser()
        asked = parse_qs(urlsplit(await made.departed(ada)).query)
        assert asked["code_challenge_method"] == ["S256"]
        assert {"state", "nonce", "code_challenge"} <= set(asked)

        adas = (await signed_in(ada, await made.departed(ada), "ada@example.org")).headers["location"]
        # Somebody else's answer, in a browser that was sent off itself, and in one that was not.
        await made.departed(eve)
        for browser in (eve, await made.browser()):
            assert failure(await browser.get(adas)) == "login_failed"
        code = parse_qs(urlsplit(adas).query)["code"][0]
        for query in (
            {"code": code},  # of somebody else, which is good for their verifier alone
            {"code": code, "state": "another"},
            {"code": ""},
            {"error": "access_denied"},
            {"code": code, "iss": "https://evil.example.org"},
        ):
            state = parse_qs(urlsplit(await made.departed(eve)).query)["state"][0]
            back = await eve.get("/login/oidc/callback", params={"state": state} | query)
            assert failure(back) == "login_failed", query

        last = await made.browser()
        hers = (await signed_in(last, await made.departed(last), "ada@example.org")).headers["location"]
        kept = last.cookies["atlas_oidc"]
        assert (await last.get(hers)).headers["location"] == "/overview"
        replayed = await made.browser()
        replayed.cookies.set("atlas_oidc", kept)
        assert failure(await replayed.get(hers)) == "login_failed"
