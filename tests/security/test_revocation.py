"""Who has a token that was revoked, or replaced by another, is out at once and stays out; everybody else works on."""

from __future__ import annotations

import statistics
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

from agentic_atlas.backend.usecases import machine
from agentic_atlas.compose.network import Network, network
from agentic_atlas.router.settings import RouterSettings
from agentic_atlas.settings import Settings
from tests.debug_log import debug_log
from tests.security.revocations import (
    AGENTS,
    REVOKED,
    SHOWN_AGAIN,
    Crowd,
    crowd,
    good_for_nothing,
    half_of_them_out,
    shown_to,
)

CALM = RouterSettings(beat_every=24.0)
"""Agents of these tests send no beats."""


@asynccontextmanager
async def up(folder: Path) -> AsyncIterator[tuple[Network, str]]:
    """Have a network, with the key of its administrator where this is its first start."""
    settings = Settings(data_dir=folder, http_port=0, router_port=0, drain=0.0, router=CALM)
    async with network(settings, debug_log()) as one:
        yield one, await machine.bootstrap(one.engine, "ada") or ""


@asynccontextmanager
async def gathered(folder: Path, number: int) -> AsyncIterator[Crowd]:
    async with up(folder) as (one, key), crowd(one.addresses.api_url, one.addresses.router_url, key, number) as all_of:
        yield all_of


async def test_revoked_tokens_are_closed_within_a_second_one_by_one_while_the_others_work(
    tmp_path: Path, found: Callable[[str, str, str], None]
) -> None:
    async with gathered(tmp_path, AGENTS) as all_of:
        out = await half_of_them_out(all_of)
        median, longest = (f"{1e3 * seconds:.0f} ms" for seconds in (statistics.median(all_of.took), max(all_of.took)))
    # A new process has not seen them: it asks the store, which refuses whoever says `hello`.
    async with up(tmp_path) as (one, _):
        await good_for_nothing(urlsplit(one.addresses.router_url).port or 0, out)
    found(
        "5 revocation",
        f"{REVOKED} of {AGENTS} connected agents revoked one by one, {all_of.called} calls of the others",
        f"out after {median}, at most {longest}; {SHOWN_AGAIN:,} later uses refused",
    )


async def test_a_rotated_token_is_refused_when_its_overlap_is_over_and_its_heir_is_not(tmp_path: Path) -> None:
    async with gathered(tmp_path, 1) as all_of:
        (member,) = all_of.members
        heir = await all_of.atlas.tokens.rotate(member.token.id, overlap=0)
        assert await member.agent.end() == (4103, '{"code":"token_rotated"}')
        assert await all_of.shown_again([member], 1) == {(401, "token_rotated"): 1}
        again = await all_of.joins(heir, "inst_0")
        await all_of.echoed(again)
    async with up(tmp_path) as (one, _):
        port = urlsplit(one.addresses.router_url).port or 0
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
