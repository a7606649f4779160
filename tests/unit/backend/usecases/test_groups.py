"""Groups: filled by administrators, seen by who is in them, and what is shared with them is their members' at once."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from agentic_atlas.backend.domain.records import AccessLevel, Role
from agentic_atlas.backend.ports import AuditFilter
from agentic_atlas.backend.rights import Principal
from agentic_atlas.backend.usecases import agents, groups, tokens, users
from agentic_atlas.errors import AtlasError, Conflict, Forbidden, InvalidInput, NotFound
from agentic_atlas.protocol.inside.messages import Revoke
from tests.unit.backend.network import Network


async def furnished() -> tuple[Network, Principal, Principal, Principal]:
    network = Network()
    root, ada, eve = await network.user("root", Role.ADMIN), await network.user(), await network.user("eve")
    await network.agent(ada)
    await groups.create(root, network.application, "readers")
    return network, root, ada, eve


async def sees(network: Network, who: Principal) -> list[str]:
    fresh = await network.store.users.get(who.user.id)
    assert fresh is not None
    principal = Principal(fresh, who.credential, who.scopes)
    return [one.full_name for one in await agents.find(principal, network.application, limit=9, after=None)]


async def test_who_is_put_into_a_group_has_what_is_shared_with_it_until_they_are_taken_out() -> None:
    network, root, _, eve = await furnished()
    await agents.share(root, network.application, "ada/hello", ["group:readers"], AccessLevel.CALL)
    assert await sees(network, eve) == []
    _, made = await groups.add(root, network.application, "readers", "eve")
    assert (made.name, made.members) == ("readers", ["eve"])
    assert await sees(network, eve) == ["ada/hello"]
    assert (await groups.remove(root, network.application, "readers", "eve"))[1].members == []
    assert await sees(network, eve) == []


async def test_with_a_group_goes_what_is_shared_with_it() -> None:
    network, root, ada, eve = await furnished()
    for user in ("ada", "eve"):
        await groups.add(root, network.application, "readers", user)
    member = Principal(await network.engine.access.user("ada"), ada.credential, ada.scopes)
    await agents.share(member, network.application, "hello", ["group:readers"], AccessLevel.MANAGE)
    assert await sees(network, eve) == ["ada/hello"]
    group, shares = await groups.show(root, network.application, "readers")
    assert (group.members, shares) == (["ada", "eve"], [("ada/hello", AccessLevel.MANAGE)])
    await groups.delete(root, network.application, "readers")
    assert await sees(network, eve) == []
    assert (await agents.show(ada, network.application, "hello")).shares == ()


@pytest.mark.parametrize("how", ["out of it", "it is gone", "disabled", "a viewer", "deleted"])
async def test_tokens_that_somebody_made_as_a_member_end_as_they_are_none(how: str) -> None:
    network, root, _, eve = await furnished()
    await groups.add(root, network.application, "readers", "eve")
    await agents.share(root, network.application, "ada/hello", ["group:readers"], AccessLevel.MANAGE)
    member = Principal(await network.engine.access.user("eve"), eve.credential, eve.scopes)
    token = await tokens.issue(member, network.application, "ada/hello", name="box")
    on = network.application
    await {
        "out of it": lambda: groups.remove(root, on, "readers", "eve"),
        "it is gone": lambda: groups.delete(root, on, "readers"),
        "disabled": lambda: users.update(root, on, "eve", role=None, disabled=True),
        "a viewer": lambda: users.update(root, on, "eve", role=Role.VIEWER, disabled=None),
        "deleted": lambda: users.delete(root, on, "eve"),
    }[how]()
    assert Revoke((token.id,), "token_revoked") in network.router.told
    (listed,) = await tokens.of_agent(root, on, "ada/hello")
    assert (listed.status, listed.made_by) == ("revoked", eve.user.id if how == "deleted" else "eve")
    (row,) = await network.store.audit.find(AuditFilter(object=token.id, action="tokens.end"), limit=9)
    assert (row.who.user_id, row.detail["made_by"]) == (root.user.id, "eve")


async def test_who_puts_somebody_into_a_group_has_a_key_for_what_its_members_get() -> None:
    network, root, _, _ = await furnished()
    on = network.application
    narrow = replace(root, scopes=("users:admin",))
    await agents.share(root, on, "ada/hello", ["group:readers"], AccessLevel.CALL)
    assert (await groups.add(narrow, on, "readers", "ada"))[1].members == ["ada"]
    await agents.share(root, on, "ada/hello", ["group:readers"], AccessLevel.MANAGE)
    for scopes, lacks in ((narrow.scopes, "tokens:write"), ((*narrow.scopes, "tokens:write"), "tasks:read")):
        with pytest.raises(Forbidden, match=lacks) as refused:
            await groups.add(replace(root, scopes=scopes), on, "readers", "eve")
        assert refused.value.code == "insufficient_scope"
    able = replace(root, scopes=("users:admin", "tokens:write", "tasks:read"))
    assert (await groups.add(able, on, "readers", "eve"))[1].members == ["ada", "eve"]
    # What takes away needs no more than it did.
    assert (await groups.remove(narrow, on, "readers", "eve"))[1].members == ["ada"]


async def test_a_group_is_seen_by_its_members_and_by_administrators() -> None:
    network, root, ada, eve = await furnished()
    await groups.create(root, network.application, "writers")
    await groups.add(root, network.application, "writers", "eve")
    member = Principal(await network.engine.access.user("eve"), eve.credential, eve.scopes)
    found = [await groups.find(who, network.application, limit=9, after=None) for who in (root, ada, member)]
    assert [[one.name for one in some] for some in found] == [["readers", "writers"], [], ["writers"]]
    with pytest.raises(NotFound) as hidden:
        await agents.share(ada, network.application, "hello", ["group:writers"], AccessLevel.CALL)
    assert hidden.value.code == "group_not_found"


async def test_what_is_no_group_or_user_or_is_there_already_is_told() -> None:
    network, root, ada, _ = await furnished()
    on = network.application
    asked = [
        (groups.create(root, on, "readers"), Conflict, "group_exists"),
        (groups.create(root, on, "Readers"), InvalidInput, "invalid_name"),
        (groups.create(root, on, "everyone"), InvalidInput, "invalid_name"),
        (groups.add(root, on, "none", "ada"), NotFound, "group_not_found"),
        (groups.add(root, on, "readers", "nobody"), NotFound, "user_not_found"),
        (groups.remove(root, on, "readers", "nobody"), NotFound, "user_not_found"),
        (groups.delete(root, on, "none"), NotFound, "group_not_found"),
    ]
    for ask, kind, code in asked:
        with pytest.raises(AtlasError) as refused:
            await ask
        assert (type(refused.value), refused.value.code) == (kind, code)
    with pytest.raises(Forbidden):
        await groups.add(ada, on, "readers", "ada")
