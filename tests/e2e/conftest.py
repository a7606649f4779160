from collections.abc import Iterator
from pathlib import Path

import pytest

from agentic_atlas import Client
from tests.e2e.processes import Platform


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Platform]:
    """A network of its own for one test."""
    running = Platform(tmp_path / "network")
    running.start()
    yield running
    running.kill()


@pytest.fixture(scope="module")
def shared_platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """A network for the tests of a module that leave it as it is."""
    running = Platform(tmp_path_factory.mktemp("shared") / "network")
    running.start()
    yield running
    running.kill()


@pytest.fixture
def client(platform: Platform) -> Iterator[Client]:
    with Client(platform.url, api_key=platform.api_key) as client:
        yield client
