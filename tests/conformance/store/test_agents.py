"""Promises of `Agents`."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from agentic_atlas.backend.domain.records import AccessLevel, AgentRecord, ConnectedProcess, Token
from agentic_atlas.backend.ports import Store
from agentic_atlas.backend.rights import Visible
from agentic_atlas.errors import Conflict, NotFound
from tests.conformance.store.conftest import Open
from tests.conformance.store.samples import (
    ADA,
    BOB,
    LIBRARY,
    NOW,
    TOKEN,
    instance,
    populate,
    skill,
    submitted,
)


def agent(name: str, owner: str = "ada") -> AgentRecord:
    owner_id = {"ada": ADA, "bob": BOB}[owner].id
    return msgspec.structs.replace(LIBRARY, id=f"agent_{owner}_{name}", name=name, owner=owner, owner_id=owner_id)


async def seen(store: Store, agent_id: str = LIBRARY.id) -> float | None:
    found = await store.agents.get(agent_id)
    assert found is not None
    return found.last_seen_at


async def test_an_agent_is_found_by_id_and_by_name(opened: Open) -> None:
    async with opened() as store:
        await populate(store)
        full = msgspec.structs.replace(agent("full", "bob"), disabled_at=NOW + 1, last_seen_at=NOW + 2)
        await store.agents.add(full)
        assert await store.agents.get(full.id) == full
        assert await store.agents.by_name("bob", "full") == full
        assert await store.agents.get(LIBRARY.id) == LIBRARY
        assert await store.agents.by_name("ada", "full") is None
        assert await store.agents.get("agent_none") is None


async def test_an_owner_has_one_agent_of_a_name(opened: Open) -> None:
    async with opened() as store:
        await populate(store)
        await store.agents.add(agent("library", "bob"))
        with pytest.raises(Conflict) as refused:
            await store.agents.add(agent("library"))
        assert refused.value.code == "agent_exists"
        assert await store.agents.get("agent_ada_library") is None


async def test_an_agent_needs_an_owner(opened: Open) -> None:
    async with opened() as store:
        with pytest.raises(NotFound):
            await store.agents.add(LIBRARY)


async def test_agents_are_listed_by_full_name_in_parts(opened: Open) -> None:
    async with opened() as store:
        await populate(store)
        for name, owner in (("zoo", "ada"), ("alpha", "bob"), ("map", "ada"), ("beta", "bob")):
            await store.agents.add(agent(name, owner))
        names = ["ada/library", "ada/map", "ada/zoo", "bob/alpha", "bob/beta"]
        assert [a.full_name for a in await store.agents.find(Visible(None), limit=10)] == names
        assert [a.full_name for a in await store.agents.find(Visible(None), limit=2, after="ada/map")] == names[2:4]
        assert [a.full_name for a in await store.agents.find(Visible(BOB.id), limit=10)] == names[3:]
        assert [a.full_name for a in await store.agents.find(Visible(ADA.id), limit=9, after="ada/zoo")] == []
        for part, found in (("a/z", names[2:3]), ("a", names[:2]), ("%", []), ("_", [])):
            assert [a.full_name for a in await store.agents.find(Visible(None), limit=2, part=part)] == found, part


async def test_an_update_changes_what_is_given(opened: Open) -> None:
    async with opened() as store:
        await populate(store)
        assert await store.agents.update(LIBRARY.id) == LIBRARY
        described = msgspec.structs.replace(LIBRARY, description="New")
        assert await store.agents.update(LIBRARY.id, description="New") == described
        disabled = msgspec.structs.replace(described, disabled_at=NOW + 9)
        assert await store.agents.update(LIBRARY.id, disabled_at=NOW + 9) == disabled
        assert await store.agents.get(LIBRARY.id) == disabled
        assert await store.agents.update(LIBRARY.id, disabled_at=0) == described
        assert await store.agents.update("agent_none", description="New") is None


async def test_a_deleted_agent_takes_what_is_its_own_and_leaves_its_tasks(opened: Open) -> None:
    async with opened() as store:
        await populate(store)
        await store.agents.register(instance(), "", [skill()])
        added = (await store.tasks.add(submitted(1))).task
        assert await store.agents.delete(LIBRARY.id) is True
        assert await store.agents.get(LIBRARY.id) is None
        assert await store.agents.skills(LIBRARY.id) == []
        assert await store.agents.instances(LIBRARY.id) == []
        assert await store.tokens.get(TOKEN.id) is None
        assert await store.tasks.get(added.id) == added
        assert await store.agents.delete(LIBRARY.id) is False


async def test_an_instance_that_connects_says_what_its_agent_is(opened: Open) -> None:
    async with opened() as store:
        await populate(store)
        registered = await store.agents.register(instance(), "Finds all", [skill("b"), skill("a")])
        assert registered == instance(generation=1)
        assert await store.agents.instances(LIBRARY.id) == [registered]
        there = ConnectedProcess(registered.id, LIBRARY.id, LIBRARY.full_name, registered.host, registered.pid)
        for visible in (Visible(None), Visible(LIBRARY.owner_id), Visible("usr_x", subjects=("user:usr_x",))):
            seen = visible.may(LIBRARY, AccessLevel.MANAGE)
            assert list(await store.resources.connected(visible)) == [there] * seen
        assert await store.agents.skills(LIBRARY.id) == [skill("a"), skill("b")]
        described = msgspec.structs.replace(LIBRARY, description="Finds all", last_seen_at=NOW + 1)
        assert await store.agents.get(LIBRARY.id) == described
        used = await store.tokens.get(TOKEN.id)
        assert used is not None
        assert used.last_used_at == NOW + 1


async def test_skills_are_those_that_were_declared_last(opened: Open) -> None:
    async with opened() as store:
        await populate(store)
        await store.agents.register(instance(1), "", [skill("a"), skill("b")])
        newer = [skill("b", description="Better", streams=False), skill("c")]
        await store.agents.register(instance(2), "", newer)
        assert await store.agents.skills(LIBRARY.id) == newer
        assert await store.agents.skill_counts([LIBRARY.id, "agent_gone"]) == {LIBRARY.id: 2}
        await store.agents.register(instance(2), "", [])
        assert await store.agents.skills(LIBRARY.id) == []
        assert await store.agents.skill_counts([LIBRARY.id]) == {}


async def test_each_connection_of_an_instance_has_a_higher_generation_than_any_that_was_given_before(
    opened: Open,
) -> None:
    async with opened() as store:
        await populate(store)
        first = await store.agents.register(instance(), "", [])
        await store.agents.depart(first.id, first.generation, NOW + 5)
        second = await store.agents.register(instance(connected_at=NOW + 6, host="other"), "", [])
        assert (first.generation, second.generation) == (1, 3), "2 may have been given, and not been stored"
        assert await store.agents.instances(LIBRARY.id) == [second]
        assert second.disconnected_at is None
        third = await store.agents.register(instance(generation=8), "", [])
        assert third.generation == 9, "what is known of it may be ahead of what is stored"


async def test_an_instance_that_comes_back_as_it_was_changes_nothing_but_its_connection(opened: Open) -> None:
    async with opened() as store:
        await populate(store)
        first = await store.agents.register(instance(), "Finds all", [skill("a")])
        await store.agents.depart(first.id, first.generation, NOW + 5)
        back = instance(generation=2, connected_at=NOW + 6)
        await store.agents.come_back(back)
        assert await store.agents.instances(LIBRARY.id) == [back]
        described = msgspec.structs.replace(LIBRARY, description="Finds all", last_seen_at=NOW + 6)
        assert await store.agents.get(LIBRARY.id) == described
        assert await store.agents.skills(LIBRARY.id) == [skill("a")]
        used = await store.tokens.get(TOKEN.id)
        assert used is not None
        assert used.last_used_at == NOW + 6
        assert (await store.agents.register(instance(), "", [])).generation == 4


async def test_an_instance_that_comes_back_is_the_only_one_of_its_token_that_is_connected(opened: Open) -> None:
    async with opened() as store:
        await populate(store)
        await store.agents.register(instance(1), "", [])
        await store.agents.register(instance(2), "", [])
        await store.agents.come_back(instance(1, generation=2, connected_at=NOW + 6))
        left = {i.id: i.disconnected_at for i in await store.agents.instances(LIBRARY.id)}
        assert left == {"inst_1": None, "inst_2": NOW + 6}


@pytest.mark.parametrize(
    "other",
    [{"generation": 1}, {"generation": 3}, {"token_id": "tok_second"}, {"agent_id": "agent_other"}, {"id": "inst_9"}],
)
async def test_what_comes_back_and_is_not_what_was_known_of_it_is_not_stored(
    opened: Open, other: dict[str, Any]
) -> None:
    async with opened() as store:
        await populate(store)
        await store.agents.add(msgspec.structs.replace(LIBRARY, id="agent_other", name="other"))
        await store.tokens.add(Token("tok_second", LIBRARY.id, "", NOW, NOW + 1))
        first = await store.agents.register(instance(), "", [])
        with pytest.raises(Conflict) as refused:
            await store.agents.come_back(msgspec.structs.replace(instance(generation=2, connected_at=NOW + 6), **other))
        assert refused.value.code == "instance_changed"
        assert await store.agents.instances(LIBRARY.id) == [first]
        assert await seen(store) == NOW + 1


async def test_connections_at_the_same_time_never_share_a_generation(opened: Open) -> None:
    async with opened() as store:
        await populate(store)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(store.agents.register(instance(), "", [])) for _ in range(10)]
        assert len({task.result().generation for task in tasks}) == 10


async def test_the_end_of_an_older_connection_does_not_touch_a_newer_one(opened: Open) -> None:
    async with opened() as store:
        await populate(store)
        await store.agents.register(instance(), "", [])
        newer = await store.agents.register(instance(), "", [])
        await store.agents.depart(newer.id, 1, NOW + 50)
        assert await store.agents.instances(LIBRARY.id) == [newer]
        assert await seen(store) == NOW + 1
        await store.agents.depart(newer.id, newer.generation, NOW + 60)
        (departed,) = await store.agents.instances(LIBRARY.id)
        assert departed.disconnected_at == NOW + 60
        assert await seen(store) == NOW + 60
        await store.agents.depart(newer.id, newer.generation, NOW + 70)
        assert await seen(store) == NOW + 60


async def test_an_instance_id_belongs_to_the_agent_that_used_it_first(opened: Open) -> None:
    async with opened() as store:
        await populate(store)
        other = agent("other", "bob")
        await store.agents.add(other)
        await store.tokens.add(Token("tok_other", other.id, "", NOW, NOW + 1))
        await store.agents.register(instance(), "", [skill()])
        with pytest.raises(Conflict):
            await store.agents.register(instance(agent_id=other.id, token_id="tok_other"), "Mine", [])
        assert [i.agent_id for i in await store.agents.instances(LIBRARY.id)] == [LIBRARY.id]
        assert await store.agents.get(other.id) == other


async def test_an_instance_id_belongs_to_the_token_that_used_it_first(opened: Open) -> None:
    async with opened() as store:
        await populate(store)
        await store.tokens.add(Token("tok_second", LIBRARY.id, "", NOW, NOW + 1))
        await store.agents.register(instance(), "", [skill()])
        with pytest.raises(Conflict):
            await store.agents.register(instance(token_id="tok_second"), "Mine", [])
        assert [one.token_id for one in await store.agents.instances(LIBRARY.id)] == [instance().token_id]


@pytest.mark.parametrize("ended", ["revoked", "expired"])
async def test_a_process_whose_token_is_over_goes_on_with_another_one_of_its_agent(opened: Open, ended: str) -> None:
    async with opened() as store:
        await populate(store)
        await store.tokens.add(Token("tok_second", LIBRARY.id, "", NOW, NOW + 1))
        before = await store.agents.register(instance(), "", [skill()])
        at = TOKEN.expires_at if ended == "expired" else NOW + 5
        if ended == "revoked":
            await store.tokens.revoke(TOKEN.id, NOW + 5)
        after = await store.agents.register(instance(token_id="tok_second", connected_at=at), "Mine", [])
        assert after.generation > before.generation
        assert [one.token_id for one in await store.agents.instances(LIBRARY.id)] == ["tok_second"]


async def test_a_process_whose_seat_another_has_goes_on_with_another_token_and_who_may_come_back_keeps_its_place(
    opened: Open,
) -> None:
    async with opened() as store:
        await populate(store)
        await store.tokens.add(Token("tok_second", LIBRARY.id, "", NOW, NOW + 100))
        cut_off = await store.agents.register(instance(1), "", [])
        await store.agents.depart(cut_off.id, cut_off.generation, NOW)
        with pytest.raises(Conflict):
            await store.agents.register(instance(1, token_id="tok_second"), "", [])
        in_its_seat = await store.agents.register(instance(2), "", [])
        on_another = await store.agents.register(instance(1, token_id="tok_second"), "", [])
        assert on_another.generation > cut_off.generation
        connected = {
            one.id: one.token_id for one in await store.agents.instances(LIBRARY.id) if not one.disconnected_at
        }
        assert connected == {"inst_1": "tok_second", "inst_2": TOKEN.id}
        await store.agents.depart(in_its_seat.id, in_its_seat.generation, NOW)
        with pytest.raises(Conflict):
            await store.agents.register(instance(1), "", [])


@pytest.mark.parametrize("missing", [{"agent_id": "agent_none"}, {"token_id": "tok_none"}])
async def test_an_instance_needs_its_agent_and_its_token(opened: Open, missing: dict[str, Any]) -> None:
    async with opened() as store:
        await populate(store)
        with pytest.raises(NotFound):
            await store.agents.register(instance(1, **missing), "Changed", [skill()])
        assert await store.agents.get(LIBRARY.id) == LIBRARY
        assert await store.agents.skills(LIBRARY.id) == []


async def connect(store: Store, number: int) -> None:
    """Connect an instance with a token of its own."""
    await store.tokens.add(Token(f"tok_{number + 1}", LIBRARY.id, "", NOW, NOW + 100))
    await store.agents.register(instance(number, token_id=f"tok_{number + 1}"), "", [])


async def test_whoever_holds_a_token_is_the_only_one_of_its_instances_that_is_connected(opened: Open) -> None:
    async with opened() as store:
        await populate(store)
        await store.agents.register(instance(1), "", [])
        await connect(store, 2)
        await store.agents.register(instance(3), "", [])
        left = {i.id: i.disconnected_at for i in await store.agents.instances(LIBRARY.id)}
        assert left == {"inst_1": instance(3).connected_at, "inst_2": None, "inst_3": None}
        await store.agents.depart("inst_1", 1, NOW + 60)
        left = {i.id: i.disconnected_at for i in await store.agents.instances(LIBRARY.id)}
        assert left["inst_1"] == instance(3).connected_at, "its end came too late to count"


async def test_connected_instances_come_first_then_the_last_to_leave(opened: Open) -> None:
    async with opened() as store:
        await populate(store)
        for number in range(1, 6):
            await connect(store, number)
        for number, at in ((2, 30), (4, 50), (5, 40)):
            await store.agents.depart(f"inst_{number}", 1, NOW + at)
        found = await store.agents.instances(LIBRARY.id)
        assert [i.id for i in found] == ["inst_3", "inst_1", "inst_4", "inst_5", "inst_2"]


async def test_no_more_than_a_hundred_instances_are_remembered(opened: Open) -> None:
    async with opened() as store:
        await populate(store)
        for number in range(1, 121):
            await connect(store, number)
            if number > 5:
                await store.agents.depart(f"inst_{number}", 1, NOW + number)
        found = [i.id for i in await store.agents.instances(LIBRARY.id)]
        assert len(found) == 100
        assert set(found[:5]) == {f"inst_{n}" for n in range(1, 6)}
        assert found[5:] == [f"inst_{n}" for n in range(120, 25, -1)]


async def test_nobody_is_connected_after_everybody_departed(opened: Open) -> None:
    async with opened() as store:
        await populate(store)
        await store.agents.add(agent("idle"))
        for number in (1, 2):
            await connect(store, number)
        await store.agents.depart("inst_1", 1, NOW + 10, NOW + 7)
        assert await store.agents.depart_all(NOW + 20) == [LIBRARY.id]
        assert await store.agents.depart_all(NOW + 30) == []
        left = {i.id: i.disconnected_at for i in await store.agents.instances(LIBRARY.id)}
        assert left == {"inst_1": NOW + 10, "inst_2": NOW + 20}
        assert await seen(store) == NOW + 7, "nobody was heard since"
        assert await seen(store, "agent_ada_idle") is None


async def test_an_agent_was_seen_when_it_was_heard_last(opened: Open) -> None:
    async with opened() as store:
        await populate(store)
        await store.agents.add(agent("idle"))
        await connect(store, 1)
        await store.agents.seen({LIBRARY.id: NOW + 60, "agent_ada_idle": NOW + 61, "agent_gone": NOW + 62})
        assert (await seen(store), await seen(store, "agent_ada_idle")) == (NOW + 60, NOW + 61)


async def test_ended_instances_are_known_by_agent_and_token_together(opened: Open) -> None:
    async with opened() as store:
        await populate(store)
        await store.tokens.add(Token("tok_2", LIBRARY.id, "", NOW, NOW + 100))
        for number, token_id in ((1, TOKEN.id), (2, TOKEN.id), (3, "tok_2"), (4, TOKEN.id)):
            await store.agents.register(instance(number, token_id=token_id), "", [])
        await store.agents.depart("inst_1", 1, NOW + 10)
        await store.agents.depart("inst_3", 1, NOW + 10)
        named = ["inst_1", "inst_2", "inst_3", "inst_4", "inst_none"]
        assert sorted(await store.agents.departed(LIBRARY.id, TOKEN.id, named)) == ["inst_1", "inst_2"]
        assert await store.agents.departed(LIBRARY.id, "tok_2", named) == ["inst_3"]
        assert await store.agents.departed("agent_other", TOKEN.id, named) == []
        assert await store.agents.departed(LIBRARY.id, TOKEN.id, []) == []


async def test_what_an_agent_offers_is_what_was_declared_last(opened: Open) -> None:
    async with opened() as store:
        await populate(store)
        await connect(store, 1)
        await store.agents.declare(LIBRARY.id, [skill("find"), skill("sort")])
        assert [one.name for one in await store.agents.skills(LIBRARY.id)] == ["find", "sort"]
        await store.agents.declare("agent_gone", [skill("find")])
        assert await store.agents.skills("agent_gone") == []
