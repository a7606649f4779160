"""Users are made and changed by administrators; who is disabled is out at once, with all their agents."""

from __future__ import annotations

import asyncio

import pytest

from agentic_atlas.backend.domain.people import WaysIn
from agentic_atlas.backend.domain.records import Role
from agentic_atlas.backend.ports import AuditFilter
from agentic_atlas.backend.usecases import groups, invitations, keys, users
from agentic_atlas.errors import Conflict, Forbidden, InvalidInput, NotFound, Unauthenticated
from agentic_atlas.protocol.inside.messages import Readmit, ShutOut
from tests.unit.backend.network import Network, settle, wanted


async def test_users_are_made_once_each_and_listed_by_name() -> None:
    network = Network()
    root = await network.user("root", Role.ADMIN)
    made = await users.create(root, network.application, "ada", Role.MEMBER)
    found = await users.find(root, network.application, limit=9, after=None)
    assert found == [(made, WaysIn()), (root.user, WaysIn())]
    assert await users.find(root, network.application, limit=9, after="ada") == [(root.user, WaysIn())]
    with pytest.raises(Conflict) as refused:
        await users.create(root, network.application, "ada", Role.ADMIN)
    assert refused.value.code == "user_exists"
    with pytest.raises(InvalidInput):
        await users.create(root, network.application, "Ada", Role.MEMBER)


async def test_a_user_is_shown_with_what_is_theirs() -> None:
    network = Network()
    root, ada = await network.user("root", Role.ADMIN), await network.user()
    await network.agent(ada)
    for name in ("readers", "writers"):
        await groups.create(root, network.application, name)
    await groups.add(root, network.application, "readers", "ada")
    user, ways, found, agents = await users.show(root, network.application, "ada")
    assert (user.name, ways, [one.name for one in found], agents) == ("ada", WaysIn(), ["readers"], ["ada/hello"])
    assert (await users.show(root, network.application, "root"))[2:] == ([], [])
    with pytest.raises(NotFound):
        await users.show(root, network.application, "nobody")


async def test_members_make_nobody_and_see_nobody() -> None:
    network = Network()
    ada = await network.user()
    for ask in (
        lambda: users.create(ada, network.application, "eve", Role.ADMIN),
        lambda: users.find(ada, network.application, limit=9, after=None),
        lambda: users.update(ada, network.application, "ada", role=Role.ADMIN, disabled=None),
    ):
        with pytest.raises(Forbidden):
            await ask()
    assert await users.whoami(ada, network.application) == ("net_1", ada.credential)


async def test_who_is_disabled_is_out_with_their_keys_their_agents_and_what_they_wait_for() -> None:
    network = Network()
    root, ada = await network.user("root", Role.ADMIN), await network.user()
    agents = [await network.agent(ada, name) for name in ("hello", "other")]
    await network.agent(root, "roots")
    issued = await keys.create(ada, network.application)
    who = await network.application.authenticate(issued.key)
    task = (await network.submit(ada)).task
    waiting = asyncio.create_task(network.engine.feed.until_ended(task.id, 60.0, who))
    await settle()
    changed = await users.update(root, network.application, "ada", role=None, disabled=True)
    assert changed.disabled_at is not None
    assert network.router.told == [ShutOut(one.id, "owner_disabled") for one in agents]
    with pytest.raises(Unauthenticated):
        await waiting
    with pytest.raises(Unauthenticated):
        await network.application.authenticate(issued.key)
    network.router.told.clear()
    changed = await users.update(root, network.application, "ada", role=None, disabled=False)
    assert (changed.disabled_at, network.router.told) == (None, [Readmit(one.id) for one in agents])
    assert (await network.application.authenticate(issued.key)).user == changed


