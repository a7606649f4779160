"""Faults on purpose: processes killed, connections cut, disks filled. `--soak` does each longer, and prints a table."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from agentic_atlas import Client
from tests.e2e.processes import Platform
from tests.faults.health import nothing_hangs


@pytest.fixture
def soak(request: pytest.FixtureRequest) -> bool:
    """Whether to do it long and often (`make soak`), or as briefly as every change has to bear."""
    return bool(request.config.getoption("--soak"))


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Platform]:
    """A network of its own for one test."""
    running = Platform(tmp_path / "network")
    running.start()
    yield running
    if running.process is not None and running.process.running:
        nothing_hangs(running)
    running.kill()


@pytest.fixture
def client(platform: Platform) -> Iterator[Client]:
    with Client(platform.url, api_key=platform.api_key) as client:
        yield client
