"""Whoever owns the machine gets a key of the first administrator: on a new network, and when all others are lost."""

from __future__ import annotations

import pytest

from agentic_atlas.backend.domain.records import Role, User
from agentic_atlas.backend.usecases import machine
from agentic_atlas.errors import InvalidInput, NotFound
from tests.unit.backend.network import NOW, Network


async def test_a_new_network_gets_its_first_administrator_once() -> None:
    network = Network()
    issued = await machine.bootstrap(network.engine, "root")
    assert issued is not None
    who = await network.application.authenticate(issued)
    assert (who.user.name, who.user.role, who.scopes) == ("root", Role.ADMIN, ("*",))
    assert await machine.bootstrap(network.engine, "root") is None
    assert len(await network.store.users.keys_of(who.user.id)) == 1


async def test_what_a_start_makes_is_in_the_audit_log_as_made_by_the_system() -> None:
    network = Network()
    await machine.bootstrap(network.engine, "root")
    await machine.recover(network.engine)
    await machine.first_login(network.engine, "root")
    (root,) = await network.store.users.find(limit=2)
    keys = {key.name: key.id for key in await network.store.users.keys_of(root.id)}
    (link, _), *_ = await network.store.accounts.invitations(NOW)
    rows = await network.store.audit.after(0, limit=10)
    assert {row.who.kind for row in rows} == {"system"}
    assert [(row.action, row.object.kind, row.object.id) for row in rows] == [
        ("users.create", "user", root.id),
        ("keys.create_for", "api_key", keys["first start"]),
        ("keys.create_for", "api_key", keys["this machine"]),
        ("invitations.create", "invitation", link.id),
    ]
    assert [row.detail.get("user") or row.detail.get("name") for row in rows] == [None, "root", "root", "root"]


async def test_a_network_that_has_users_gets_no_administrator_by_a_start() -> None:
    network = Network()
    await network.user()
    assert await machine.bootstrap(network.engine, "root") is None


async def test_a_name_that_no_user_may_have_leaves_the_network_new() -> None:
    network = Network()
    with pytest.raises(InvalidInput):
        await machine.bootstrap(network.engine, "Root!")
    assert await machine.bootstrap(network.engine, "root") is not None


async def test_another_key_is_of_an_administrator_who_may_still_act() -> None:
    network = Network()
    await network.user("aaa")
    await network.store.users.add(User("usr_gone", "admin", Role.ADMIN, NOW, disabled_at=NOW))
    with pytest.raises(NotFound):
        await machine.recover(network.engine)
    boss = await network.user("boss", Role.ADMIN)
    who = await network.application.authenticate(await machine.recover(network.engine))
    assert (who.user, who.scopes, who.expires_at) == (boss.user, ("*",), None)
