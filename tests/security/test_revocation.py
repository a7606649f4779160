"""Who has a token that was revoked, or replaced by another, is out at once and stays out; everybody else works on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import structlog

from agentic_atlas.backend.usecases import machine
from agentic_atlas.compose.network import Network, network
from agentic_atlas.router.settings import RouterSettings
from agentic_atlas.settings import Settings
from tests.security.revocations import Crowd, crowd, shown_to

AGENTS, REVOKED, SHOWN_AGAIN = 24, 12, 60
LONGEST = 1.0
"""Seconds in which a connection is closed (guarantee 5); here it takes some milliseconds."""
CALM = RouterSettings(beat_every=24.0)
"""Agents of these tests send no beats."""


@asynccontextmanager
async def up(folder: Path) -> AsyncIterator[tuple[Network, str]]:
    """Have a network, with the key of its administrator where this is its first start."""
    settings = Settings(data_dir=folder, http_port=0, router_port=0, drain=0.0, router=CALM)
    async with network(settings, structlog.get_logger()) as one:
        yield one, await machine.bootstrap(one.engine, "ada") or ""


@asynccontextmanager
async def gathered(folder: Path, number: int) -> AsyncIterator[Crowd]:
    async with up(folder) as (one, key), crowd(one.addresses.api_url, one.addresses.router_url, key, number) as all_of:
        yield all_of


async def test_revoked_tokens_are_closed_within_a_second_one_by_one_while_the_others_work(tmp_path: Path) -> None:
    async with gathered(tmp_path, AGENTS) as all_of:
        revoked, others = all_of.members[:REVOKED], all_of.members[REVOKED:]
        load = asyncio.ensure_future(all_of.busy(others))
        await all_of.revoke(revoked)
        assert all_of.ended == {(4103, "token_revoked"): REVOKED}
        assert max(all_of.took) < LONGEST
        assert await all_of.shown_again(revoked, SHOWN_AGAIN) == {(401, "token_revoked"): SHOWN_AGAIN}
        load.cancel()
        await asyncio.wait([load])
        assert load.cancelled(), load.exception()
        assert all(member.connected for member in others)
        for member in others:
            await all_of.echoed(member)
        told = [token.token.token for token in all_of.members]
    # A new process has not seen them: it asks the store, which refuses whoever says `hello`.
    async with up(tmp_path) as (one, _):
        port = int(one.addresses.router_url.rpartition(":")[2].partition("/")[0])
        for token in told[:REVOKED]:
            assert await shown_to(port, token) == (4103, "token_revoked")


async def test_a_rotated_token_is_refused_when_its_overlap_is_over_and_its_heir_is_not(tmp_path: Path) -> None:
    async with gathered(tmp_path, 1) as all_of:
        (member,) = all_of.members
        heir = await all_of.atlas.tokens.rotate(member.token.id, overlap=0)
        assert await member.agent.end() == (4103, '{"code":"token_rotated"}')
        assert await all_of.shown_again([member], 1) == {(401, "token_rotated"): 1}
        again = await all_of.joins(heir, "inst_0")
        await all_of.echoed(again)
    async with up(tmp_path) as (one, _):
        port = int(one.addresses.router_url.rpartition(":")[2].partition("/")[0])
        assert await shown_to(port, member.token.token) == (4103, "token_rotated")


async def test_who_comes_with_a_rotated_token_in_its_overlap_is_let_in_until_that_is_over(tmp_path: Path) -> None:
    async with gathered(tmp_path, 1) as all_of:
        (member,) = all_of.members
        await all_of.atlas.tokens.rotate(member.token.id, overlap=3)
        again = await all_of.joins(member.token, "inst_0")
        await all_of.echoed(again)
        assert await again.agent.end() == (4103, '{"code":"token_rotated"}')


async def test_revoking_one_of_a_lineage_ends_who_has_another_of_it(tmp_path: Path) -> None:
    async with gathered(tmp_path, 1) as all_of:
        (member,) = all_of.members
        heir = await all_of.atlas.tokens.rotate(member.token.id, overlap=3_600)
        assert member.connected
        await all_of.atlas.tokens.revoke(heir.id)
        assert await member.agent.end() == (4103, '{"code":"token_revoked"}')
        for token in (member.token.token, heir.token):
            assert await shown_to(all_of.port, token) == (401, "token_revoked")
