"""The audit log is for administrators: they look through it, read it row by row, and have it checked."""

from __future__ import annotations

import pytest

from agentic_atlas.backend.domain.records import Role
from agentic_atlas.backend.ports import AuditFilter
from agentic_atlas.backend.usecases import audit, backups
from agentic_atlas.errors import Forbidden
from tests.unit.backend.network import Network


async def test_an_administrator_finds_what_was_done_and_nobody_else_does() -> None:
    network = Network()
    root = await network.user("root", Role.ADMIN)
    for _ in range(3):
        await backups.make(root, network.application)
    await network.engine.trail.settle()
    found = await audit.find(root, network.application, AuditFilter(), limit=2)
    assert [entry.action for entry in found] == ["backups.make"] * 2
    assert found[0].seq > found[1].seq, "the newest first"
    older = await audit.find(root, network.application, AuditFilter(), limit=10, before=found[-1].seq)
    assert len(older) == 1
    for who in (await network.user(), await network.user("vera", Role.VIEWER)):
        with pytest.raises(Forbidden):
            await audit.find(who, network.application, AuditFilter(), limit=2)
