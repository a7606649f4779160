"""A link sets the password of one user, once; who makes it does not learn the password."""

from __future__ import annotations

import asyncio

import pytest
from msgspec.structs import replace

from agentic_atlas.backend.domain.people import Visitor
from agentic_atlas.backend.domain.records import Role
from agentic_atlas.backend.engine.invitations import INVITATION_LIFETIME
from agentic_atlas.backend.rights import Principal
from agentic_atlas.backend.usecases import invitations, keys, sessions, users
from agentic_atlas.errors import Conflict, Forbidden, InvalidInput, NotFound, Unauthenticated
from tests.unit.backend.network import NOW, Network

PASSWORD = "tall trees by the sea"


async def prepared() -> tuple[Network, Principal]:
    network = Network()
    return network, await network.user("root", Role.ADMIN)


async def test_an_invitation_makes_the_user_and_sets_their_password_once() -> None:
    network, root = await prepared()
    made, user, secret = await invitations.create(root, network.application, "ada", Role.VIEWER)
    assert (user.name, user.role, made.made_by) == ("ada", Role.VIEWER, root.user.id)
    assert await invitations.show(None, network.application, secret) == (made, user)
    assert await invitations.find(root, network.application) == [(made, user)]
    assert await invitations.accept(None, network.application, secret, PASSWORD) == user
    for again in (secret, "atlas_invite_none"):
        with pytest.raises(NotFound) as refused:
            await invitations.accept(None, network.application, again, PASSWORD)
        assert refused.value.code == "invitation_not_found"
    login = ("ada", PASSWORD, "")
    assert (await sessions.log_in(None, network.application, *login, Visitor())).user == user


@pytest.mark.parametrize("there", [True, False], ids=["of a user", "of somebody new"])
async def test_of_invitations_made_at_once_one_is_good_and_used_it_is_the_last(there: bool) -> None:
    network, root = await prepared()
    if there:
        await users.create(root, network.application, "ada", Role.MEMBER)
    made = await asyncio.gather(*(invitations.create(root, network.application, "ada", None) for _ in range(4)))
    ((open_one, _),) = await invitations.find(root, network.application)
    for invitation, _, secret in made:
        if invitation != open_one:
            with pytest.raises(NotFound):
                await invitations.accept(None, network.application, secret, PASSWORD)
    (secret,) = [secret for invitation, _, secret in made if invitation == open_one]
    await invitations.accept(None, network.application, secret, PASSWORD)
    assert await invitations.find(root, network.application) == []


async def test_a_link_for_a_member_is_none_for_the_administrator_they_become() -> None:
    network, root = await prepared()
    made, _, secret = await invitations.create(root, network.application, "ada", Role.MEMBER)
    await users.update(root, network.application, "ada", role=Role.ADMIN, disabled=None)
    with pytest.raises(NotFound):
        await invitations.accept(None, network.application, secret, PASSWORD)
    with pytest.raises(NotFound):
        await invitations.revoke(root, network.application, made.id)


async def test_a_key_for_users_alone_invites_nobody_and_makes_nobody_by_trying() -> None:
    network, root = await prepared()
    await users.create(root, network.application, "ada", Role.MEMBER)
    helper = replace(root, scopes=("users:admin",))
    for name in ("ada", "eve"):
        with pytest.raises(Forbidden) as refused:
            await invitations.create(helper, network.application, name, None)
        assert refused.value.code == "insufficient_scope"
    assert await invitations.find(root, network.application) == []
    assert await network.store.users.by_name("eve") is None


async def test_nobody_invites_themselves_and_is_told_how_they_change_their_password() -> None:
    network, root = await prepared()
    with pytest.raises(Conflict, match="`atlas users password`") as refused:
        await invitations.create(root, network.application, "root", None)
    assert refused.value.code == "own_account"
    assert await invitations.find(root, network.application) == []


async def test_a_link_is_good_for_no_longer_than_the_key_that_made_it() -> None:
    network, root = await prepared()
    short = await keys.create(root, network.application, lifetime=30.0)
    who = await network.application.authenticate(short.key)
    made, _, secret = await invitations.create(who, network.application, "ada", None)
    assert made.expires_at == NOW + 30.0
    network.clock.now = NOW + 30.0
    with pytest.raises(NotFound):
        await invitations.accept(None, network.application, secret, PASSWORD)
    longer = await keys.create(root, network.application, lifetime=2 * INVITATION_LIFETIME)
    who = await network.application.authenticate(longer.key)
    made, _, _ = await invitations.create(who, network.application, "ada", None)
    assert made.expires_at == NOW + 30.0 + INVITATION_LIFETIME


