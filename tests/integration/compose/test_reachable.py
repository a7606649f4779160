"""Public addresses are looked at as others see them: what leads nowhere is told, and when it leads here after all."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from agentic_atlas.compose import logs, reachable
from agentic_atlas.compose.network import network
from agentic_atlas.settings import Settings
from tests.e2e.processes import free_port


class Told:
    """A log of events and what they are about."""

    def __init__(self) -> None:
        self.entries: list[tuple[str, str, str]] = []
        self.said = asyncio.Event()

    def warning(self, event: str, *, setting: str, address: str, why: str = "") -> None:
        self.entries.append((event, setting, why))
        self.said.set()

    info = warning


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reachable, "PAUSES", (0.0, 0.0))


async def test_what_leads_here_is_not_worth_a_word_and_what_leads_elsewhere_is(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, http_port=0, router_port=0, drain=0.0)
    log: Any = Told()
    async with network(settings, logs.configure("error", "json")) as up:
        api, router = up.addresses.api_url, up.addresses.router_url
        await reachable.watch(Settings(data_dir=tmp_path, public_url=api, public_router_url=router), log)
        assert log.entries == []
        swapped = {
            "public_url": router.replace("ws:", "http:").removesuffix("/ws"),
            "public_router_url": api.replace("http:", "ws:") + "/ws",
        }
        await reachable.watch(Settings(data_dir=tmp_path, **swapped), log)
    assert [entry[:2] for entry in log.entries] == [
        ("public_address_unreachable", "ATLAS_PUBLIC_URL"),
        ("public_address_unreachable", "ATLAS_PUBLIC_ROUTER_URL"),
    ]
    assert "that is the HTTP API" in log.entries[1][2]


async def test_one_that_leads_here_later_is_told_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reachable, "PAUSES", (0.0, *[0.05] * 200))
    log: Any = Told()
    port = free_port()
    looking = asyncio.create_task(
        reachable.watch(Settings(data_dir=tmp_path, public_router_url=f"ws://127.0.0.1:{port}/ws"), log)
    )
    async with asyncio.timeout(10):
        await log.said.wait()
        async with network(
            Settings(data_dir=tmp_path, http_port=0, router_port=port, drain=0.0), logs.configure("error", "json")
        ):
            await looking
    assert [entry[0] for entry in log.entries] == ["public_address_unreachable", "public_address_reached"]
    assert "connection refused" in log.entries[0][2]
