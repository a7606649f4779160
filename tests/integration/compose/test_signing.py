"""Signing keys of a real network: rotated and withdrawn while agents are connected, and kept over a restart."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from agentic_atlas import AsyncClient, Conflict, Unauthenticated
from agentic_atlas.auth import base64url, key_id, load_or_create_ring, mint, verify
from agentic_atlas.auth.claims import ISSUER_PREFIX
from agentic_atlas.backend.usecases import machine
from agentic_atlas.compose.network import network
from agentic_atlas.compose.sources import wall
from agentic_atlas.observe.logs import logger
from agentic_atlas.protocol.closing import CloseCode, decode_reason
from agentic_atlas.protocol.messages import Hello, InstanceInfo, Renewal
from agentic_atlas.protocol.versions import ERROR_HEADER
from agentic_atlas.settings import Settings
from tests.integration.router.doors import Agent, dial

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def up(folder: Path) -> AsyncIterator[tuple[AsyncClient, int]]:
    """A network with an administrator's agent; with the router's port."""
    settings = Settings(data_dir=folder / "data", http_port=0, router_port=0)
    async with asyncio.timeout(30), network(settings, logger("error")) as running:
        key = await machine.bootstrap(running.engine, "admin")
        kept = folder / "admin.key"
        if key is not None:
            kept.write_text(key)
        port = int(running.addresses.router_url.rpartition(":")[2].removesuffix("/ws"))
        async with AsyncClient(running.addresses.api_url, api_key=kept.read_text()) as client:
            if key is not None:
                await client.agents.create("hello")
            yield client, port


async def joined(port: int, token: str, instance: str) -> Agent:
    agent = Agent(await dial(port, token), instance)
    await agent.hello(1)
    return agent


async def test_a_rotation_goes_unnoticed_and_its_old_keys_tokens_end_with_the_key(tmp_path: Path) -> None:
    async with up(tmp_path) as (client, port):
        before = (await client.tokens.create("hello")).token
        old = await joined(port, before, "ins_1")
        rotated = await client.keys.rotate()
        after = (await client.tokens.create("hello")).token
        assert (key_id(before) != rotated.id, key_id(after) == rotated.id) == (True, True)
        new = await joined(port, after, "ins_2")
        again = await joined(port, before, "ins_1")  # an instance that comes back with what it has
        with pytest.raises(ConnectionClosed):
            await old.socket.recv()

        with pytest.raises(Conflict):
            await client.keys.withdraw(rotated.id)
        await client.keys.withdraw(key_id(before))
        async with asyncio.timeout(1.0):
            with pytest.raises(ConnectionClosed) as closed:
                await again.socket.recv()
        assert closed.value.rcvd is not None
        reason = decode_reason(closed.value.rcvd.reason)
        assert (closed.value.rcvd.code, reason.code) == (CloseCode.TOKEN_REVOKED, "key_withdrawn")
        with pytest.raises(InvalidStatus) as refused:
            await dial(port, before)
        assert refused.value.response.headers[ERROR_HEADER] == "token_unknown_key"
        await new.socket.ping()
        assert [one.action async for one in client.audit.list(action="signing")] == [
            "signing.withdraw",
            "signing.rotate",
        ]


def issuer(token: str) -> str:
    """Return the network that a token says it is of."""
    said = json.loads(base64url.decode(token.split(".")[1]))
    return str(said["iss"]).removeprefix(ISSUER_PREFIX)


async def renewed(agent: Agent) -> str:
    """Have the agent ask for another token; return that."""
    await agent.say(Renewal())
    while not isinstance(said := await agent.hear(), Renewal):
        pass
    return said.token


async def closed(agent: Agent) -> tuple[int, str]:
    with pytest.raises(ConnectionClosed) as end:
        while True:
            await agent.socket.recv()
    assert end.value.rcvd is not None
    return end.value.rcvd.code, decode_reason(end.value.rcvd.reason).code


async def refused(port: int, token: str) -> str:
    with pytest.raises(InvalidStatus) as denied:
        await dial(port, token)
    return denied.value.response.headers[ERROR_HEADER]


WITHDRAWN = (CloseCode.TOKEN_REVOKED, "key_withdrawn")


async def test_nothing_that_came_of_a_forged_token_outlives_the_key_that_it_was_forged_with(tmp_path: Path) -> None:
    async with up(tmp_path) as (client, port):
        old = await client.tokens.create("hello")
        stolen = load_or_create_ring(tmp_path / "data/keys", wall())
        await client.keys.rotate()
        new = await client.tokens.create("hello")
        claims = verify(old.token, stolen.verification, network=issuer(old.token), now=wall())
        # With the old key anybody makes a token of that is known, as good as they like.
        forged = await joined(port, mint(stolen, replace(claims, exp=claims.exp + 9_999)), "ins_1")
        came_of_it = await renewed(forged)
        # But not of one that another key signed.
        other = Agent(await dial(port, mint(stolen, replace(claims, jti=new.id))), "ins_2")
        with pytest.raises(ConnectionClosed):
            await other.hello(1)

        async with asyncio.timeout(10.0):
            ended = await client.keys.withdraw(key_id(old.token))
            assert await closed(forged) == WITHDRAWN
        assert (ended.tokens, ended.connected, ended.agents) == (2, 1, ("admin/hello",))
        assert await refused(port, came_of_it) == "key_withdrawn"
        assert {one.status for one in await client.tokens.list("hello") if one.id != new.id} == {"withdrawn"}
    async with up(tmp_path) as (_, port):
        again = Agent(await dial(port, came_of_it), "ins_3")
        await again.say(Hello(1, InstanceInfo("ins_3"), []))
        assert await closed(again) == WITHDRAWN
        await joined(port, new.token, "ins_2")


async def test_a_renewal_that_is_under_way_when_its_key_is_withdrawn_ends_with_it(tmp_path: Path) -> None:
    async with up(tmp_path) as (client, port):
        for steps in range(0, 60, 6):
            made = await client.tokens.create("hello")
            agent = await joined(port, made.token, f"ins_{steps}")
            await client.keys.rotate()
            await agent.say(Renewal())
            for _ in range(steps):
                await asyncio.sleep(0)
            await client.keys.withdraw(key_id(made.token))
            assert await closed(agent) == WITHDRAWN
            listed = await client.tokens.list("hello")
            assert {one.status for one in listed if made.id in (one.id, one.lineage)} == {"withdrawn"}


async def test_keys_are_the_same_after_a_restart(tmp_path: Path) -> None:
    async with up(tmp_path) as (client, _):
        token = (await client.tokens.create("hello")).token
        await client.keys.rotate()
        gone = (await client.tokens.create("hello")).token
        await client.keys.rotate()
        await client.keys.withdraw(key_id(gone))
        found = [(key.id, key.signs) for key in await client.keys.signing()]
    assert load_or_create_ring(tmp_path / "data/keys", wall()).active.kid == found[0][0]
    async with up(tmp_path) as (client, port):
        assert [(key.id, key.signs) for key in await client.keys.signing()] == found
        await joined(port, token, "ins_1")
        with pytest.raises(InvalidStatus):
            await dial(port, gone)


async def test_the_key_set_says_for_how_long_it_may_be_kept_and_is_not_sent_again_to_who_has_it(tmp_path: Path) -> None:
    async with up(tmp_path) as (client, _), httpx.AsyncClient(base_url=client.base_url) as anybody:
        first = await anybody.get("/.well-known/jwks.json")
        assert first.headers["cache-control"] == "public, max-age=60"
        tag = first.headers["etag"]
        for known in (tag, f'"other", W/{tag}', "*"):
            same = await anybody.get("/.well-known/jwks.json", headers={"If-None-Match": known})
            assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", tag)
        await client.keys.rotate()
        other = await anybody.get("/.well-known/jwks.json", headers={"If-None-Match": tag})
        assert (other.status_code, len(other.json()["keys"])) == (200, 2)
        assert other.headers["etag"] != tag


async def test_who_is_kept_out_for_what_they_show_is_told_in_the_audit_log(tmp_path: Path) -> None:
    async with up(tmp_path) as (client, port):
        token = await client.tokens.create("hello")
        first = await joined(port, token.token, "ins_1")
        rival = Agent(await dial(port, token.token), "ins_2")
        with pytest.raises(ConnectionClosed):
            await rival.hello(1)
        await client.tokens.revoke(token.id)
        with pytest.raises(ConnectionClosed):
            await first.socket.recv()
        for shown in (token.token, "eyJhbGciOiJFZERTQSJ9.e30.c2lnbmF0dXJl"):
            with pytest.raises(InvalidStatus):
                await dial(port, shown)
        gone = await client.keys.create("gone")
        await client.keys.revoke(gone.id)
        async with AsyncClient(client.base_url, api_key=gone.key) as other:
            for _ in range(2):
                with pytest.raises(Unauthenticated):
                    await other.people.whoami()
        await client.keys.create("next")  # what waits is written with it
        found = [entry async for entry in client.audit.list() if entry.outcome != "ok"]
        assert {(one.action, one.outcome, one.who.kind, one.object.id) for one in found[:-1]} == {
            ("instances.admit", "token_revoked", "agent", token.id),
            ("instances.admit", "token_wrong_type", "nobody", ""),
            ("keys.use", "key_invalid", "nobody", gone.id),
        }
        assert {one.address for one in found} == {"127.0.0.1"}
        assert found[-1].outcome == "token_in_use"
        (kept_out,) = [one.who for one in found if one.outcome == "token_revoked"]
        assert kept_out.name == "admin/hello", "an id says nothing to a person"
