"""The audit log is for administrators: they look through it, read it row by row, and have it checked."""

from __future__ import annotations

import pytest

from agentic_atlas.backend.domain.records import Role
from agentic_atlas.backend.ports import AuditFilter
from agentic_atlas.backend.usecases import agents, audit, backups
from agentic_atlas.errors import Forbidden, InvalidInput
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


async def test_who_looks_for_what_there_is_not_learns_that_and_is_not_shown_an_empty_log() -> None:
    network = Network()
    root, ada = await network.user("root", Role.ADMIN), await network.user("ada")
    await agents.create(ada, network.application, "books", "")
    for which, told in (
        (AuditFilter(action="agent.create"), r"did you mean agents\.create"),
        (
            AuditFilter(who="adda"),
            r"no user or agent is called 'adda' today \(did you mean ada\?\), and no row is by .*, of 1 that",
        ),
        (AuditFilter(who="ada/bookz", action="agents"), r"did you mean ada/books"),
    ):
        with pytest.raises(InvalidInput, match=told):
            await audit.find(root, network.application, which, limit=2)
    for which in (
        AuditFilter(action="agents.delete"),
        AuditFilter(who="root"),
        AuditFilter(who="nobody"),
        AuditFilter(who=root.user.id),
        AuditFilter(who="ada/books"),
        AuditFilter(who="ada", action="tokens"),
        AuditFilter(object="no such"),
    ):
        assert await audit.find(root, network.application, which, limit=2) == []
    assert await audit.find(root, network.application, AuditFilter(who="gone"), limit=2, before=1) == []
