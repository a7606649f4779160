"""What somebody is known by at a provider is removed by them or an administrator, with sessions that may be of it."""

from __future__ import annotations

import pytest

from agentic_atlas.backend.domain.people import LinkedIdentity, Visitor, set_password
from agentic_atlas.backend.domain.records import Role
from agentic_atlas.backend.rights import Principal
from agentic_atlas.backend.usecases import identities, sessions
from agentic_atlas.errors import AtlasError, Conflict, Forbidden, NotFound
from tests.unit.backend.network import NOW, Network

ISSUER, PASSWORD = "https://id.example.org", "tall trees by the sea"
HERE = Visitor("10.0.0.1")


async def linked(network: Network, who: Principal, subject: str = "1") -> LinkedIdentity:
    identity = LinkedIdentity(ISSUER, subject, who.user.id, network.clock())
    assert await network.store.accounts.link(identity)
    return identity


async def with_password(network: Network, name: str = "ada") -> Principal:
    who = await network.user(name)
    await network.store.accounts.change(who.user.id, set_password(await network.passwords.hash(PASSWORD), NOW))
    return who


async def in_session(network: Network, who: Principal) -> Principal:
    begun = await network.engine.people.logged_in.begin(who.user, HERE, network.engine.ids, network.engine.entropy)
    return await network.application.recognise(begun.secret)


async def refused(network: Network, who: Principal, identity: LinkedIdentity, password: str = PASSWORD) -> str:
    """Try to remove one's own; return the code of the refusal, after which it is still there."""
    with pytest.raises(AtlasError) as refusal:
        await identities.remove(who, network.application, identity.id, password, HERE)
    assert await network.store.accounts.identified(identity.issuer, identity.subject) is not None
    return refusal.value.code


async def test_one_s_own_are_listed_and_removed_with_what_else_log_ins_let_in() -> None:
    network = Network()
    ada = await with_password(network)
    here, _ = await in_session(network, ada), await in_session(network, ada)
    said = {"name": "ada", "password": PASSWORD, "code": ""}
    await sessions.make_key(None, network.application, "laptop", **said, visitor=HERE)
    first, second = await linked(network, ada), await linked(network, ada, "2")
    assert await identities.find(here, network.application) == [first, second]
    assert await identities.remove(here, network.application, first.id, PASSWORD, HERE) == (1, 1)
    assert [one.id for one in await sessions.find(here, network.application)] == [here.credential.id]
    assert await identities.remove(here, network.application, second.id, PASSWORD, HERE) == (0, 0)
    assert await identities.find(here, network.application) == []
    with pytest.raises(NotFound):
        await identities.remove(here, network.application, second.id, PASSWORD, HERE)


async def test_it_is_removed_by_who_says_their_password_and_by_nobody_else() -> None:
    network = Network()
    ada, eve = await with_password(network), await with_password(network, "eve")
    identity = await linked(network, ada)
    assert await refused(network, ada, identity, "wrong") == "login_failed"
    assert await refused(network, eve, identity) == "identity_not_found"


async def test_who_has_no_password_keeps_one_and_removes_another_soon_after_a_log_in() -> None:
    network = Network()
    ada = await network.user()
    session = await in_session(network, ada)
    first, second = await linked(network, ada), await linked(network, ada, "2")
    assert await refused(network, ada, first, "") == "log_in_again"
    await identities.remove(session, network.application, first.id, "", HERE)
    assert await refused(network, session, second, "") == "last_way_in"


async def test_an_administrator_removes_somebody_elses_and_leaves_nobody_without_a_way_in() -> None:
    network = Network()
    root = await network.user("root", Role.ADMIN)
    ada = await network.user()
    await in_session(network, ada)
    first, second = await linked(network, ada), await linked(network, ada, "2")
    assert await identities.find_of(root, network.application, "ada") == [first, second]
    assert await identities.remove_of(root, network.application, "ada", first.id) == (1, 0)
    with pytest.raises(Conflict) as refusal:
        await identities.remove_of(root, network.application, "ada", second.id)
    assert refusal.value.code == "last_way_in"
    await network.user("eve")
    for name in ("eve", "nobody"):
        with pytest.raises(NotFound):
            await identities.remove_of(root, network.application, name, second.id)


async def test_an_administrator_removes_one_of_their_own_with_their_password_and_in_no_other_way() -> None:
    network = Network()
    root = await network.user("root", Role.ADMIN)
    await network.store.accounts.change(root.user.id, set_password(await network.passwords.hash(PASSWORD), NOW))
    identity = await linked(network, root)
    with pytest.raises(Conflict, match="`atlas users identities --remove ID`") as refusal:
        await identities.remove_of(root, network.application, "root", identity.id)
    assert refusal.value.code == "own_account"
    assert await identities.find(root, network.application) == [identity]
    await identities.remove(root, network.application, identity.id, PASSWORD, HERE)


async def test_a_key_for_users_alone_neither_sees_nor_removes_those_of_an_administrator() -> None:
    network = Network()
    root = await network.user("root", Role.ADMIN)
    identity = await linked(network, root)
    narrow = Principal(root.user, root.credential, ("users:admin",))
    ada = await linked(network, await network.user(), "2")
    assert await identities.find_of(narrow, network.application, "ada") == [ada]
    with pytest.raises(Forbidden):
        await identities.remove_of(narrow, network.application, "ada", ada.id)
    with pytest.raises(Forbidden):
        await identities.find_of(narrow, network.application, "root")
    with pytest.raises(Forbidden):
        await identities.remove_of(narrow, network.application, "root", identity.id)
