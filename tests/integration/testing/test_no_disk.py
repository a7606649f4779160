"""Agents under test leave nothing on the disk of whoever runs the tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentic_atlas.testing import running
from tests.integration.testing.agents import worker


def test_a_network_in_memory_keeps_no_results_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("ATLAS_SPOOL", str(tmp_path / "spool"))
    with running(worker()) as hello:
        assert hello.call("greet", name="Ada") == "Hello, Ada!"
    assert not list(tmp_path.iterdir())