async def test_a_link_is_good_for_as_long_as_is_said_and_for_seven_days_at_the_most() -> None:
    network, root = await prepared()
    made, _, secret = await invitations.create(root, network.application, "ada", None, lifetime=60.0)
    assert made.expires_at == NOW + 60.0
    with pytest.raises(InvalidInput, match="7 days at the most"):
        await invitations.create(root, network.application, "eve", None, lifetime=INVITATION_LIFETIME + 1.0)
    assert await network.store.users.by_name("eve") is None
    short = await network.application.authenticate((await keys.create(root, network.application, lifetime=30.0)).key)
    with pytest.raises(Forbidden, match="makes none that is good for longer"):
        await invitations.create(short, network.application, "ada", None, lifetime=60.0)
    network.clock.now = NOW + 60.0
    with pytest.raises(NotFound):
        await invitations.accept(None, network.application, secret, PASSWORD)


async def test_another_role_than_somebody_has_is_refused_with_how_to_give_it() -> None:
    network, root = await prepared()
    made, user, secret = await invitations.create(root, network.application, "ada", None)
    assert user.role is Role.MEMBER
    with pytest.raises(Conflict, match="`atlas users role ada admin`") as refused:
        await invitations.create(root, network.application, "ada", Role.ADMIN)
    assert refused.value.code == "other_role"
    assert await invitations.show(None, network.application, secret) == (made, user)
    for same in (None, Role.MEMBER):
        assert (await invitations.create(root, network.application, "ada", same))[1] == user


async def test_of_two_who_invite_somebody_new_in_other_roles_at_once_one_is_told_which_role_they_have() -> None:
    network, root = await prepared()
    roles = (Role.MEMBER, Role.VIEWER)
    calls = (invitations.create(root, network.application, "ada", role) for role in roles)
    made = await asyncio.gather(*calls, return_exceptions=True)
    (refused,) = [one for one in made if isinstance(one, BaseException)]
    assert isinstance(refused, Conflict)
    assert refused.code == "other_role"
    ((_, user),) = await invitations.find(root, network.application)
    assert user.role is roles[[isinstance(one, tuple) for one in made].index(True)]


async def test_a_password_that_is_not_taken_leaves_the_invitation_as_it_was() -> None:
    network, root = await prepared()
    _, _, secret = await invitations.create(root, network.application, "ada", Role.MEMBER)
    for weak in ("short", "password1234", "a" * 20, "ada-ada-ada-ada"):
        with pytest.raises(InvalidInput) as refused:
            await invitations.accept(None, network.application, secret, weak)
        assert refused.value.code == "weak_password"
    await invitations.accept(None, network.application, secret, PASSWORD)


async def test_an_invitation_for_who_is_there_sets_another_password_and_ends_their_sessions() -> None:
    network, root = await prepared()
    first = await invitations.create(root, network.application, "ada", Role.MEMBER)
    await invitations.accept(None, network.application, first[2], PASSWORD)
    login = ("ada", PASSWORD, "")
    entered = await sessions.log_in(None, network.application, *login, Visitor())
    _, user, secret = await invitations.create(root, network.application, "ada", None)
    assert user.role is Role.MEMBER
    await invitations.accept(None, network.application, secret, "another one of them")
    for ask in (
        lambda: network.application.recognise(entered.secret),
        lambda: sessions.log_in(None, network.application, *login, Visitor()),
    ):
        with pytest.raises(Unauthenticated):
            await ask()


async def test_an_invitation_is_worthless_once_revoked_over_or_its_user_disabled() -> None:
    network, root = await prepared()
    made, _, secret = await invitations.create(root, network.application, "ada", Role.MEMBER)
    assert (await invitations.revoke(root, network.application, made.id)).user == "ada"
    (row,) = [row for row in await network.store.audit.after(0, limit=99) if row.action == "invitations.revoke"]
    assert (row.object.id, row.detail) == (made.id, {"user": "ada"})
    with pytest.raises(NotFound):
        await invitations.revoke(root, network.application, made.id)
    late = await invitations.create(root, network.application, "eve", Role.MEMBER)
    disabled = await invitations.create(root, network.application, "bob", Role.MEMBER)
    await users.update(root, network.application, "bob", role=None, disabled=True)
    with pytest.raises(Conflict) as refused:
        await invitations.create(root, network.application, "bob", Role.MEMBER)
    assert refused.value.code == "user_disabled"
    for worthless in (secret, disabled[2]):
        with pytest.raises(NotFound):
            await invitations.accept(None, network.application, worthless, PASSWORD)
    network.clock.now = late[0].expires_at
    with pytest.raises(NotFound):
        await invitations.show(None, network.application, late[2])
