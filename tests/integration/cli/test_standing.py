"""Networks that come up and end on this machine: who this user is in each, and where commands go meanwhile."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from agentic_atlas.cli import standing
from agentic_atlas.cli.standing import LocalNetwork
from agentic_atlas.compose import logs
from agentic_atlas.compose.network import Network, network
from agentic_atlas.sdk import environment
from agentic_atlas.settings import Settings
from tests.e2e.processes import free_port


@asynccontextmanager
async def running(folder: Path, port: int | None = None) -> AsyncIterator[tuple[str, LocalNetwork, Network]]:
    """`atlas up` with this data folder; on any free port, when none is given."""
    settings = Settings(data_dir=folder, http_port=port or 0, router_port=0, log_level="error", drain=0.0)
    async with network(settings, logs.configure("error", "json")) as up:
        here = await standing.enter(up, settings)
        yield up.addresses.api_url, here, up
        await standing.leave(up, here)


def known() -> set[str]:
    return set(environment.read_credentials().platforms)


def default() -> str | None:
    return environment.read_credentials().default


async def test_a_second_network_leaves_commands_where_they_go_and_takes_them_when_the_first_is_gone(
    tmp_path: Path,
) -> None:
    first_port, second_port = free_port(), free_port()
    async with running(tmp_path / "first", first_port) as (first, here, _):
        assert (here.user, here.is_new, here.elsewhere, default()) == ("admin", True, "", first)
        async with running(tmp_path / "second", second_port) as (second, there, _):
            assert (there.elsewhere, default()) == (first, first)
    assert default() == first, "it will run there again"
    async with running(tmp_path / "second", second_port) as (second, there, _):
        assert (there.is_new, there.elsewhere, default()) == (False, "", second)
    assert known() == {first, second}


async def test_a_network_that_ends_leaves_commands_that_nobody_sent_there_to_another_that_runs(tmp_path: Path) -> None:
    async with running(tmp_path / "second", free_port()) as (second, _, _):
        environment.change_credentials(lambda held: held.using(second, chosen=False))
        async with running(tmp_path / "first", free_port()) as (first, _, _):
            environment.change_credentials(lambda held: held.using(first, chosen=False))
        assert default() == second, "the one that runs"


async def test_a_network_that_was_chosen_keeps_commands_while_it_starts_anew_and_on_another_port(
    tmp_path: Path,
) -> None:
    port = free_port()
    async with running(tmp_path / "other", free_port()):
        async with running(tmp_path / "chosen", port) as (chosen, _, _):
            environment.change_credentials(lambda held: held.using(chosen))
        assert default() == chosen, "another one runs, and nobody chose that"
        async with running(tmp_path / "third", free_port()) as (_, there, _):
            assert (there.elsewhere, there.answers, default()) == (chosen, False, chosen)
        async with running(tmp_path / "trial") as (_, there, _):
            assert (there.elsewhere, default()) == (chosen, chosen)
        async with running(tmp_path / "chosen", port) as (_, here, _):
            assert (here.elsewhere, default()) == ("", chosen)
        async with running(tmp_path / "chosen") as (passing, here, _):
            assert (here.elsewhere, default()) == ("", passing), "the same network, for now"
        assert (default(), environment.read_credentials().chosen) == (chosen, True)
        async with running(tmp_path / "chosen", free_port()) as (moved, _, _):
            pass
        assert (default(), environment.read_credentials().chosen) == (moved, True)


async def test_a_network_on_any_free_port_leaves_nothing_behind(tmp_path: Path) -> None:
    keys = []
    for _ in range(2):
        async with running(tmp_path / "trial") as (url, here, up):
            assert known() == {url}
            assert here.is_new
            keys.append(environment.read_credentials().api_key(url))
            stored = await up.engine.store.users.keys_of(here.principal.user.id)
            assert [key.revoked_at is None for key in stored].count(True) == 1
        assert (known(), default()) == (set(), None)
    assert keys[0] != keys[1]


async def test_a_network_that_moves_to_another_port_keeps_its_key_and_leaves_its_old_address(tmp_path: Path) -> None:
    async with running(tmp_path / "data", free_port()) as (first, _, _):
        key = environment.read_credentials().api_key(first)
    async with running(tmp_path / "data") as (passing, here, _):
        assert (here.is_new, known(), default()) == (False, {first, passing}, passing)
    assert (known(), default()) == ({first}, first), "where it will be found again"
    async with running(tmp_path / "data", free_port()) as (second, here, _):
        assert not here.is_new
    assert known() == {second}
    assert environment.read_credentials().api_key(second) == key


async def test_a_credentials_file_that_cannot_be_read_any_more_does_not_keep_a_network_from_ending(
    tmp_path: Path,
) -> None:
    async with running(tmp_path / "data"):
        environment.credentials_path().write_text("{")


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
async def test_a_network_that_listens_everywhere_is_reached_at_this_machines_own_address(
    tmp_path: Path, host: str
) -> None:
    settings = Settings(
        data_dir=tmp_path, host=host, http_port=0, router_port=0, log_level="error", drain=0.0, allow_plaintext=True
    )
    async with network(settings, logs.configure("error", "json")) as up:
        await standing.enter(up, settings)
        where, key = up.addresses, environment.read_credentials().api_key(up.addresses.api_url)
        assert "0.0.0.0" not in where.api_url + where.router_url
        async with httpx.AsyncClient(trust_env=False, headers={"Authorization": f"Bearer {key}"}) as client:
            here = await client.get(f"{where.api_url}/api/v1/whoami")
            from_elsewhere = await client.get(f"{where.api_url}/api/v1/whoami", headers={"Host": "192.0.2.7:8000"})
        assert here.json()["router_url"] == where.router_url
        port = where.router_url.rpartition(":")[2]
        assert from_elsewhere.json()["router_url"] == f"ws://192.0.2.7:{port}", "as they asked for the API"
