"""The audit log is for administrators: they look through it, read it row by row, and have it checked."""

from __future__ import annotations

import pytest

from agentic_atlas.backend.domain.records import AccessLevel, Role
from agentic_atlas.backend.ports import AuditFilter
from agentic_atlas.backend.usecases import agents, audit, backups, groups, tokens, users
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


async def test_of_a_token_it_is_told_whose_agent_it_is_of_however_it_was_asked_for() -> None:
    network = Network()
    root, ada = await network.user("root", Role.ADMIN), await network.user()
    await network.agent(ada)
    for name in ("hello", "ada/hello"):
        await tokens.issue(ada, network.application, name, description="books")
    await network.engine.trail.settle()
    found = await audit.find(root, network.application, AuditFilter(action="tokens.issue"), limit=9)
    assert [(one.detail["agent"], one.detail["description"]) for one in found] == [("ada/hello", "books")] * 2


async def test_what_is_shared_or_removed_is_told_of_by_its_id_and_in_full() -> None:
    network = Network()
    root, ada = await network.user("root", Role.ADMIN), await network.user()
    await network.user("eve")
    agent, on = await network.agent(ada), network.application
    group, _ = await groups.create(root, on, "readers")
    await groups.add(root, on, "readers", "eve")
    await groups.remove(root, on, "readers", "eve")
    await agents.share(ada, on, "hello", ["eve"], AccessLevel.CALL)
    await agents.unshare(ada, on, "hello", ["eve"])
    await agents.delete(ada, on, "hello")
    await groups.delete(root, on, "readers")
    await users.delete(root, on, "ada")
    await network.engine.trail.settle()
    found = await audit.find(root, on, AuditFilter(), limit=9)
    assert [(entry.action, entry.object.id, entry.object.name) for entry in reversed(found)] == [
        ("groups.create", group.id, "readers"),
        ("groups.add", group.id, "readers"),
        ("groups.remove", group.id, "readers"),
        ("agents.share", agent.id, "ada/hello"),
        ("agents.unshare", agent.id, "ada/hello"),
        ("agents.delete", agent.id, "ada/hello"),
        ("groups.delete", group.id, "readers"),
        ("users.delete", ada.user.id, "ada"),
    ]
