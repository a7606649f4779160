from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.cli.platform_server import Platform
from tests.integration.client.client_server import KEY, in_order, serving


@pytest.fixture(autouse=True)
def at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user with an empty home, in an empty folder, set up for no platform."""
    for name in ("ATLAS_API_URL", "ATLAS_API_KEY", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def platform(at_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Platform]:
    """A platform this user is set up for."""
    with serving(in_order()) as server:
        platform = Platform(server)
        server.answer = platform.answer
        monkeypatch.setenv("ATLAS_API_URL", server.url)
        monkeypatch.setenv("ATLAS_API_KEY", KEY)
        yield platform