@pytest.mark.parametrize("how", ["a member", "disabled", "deleted"])
async def test_what_an_administrator_made_for_others_ends_with_their_right_and_the_log_tells(how: str) -> None:
    network = Network()
    root, mal, ada = await network.user("root", Role.ADMIN), await network.user("mal", Role.ADMIN), await network.user()
    on = network.application
    made = await keys.create_for(mal, on, "ada", name="hers")
    with_it = await on.authenticate(made.key)
    own, of_it = await keys.create(ada, on), await keys.create(with_it, on, name="of it")
    link, _, secret = await invitations.create(mal, on, "ada", None)
    task = (await network.submit(with_it, wanted("hello"))).task if await network.agent(ada) else None
    assert task is not None
    waiting = asyncio.create_task(network.engine.feed.until_ended(task.id, 60.0, with_it))
    await settle()
    await {
        "a member": lambda: users.update(root, on, "mal", role=Role.MEMBER, disabled=None),
        "disabled": lambda: users.update(root, on, "mal", role=None, disabled=True),
        "deleted": lambda: users.delete(root, on, "mal"),
    }[how]()
    with pytest.raises(Unauthenticated):
        await waiting
    for worthless in (made, of_it):
        with pytest.raises(Unauthenticated):
            await on.authenticate(worthless.key)
    assert (await on.authenticate(own.key)).user == ada.user
    with pytest.raises(NotFound):
        await invitations.show(None, on, secret)
    for ended, action in ((made.id, "keys.end"), (of_it.id, "keys.end"), (link.id, "invitations.end")):
        (row,) = await network.store.audit.find(AuditFilter(object=ended, action=action), limit=9)
        assert (row.who.user_id, row.detail["user"], row.detail["made_by"]) == (root.user.id, "ada", "mal")


async def test_an_agent_that_is_disabled_itself_stays_out_when_its_owner_is_enabled_again() -> None:
    network = Network()
    root, ada = await network.user("root", Role.ADMIN), await network.user()
    agent = await network.agent(ada)
    await network.store.agents.update(agent.id, disabled_at=1.0)
    await users.update(root, network.application, "ada", role=None, disabled=True)
    network.router.told.clear()
    await users.update(root, network.application, "ada", role=None, disabled=False)
    assert network.router.all(Readmit) == []


async def test_a_new_role_counts_from_the_next_request_on() -> None:
    network = Network()
    root, ada = await network.user("root", Role.ADMIN), await network.user()
    issued = await keys.create(ada, network.application)
    await network.application.authenticate(issued.key)
    changed = await users.update(root, network.application, "ada", role=Role.ADMIN, disabled=None)
    assert (changed.role, network.router.told) == (Role.ADMIN, [])
    assert (await network.application.authenticate(issued.key)).user.role is Role.ADMIN


async def test_who_is_removed_is_gone_with_their_keys_unless_they_own_agents() -> None:
    network = Network()
    root, ada = await network.user("root", Role.ADMIN), await network.user()
    issued = await keys.create(ada, network.application)
    agent = await network.agent(ada)
    with pytest.raises(Conflict) as refused:
        await users.delete(root, network.application, "ada")
    assert refused.value.code == "user_has_agents"
    await network.store.agents.delete(agent.id)
    await users.delete(root, network.application, "ada")
    with pytest.raises(Unauthenticated):
        await network.application.authenticate(issued.key)
    with pytest.raises(NotFound):
        await users.delete(root, network.application, "ada")
    with pytest.raises(Conflict):
        await users.delete(root, network.application, "root")


async def test_nobody_shuts_themselves_out() -> None:
    network = Network()
    root = await network.user("root", Role.ADMIN)
    for role, disabled in ((Role.MEMBER, None), (None, True)):
        with pytest.raises(Conflict):
            await users.update(root, network.application, "root", role=role, disabled=disabled)
    assert (await users.update(root, network.application, "root", role=Role.ADMIN, disabled=False)).role is Role.ADMIN
    with pytest.raises(NotFound) as refused:
        await users.update(root, network.application, "n" * 100, role=None, disabled=None)
    assert refused.value.code == "user_not_found"
    with pytest.raises(NotFound, match=r"no user 'rot' \(did you mean root\?\): `atlas users` lists them"):
        await users.update(root, network.application, "rot", role=None, disabled=None)
