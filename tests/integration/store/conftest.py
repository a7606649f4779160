"""Stores in files, and processes that use them."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agentic_atlas.backend.store.database import SqlStore, open_store
from tests.conformance.store.samples import NOW, Numbered

ROOT = Path(__file__).parents[3]
SECONDS_FOR_A_TEST = 60.0

RunStore = Callable[[Callable[[SqlStore], Awaitable[None]]], None]
"""Opens the store in the test's file, runs a coroutine function with it, and closes it; any number of times."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "atlas.db"


@pytest.fixture
def run_store(path: Path) -> RunStore:
    def run(test: Callable[[SqlStore], Awaitable[None]]) -> None:
        async def main() -> None:
            async with asyncio.timeout(SECONDS_FOR_A_TEST):
                async with open_store(path, clock=lambda: NOW, ids=Numbered()) as store:
                    await test(store)

        asyncio.run(main())

    return run


@contextmanager
def process(*command: str) -> Iterator[subprocess.Popen[str]]:
    """Run a Python module of the tests as a process of its own, which is killed at the end if it still runs."""
    arguments = [sys.executable, "-m", *command]
    with subprocess.Popen(arguments, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as started:
        try:
            yield started
        finally:
            started.kill()
            started.communicate()
