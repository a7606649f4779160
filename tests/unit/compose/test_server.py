"""A server tells since when it is up, how much it keeps, and when the certificate ends that it shows."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentic_atlas.backend.archive.manifest import DATABASE
from agentic_atlas.compose.certificate import Certificate
from agentic_atlas.compose.server import RunningServer
from agentic_atlas.settings import read
from tests.certificates import certificate
from tests.unit.backend.network import NOW, Clock

pytestmark = pytest.mark.anyio


async def test_it_tells_what_it_is_and_keeps(tmp_path: Path) -> None:
    clock, settings = Clock(), read({"data_dir": tmp_path}, {})
    (tmp_path / DATABASE).write_bytes(bytes(1_000))
    (tmp_path / f"{DATABASE}-wal").write_bytes(bytes(24))
    server = RunningServer(settings, None, clock)
    clock.now = NOW + 60
    found = await server.about({"tasks": 7})
    assert (found.started_at.timestamp(), found.now.timestamp()) == (NOW, NOW + 60)
    assert (found.store_bytes, found.rows, found.data_dir) == (1_024, {"tasks": 7}, str(tmp_path))
    assert (found.certificate_until, found.certificate_names) == (None, ())
    assert "ATLAS_OPEN_TASKS" in [limit.variable for limit in await server.limits()]


async def test_it_tells_when_its_certificate_ends(tmp_path: Path) -> None:
    shown = Certificate(*certificate(tmp_path))
    found = await RunningServer(read({"data_dir": tmp_path}, {}), shown, Clock()).about({})
    assert found.certificate_until is not None
    assert (found.certificate_until.timestamp(), found.certificate_names) == (shown.expires_at, ("localhost",))
