"""A whole network in this process: how it says what went wrong, and what it leaves."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest
from msgspec.structs import replace

from agentic_atlas import AsyncClient
from agentic_atlas.backend.engine.engine import EngineSettings
from agentic_atlas.backend.usecases import machine
from agentic_atlas.cli import up
from agentic_atlas.compose.network import LOGS, network
from agentic_atlas.errors import ConfigurationError, Unavailable
from agentic_atlas.observe.logs import logger
from agentic_atlas.protocol.messages import LogLine
from agentic_atlas.sdk.client.http import Sources
from agentic_atlas.settings import Settings


def settings(folder: Path) -> Settings:
    return Settings(data_dir=folder / "data", http_port=0, router_port=0)


async def test_what_goes_wrong_beside_a_network_is_told_as_it_is(tmp_path: Path) -> None:

    with pytest.raises(ConfigurationError, match="disk with your credentials"):
        async with network(settings(tmp_path), logger("error")):
            raise ConfigurationError("the disk with your credentials is full")


async def test_a_client_that_asks_too_often_waits_and_gets_all_its_answers(tmp_path: Path) -> None:
    narrow = replace(settings(tmp_path), engine=EngineSettings(requests_per_second=30), drain=0.0)
    async with network(narrow, logger("error")) as running:
        url, key = running.addresses.api_url, await machine.bootstrap(running.engine, "ada")
        waited: list[float] = []

        async def sleep(seconds: float) -> None:
            waited.append(seconds)
            await asyncio.sleep(seconds)

        async with AsyncClient(url, api_key=key, sources=Sources(sleep=sleep)) as ada, asyncio.TaskGroup() as group:
            asked = [group.create_task(ada.people.whoami()) for _ in range(80)]
        assert {one.result().user.name for one in asked} == {"ada"}
        assert len(waited) >= 15
        assert all(1.0 <= seconds <= 1.5 for seconds in waited)


@pytest.mark.parametrize("spoilt", [b"no database" * 1_000, None])
async def test_a_file_of_logs_that_cannot_be_used_ends_no_network(tmp_path: Path, spoilt: bytes | None) -> None:
    """Damaged, or a folder in its place."""
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    (folder / LOGS).mkdir() if spoilt is None else (folder / LOGS).write_bytes(spoilt)
    async with network(settings(tmp_path), logger("error")) as running:
        url, key = running.addresses.api_url, await machine.bootstrap(running.engine, "ada")
        async with AsyncClient(url, api_key=key) as ada:
            await ada.agents.create("hello")
            book, agent = running.engine.logs, (await running.engine.store.agents.by_name("ada", "hello"))
            assert book is not None
            assert agent is not None
            lines = [LogLine(running.engine.clock(), "info", "a line", "logging")]
            if spoilt is None:
                with pytest.raises(Unavailable):
                    await book.keep(agent.id, "ins_1", 1, lines, 0)
            else:
                assert await book.keep(agent.id, "ins_1", 1, lines, 0) == 1
                assert [one.message async for one in ada.logs.list()] == ["a line"]
                assert (folder / f"{LOGS}.damaged").read_bytes() == spoilt


async def test_a_credentials_file_that_others_can_read_is_told_before_anything_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "agentic-atlas").mkdir()
    file = tmp_path / "agentic-atlas" / "credentials.json"
    file.write_text("{}")
    file.chmod(0o644)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        await up._serve(settings(tmp_path), logger("error"), asyncio.Event(), as_json=True)
    assert not (tmp_path / "data").exists()


async def test_a_second_network_of_a_folder_says_that_it_is_up_already(tmp_path: Path) -> None:
    async with network(settings(tmp_path), logger("error")) as up_already:
        port = int(up_already.addresses.api_url.rpartition(":")[2])
        here = f"is up already, in process {os.getpid()}:"
        for folder, said in ((tmp_path / "data", here), (tmp_path / "new", "can't listen")):
            second = Settings(data_dir=folder, http_port=port, router_port=0)
            with pytest.raises(ConfigurationError, match=said):
                async with network(second, logger("error")):
                    pass


async def test_a_data_folder_that_others_can_write_in_is_not_used(tmp_path: Path) -> None:

    (tmp_path / "data").mkdir()
    (tmp_path / "data").chmod(0o770)
    with pytest.raises(ConfigurationError, match="other users"):
        async with network(settings(tmp_path), logger("error")):
            pass
    assert not list((tmp_path / "data").iterdir())
