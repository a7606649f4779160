"""With whom agents are shared, who is in which group, and what somebody sees of it: the same in every store."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from agentic_atlas.backend import ports
from agentic_atlas.backend.domain.records import EVERYONE, AccessLevel, AgentRecord, Group, Role, Share, User
from agentic_atlas.backend.ports import Store, TaskFilter
from agentic_atlas.backend.rights import Visible, seen_by
from agentic_atlas.errors import AtlasError, Conflict, NotFound
from tests.conformance.store.conftest import Open
from tests.conformance.store.samples import ADA, BOB, LIBRARY, NOW, TOKEN, populate, submitted

CALL, MANAGE = AccessLevel.CALL, AccessLevel.MANAGE
EVE = User("user_eve", "eve", Role.MEMBER, NOW)
READERS = Group("grp_1", "readers", NOW)
WITH_BOB, WITH_READERS = f"user:{BOB.id}", f"group:{READERS.id}"


async def furnish(store: Store, *agents: str) -> None:
    await populate(store)
    await store.users.add(EVE)
    await store.groups.add(READERS)
    for name in agents:
        await store.agents.add(AgentRecord(f"agent_{name}", ADA.id, ADA.name, name, NOW))


async def now(store: Store, user: User) -> User:
    found = await store.users.get(user.id)
    assert found is not None
    return found


async def test_an_agent_comes_with_its_shares_wherever_it_comes_from(opened: Open) -> None:
    async with opened() as store:
        await furnish(store)
        for share in (
            Share(WITH_READERS, MANAGE),
            Share(EVERYONE, CALL),
            Share(WITH_BOB, MANAGE),
            Share(WITH_BOB, CALL),
        ):
            await store.shares.put(LIBRARY.id, [share], NOW)
        shares = (Share(EVERYONE, CALL), Share(WITH_READERS, MANAGE), Share(WITH_BOB, CALL))
        bearer = await store.tokens.bearer(TOKEN.id)
        assert bearer is not None
        for agent in (
            await store.agents.get(LIBRARY.id),
            await store.agents.by_name("ada", "library"),
            (await store.agents.find(Visible(ADA.id), limit=1))[0],
            bearer[1],
        ):
            assert agent == replace(LIBRARY, shares=shares)
        named = await store.shares.named(LIBRARY.id)
        assert named == [(shares[2], "bob"), (shares[0], "everyone"), (shares[1], "readers")]


async def test_a_share_that_is_dropped_is_gone_and_those_of_a_deleted_group_with_it(opened: Open) -> None:
    async with opened() as store:
        await furnish(store)
        for subject in (WITH_BOB, WITH_READERS, "user:nobody"):
            await store.shares.put(LIBRARY.id, [Share(subject, CALL)], NOW)
        assert [name for _, name in await store.shares.named(LIBRARY.id)] == ["bob", "readers"], "one of them is gone"
        await store.shares.drop(LIBRARY.id, [WITH_BOB], NOW)
        await store.shares.drop(LIBRARY.id, ["user:never"], NOW)
        await store.groups.delete(READERS.id, NOW)
        agent = await store.agents.get(LIBRARY.id)
        assert agent is not None
        assert agent.shares == (Share("user:nobody", CALL),)
        assert await store.agents.delete(LIBRARY.id)
        assert await store.shares.named(LIBRARY.id) == []
        with pytest.raises(NotFound):
            await store.shares.put(LIBRARY.id, [Share(WITH_BOB, CALL)], NOW)


async def test_a_group_tells_what_agents_are_shared_with_it_for(opened: Open) -> None:
    async with opened() as store:
        await furnish(store)
        assert await store.groups.levels(READERS.id) == set()
        await store.shares.put(LIBRARY.id, [Share(WITH_BOB, AccessLevel.MANAGE), Share(WITH_READERS, CALL)], NOW)
        assert await store.groups.levels(READERS.id) == {CALL}
        await store.shares.put(LIBRARY.id, [Share(WITH_READERS, AccessLevel.MANAGE)], NOW)
        assert await store.groups.levels(READERS.id) == {AccessLevel.MANAGE}
        await store.agents.delete(LIBRARY.id)
        assert await store.groups.levels(READERS.id) == set()


async def test_a_user_comes_with_their_groups(opened: Open) -> None:
    async with opened() as store:
        await furnish(store)
        await store.groups.add(Group("grp_0", "writers", NOW))
        for group, user in (("grp_1", BOB), ("grp_0", BOB), ("grp_1", BOB), ("grp_1", EVE)):
            await store.groups.put_member(group, user.id)
        assert (await now(store, BOB)).groups == ("grp_0", "grp_1")
        assert [user.name for user in await store.groups.members("grp_1")] == ["bob", "eve"]
        assert [one.name for one in await store.groups.find(user_id=EVE.id, limit=9)] == ["readers"]
        assert [one.name for one in await store.groups.find(user_id=None, limit=9)] == ["readers", "writers"]
        assert [one.name for one in await store.groups.find(user_id=None, limit=1, after="readers")] == ["writers"]
        await store.groups.drop_member("grp_1", BOB.id, NOW)
        assert (await now(store, BOB)).groups == ("grp_0",)
        await store.groups.delete("grp_0", NOW)
        assert (await now(store, BOB)).groups == ()
        assert await store.groups.by_name("writers") is None
        with pytest.raises(Conflict):
            await store.groups.add(Group("grp_9", "readers", NOW))
        for group, user_id in (("grp_0", BOB.id), ("grp_1", "user_none")):
            with pytest.raises(NotFound):
                await store.groups.put_member(group, user_id)


async def test_there_is_an_end_to_shares_and_memberships(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened() as store:
        await furnish(store)
        for number in range(ports.MOST_SHARES):
            await store.shares.put(LIBRARY.id, [Share(f"user:{number}", CALL)], NOW)
        await store.shares.put(LIBRARY.id, [Share("user:0", MANAGE)], NOW)
        with pytest.raises(Conflict) as full:
            await store.shares.put(LIBRARY.id, [Share(WITH_BOB, CALL)], NOW)
        assert full.value.code == "too_many_shares"
        for number in range(ports.MOST_MEMBERSHIPS):
            await store.groups.add(Group(f"grp_x{number}", f"x{number}", NOW))
            await store.groups.put_member(f"grp_x{number}", BOB.id)
        await store.groups.put_member("grp_x0", BOB.id)
        with pytest.raises(Conflict) as full:
            await store.groups.put_member(READERS.id, BOB.id)
        assert full.value.code == "too_many_memberships"


async def test_what_is_listed_of_agents_and_tasks_is_what_the_predicate_shows(opened: Open) -> None:
    async with opened() as store:
        await furnish(store, "all", "bobs", "managed", "readers", "readers2", "private")
        await store.groups.put_member(READERS.id, EVE.id)
        for name, share in (
            ("all", Share(EVERYONE, CALL)),
            ("bobs", Share(WITH_BOB, CALL)),
            ("managed", Share(WITH_BOB, MANAGE)),
            ("readers", Share(WITH_READERS, MANAGE)),
            ("readers2", Share(WITH_READERS, CALL)),
            ("readers2", Share(EVERYONE, CALL)),
        ):
            await store.shares.put(f"agent_{name}", [share], NOW)
        agents = await store.agents.find(Visible(None), limit=99)
        for number, agent in enumerate(agents):
            for owner in (BOB, EVE):
                await store.tasks.add(submitted(10 * number + (owner is BOB), owner_id=owner.id, agent_id=agent.id))
        everything = [one.task for one in (await store.tasks.find(TaskFilter(), limit=99))[0]]
        by_id = {agent.id: agent for agent in agents}
        for user in (await now(store, BOB), await now(store, EVE), replace(ADA, role=Role.MEMBER)):
            visible = seen_by(user)
            names = [one.name for one in await store.agents.find(visible, limit=99)]
            assert names == [one.name for one in agents if visible.level(one) is not None]
            assert await store.shares.counted(visible) == ({ADA.name: len(names)} if names else {})
            asked = [*(one.id for one in agents), "agent_none"]
            assert await store.shares.seen(visible, asked) == {f"agent_{name}": f"ada/{name}" for name in names}
            assert await store.shares.seen(visible, []) == {}
            some = [one.full_name for one in agents[::2]]
            named = await store.agents.find(visible, limit=99, names=[*some, "ada/none"])
            assert [one.name for one in named] == [name for name in names if f"ada/{name}" in some]
            assert [one.name for one in await store.agents.find(visible, limit=2, after=f"ada/{names[0]}")] == names[
                1:3
            ]
            for agent in (None, *agents):
                which = TaskFilter(visible, agent.id if agent else None)
                listed = [one.task.id for one in (await store.tasks.find(which, limit=99))[0]]
                seen = [one for one in everything if visible.task(one.caller.id, one.owner_id, by_id[one.agent_id])]
                assert listed == [one.id for one in seen if agent is None or one.agent_id == agent.id]
        bobs = [one.name for one in await store.agents.find(seen_by(await now(store, BOB)), limit=99)]
        assert bobs == ["all", "bobs", "managed", "readers2"]


async def test_a_renamed_agent_is_found_by_its_new_name_and_its_tokens_know_the_old_ones(opened: Open) -> None:
    async with opened() as store:
        await furnish(store, "map")
        with pytest.raises(Conflict) as taken:
            await store.agents.update(LIBRARY.id, name="map")
        assert taken.value.code == "agent_exists"
        for name in ("books", "books", "shelf", "library", "stacks"):
            renamed = await store.agents.update(LIBRARY.id, name=name, description=name)
            assert renamed == replace(LIBRARY, name=name, description=name)
        assert await store.agents.by_name("ada", "library") is None
        assert await store.agents.by_name("ada", "stacks") == renamed
        names = [one.name for one in await store.agents.find(Visible(ADA.id), limit=9)]
        assert names == ["map", "stacks"]
        token = await store.tokens.get(TOKEN.id)
        assert token is not None
        assert token.former_names == ("books", "shelf", "library")
        for number in range(20):
            await store.agents.update(LIBRARY.id, name=f"n{number}")
        token = await store.tokens.get(TOKEN.id)
        assert token is not None
        assert token.former_names == tuple(f"n{number}" for number in range(9, 19))
        assert await store.agents.update("agent_none", name="ghost") is None


async def test_nothing_of_a_rename_is_left_when_it_is_refused(opened: Open) -> None:
    async with opened() as store:
        await furnish(store, "map")
        with pytest.raises(AtlasError):
            await store.agents.update(LIBRARY.id, name="map", description="New")
        assert await store.agents.get(LIBRARY.id) == LIBRARY
        token = await store.tokens.get(TOKEN.id)
        assert token is not None
        assert token.former_names == ()
