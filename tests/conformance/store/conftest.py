"""The stores that the suite runs against: each test once with each of them, new and empty."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from agentic_atlas.backend.ports import Store
from agentic_atlas.backend.store.database import open_store
from tests.conformance.store.samples import NOW, Numbered

SECONDS_FOR_A_TEST = 30.0

WithStore = Callable[[Callable[[Store], Awaitable[None]]], None]
"""Decorator that runs a coroutine function at once, with a store that is open meanwhile."""


@pytest.fixture(params=["file", "memory"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path | None:
    """The place of the store."""
    return tmp_path / "atlas.db" if request.param == "file" else None


@pytest.fixture
def with_store(path: Path | None) -> WithStore:
    def run(test: Callable[[Store], Awaitable[None]]) -> None:
        async def main() -> None:
            async with asyncio.timeout(SECONDS_FOR_A_TEST):
                async with open_store(path, clock=lambda: NOW, ids=Numbered()) as store:
                    await test(store)

        asyncio.run(main())

    return run
