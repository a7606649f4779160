"""Promises of `Tokens`, `Users` and the store itself."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import msgspec
import pytest

from agentic_atlas.backend.domain.audit import AuditEvent
from agentic_atlas.backend.domain.records import Role, Token, User
from agentic_atlas.backend.ports import Ended, Users
from agentic_atlas.errors import Conflict, NotFound
from agentic_atlas.protocol.caller.audit import AuditActor, AuditObject
from tests.conformance.store.conftest import Open
from tests.conformance.store.samples import ADA, BOB, LIBRARY, NOW, TOKEN, api_key, populate, submitted

NOTHING: Ended = ([], [], [])


async def test_a_token_comes_back_as_it_was(opened: Open) -> None:
    async with opened() as store:
        await populate(store)
        full = Token("tok_full", LIBRARY.id, "laptop", NOW, NOW + 1, NOW + 2, NOW + 3)
        await store.tokens.add(full)
        assert await store.tokens.get("tok_full") == full
        assert await store.tokens.get(TOKEN.id) == TOKEN
        assert await store.tokens.get("tok_none") is None


async def test_a_token_comes_with_its_agent_and_the_agents_owner_in_one_look(opened: Open) -> None:
    async with opened() as store:
        await populate(store)
        bearer = await store.tokens.bearer(TOKEN.id)
        assert bearer is not None
        _, agent, owner = bearer
        assert bearer == (TOKEN, await store.agents.get(TOKEN.agent_id), await store.users.get(agent.owner_id))
        assert owner.id == agent.owner_id
        assert await store.tokens.bearer("tok_none") is None
        await store.agents.delete(TOKEN.agent_id)
        assert await store.tokens.bearer(TOKEN.id) is None


async def test_tokens_of_an_agent_are_listed_newest_first(opened: Open) -> None:
    async with opened() as store:
        await populate(store)
        for n in (2, 4, 3):
            await store.tokens.add(msgspec.structs.replace(TOKEN, id=f"tok_{n}", issued_at=NOW + n))
        assert [token.id for token in await store.tokens.of_agent(LIBRARY.id)] == ["tok_4", "tok_3", "tok_2", "tok_1"]
        assert await store.tokens.of_agent("agent_none") == []


async def test_a_list_of_tokens_or_keys_has_a_bound_and_leaves_out_revoked_ones_first(
    opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("tokens", "users", "memory"):
        monkeypatch.setattr(f"agentic_atlas.backend.store.{module}.MOST_SECRETS", 2)

    async with opened() as store:
        await populate(store)
        for n in (2, 3):
            await store.tokens.add(msgspec.structs.replace(TOKEN, id=f"tok_{n}", issued_at=NOW + n))
        await store.tokens.revoke("tok_2", NOW + 5)
        assert [token.id for token in await store.tokens.of_agent(LIBRARY.id)] == ["tok_3", "tok_1"]
        for number in (1, 2, 3):
            await store.users.add_key(api_key(number))
        await store.users.revoke_key(api_key(3).id, None, NOW + 5)
        assert await store.users.keys_of(BOB.id) == [api_key(2), api_key(1)]


async def test_a_token_is_revoked_once(opened: Open) -> None:
    async with opened() as store:
        await populate(store)
        revoked = msgspec.structs.replace(TOKEN, revoked_at=NOW + 5)
        assert await store.tokens.revoke(TOKEN.id, NOW + 5) == revoked
        assert await store.tokens.revoke(TOKEN.id, NOW + 9) == revoked
        assert await store.tokens.get(TOKEN.id) == revoked
        assert await store.tokens.revoke("tok_none", NOW) is None


async def test_a_token_needs_its_agent_and_an_id_of_its_own(opened: Open) -> None:
    async with opened() as store:
        await populate(store)
        with pytest.raises(NotFound):
            await store.tokens.add(msgspec.structs.replace(TOKEN, id="tok_2", agent_id="agent_none"))
        with pytest.raises(Conflict):
            await store.tokens.add(TOKEN)


async def test_a_user_is_found_by_id_and_by_name(opened: Open) -> None:
    async with opened() as store:
        await populate(store)
        full = User("user_eve", "eve", Role.MEMBER, NOW, NOW + 1)
        await store.users.add(full)
        assert await store.users.get("user_eve") == full
        assert await store.users.by_name("eve") == full
        found = await store.users.get(ADA.id)
        assert found == ADA
        assert found is not None
        assert found.role is Role.ADMIN
        assert await store.users.get("user_none") is None
        assert await store.users.by_name("none") is None


async def test_a_users_name_is_taken_once(opened: Open) -> None:
    async with opened() as store:
        await populate(store)
        with pytest.raises(Conflict) as refused:
            await store.users.add(msgspec.structs.replace(ADA, id="user_2"))
        assert refused.value.code == "user_exists"
        assert await store.users.get("user_2") is None


async def test_users_are_listed_by_name_in_parts(opened: Open) -> None:
    async with opened() as store:
        for name in ("cy", "ada", "eve", "bob"):
            await store.users.add(User(f"user_{name}", name, Role.MEMBER, NOW))
        assert [user.name for user in await store.users.find(limit=10)] == ["ada", "bob", "cy", "eve"]
        assert [user.name for user in await store.users.find(limit=2, after="ada")] == ["bob", "cy"]
        assert await store.users.find(limit=2, after="eve") == []
        assert [user.name for user in await store.users.find(limit=9, part="e")] == ["eve"]
        assert await store.users.find(limit=9, after="eve", part="e") == []
        assert await store.users.find(limit=9, part="%") == []


async def test_a_users_update_changes_what_is_given(opened: Open) -> None:
    async with opened() as store:
        await populate(store)
        promoted = msgspec.structs.replace(BOB, role=Role.ADMIN)
        disabled = msgspec.structs.replace(promoted, disabled_at=NOW + 3)
        assert await store.users.update(BOB.id, NOW) == (BOB, NOTHING)
        assert await store.users.update(BOB.id, NOW, role=Role.ADMIN) == (promoted, NOTHING)
        assert await store.users.update(BOB.id, NOW, disabled_at=NOW + 3) == (disabled, NOTHING)
        assert await store.users.get(BOB.id) == disabled
        assert await store.users.update(BOB.id, NOW, disabled_at=0) == (promoted, NOTHING)
        assert await store.users.update("user_none", NOW, role=Role.ADMIN) == (None, NOTHING)


@pytest.mark.parametrize(
    "end",
    [
        lambda users, user_id: users.update(user_id, NOW, role=Role.MEMBER),
        lambda users, user_id: users.update(user_id, NOW, disabled_at=NOW),
        lambda users, user_id: users.delete(user_id, NOW),
    ],
    ids=["demoted", "disabled", "deleted"],
)
async def test_of_administrators_who_end_each_other_at_once_one_remains(
    end: Callable[[Users, str], Awaitable[object]], opened: Open
) -> None:
    async with opened() as store:
        names = ("ada", "eve", "kim")
        for name in names:
            await store.users.add(User(name, name, Role.ADMIN, NOW, NOW if name == "kim" else None))
        await store.users.add(User("mem", "mem", Role.MEMBER, NOW))
        ended = await asyncio.gather(*(end(store.users, name) for name in ("ada", "eve")), return_exceptions=True)
        (refused,) = [one for one in ended if isinstance(one, BaseException)]
        assert isinstance(refused, Conflict)
        assert refused.code == "last_administrator"
        left = [user for user in await store.users.find(limit=9) if user.administers]
        assert left == [User(left[0].id, left[0].name, Role.ADMIN, NOW)]
        for name in ("kim", "mem"):
            await end(store.users, name)


async def test_the_last_administrator_is_changed_as_long_as_they_stay_one(opened: Open) -> None:
    async with opened() as store:
        await populate(store)
        assert await store.users.update(ADA.id, NOW, role=Role.ADMIN, disabled_at=0) == (ADA, NOTHING)
        for role, disabled_at in ((Role.VIEWER, None), (None, NOW), (Role.ADMIN, NOW), (Role.MEMBER, 0)):
            with pytest.raises(Conflict):
                await store.users.update(ADA.id, NOW, role=role, disabled_at=disabled_at)
        assert await store.users.get(ADA.id) == ADA


async def test_a_key_is_found_by_its_digest_with_its_user_whatever_their_state(opened: Open) -> None:
    async with opened() as store:
        await populate(store)
        key = api_key(1, expires_at=NOW - 5, revoked_at=NOW - 6, scopes=("tasks:read", "users:admin"))
        await store.users.add_key(key)
        disabled, _ = await store.users.update(BOB.id, NOW, disabled_at=NOW)
        assert await store.users.key_by_digest(key.digest) == (key, disabled)
        assert await store.users.key_by_digest(bytes(32)) is None


async def test_keys_of_a_user_are_listed_newest_first(opened: Open) -> None:
    async with opened() as store:
        await populate(store)
        for number in (2, 1, 3):
            await store.users.add_key(api_key(number))
        await store.users.add_key(api_key(4, user_id=ADA.id))
        assert await store.users.keys_of(BOB.id) == [api_key(3), api_key(2), api_key(1)]


async def test_everybodys_keys_are_listed_newest_first_page_by_page(opened: Open) -> None:
    async with opened() as store:
        await populate(store)
        for number in (2, 1, 3):
            await store.users.add_key(api_key(number))
        await store.users.add_key(api_key(4, user_id=ADA.id))
        found = await store.users.find_keys(limit=3)
        assert [(key, user.id) for key, user in found] == [
            (api_key(4, user_id=ADA.id), ADA.id), (api_key(3), BOB.id), (api_key(2), BOB.id),
        ]  # fmt: skip
        following = await store.users.find_keys(limit=3, after="key_2")
        assert following == [(api_key(1), BOB)]
        theirs = await store.users.find_keys(limit=9, user_id=BOB.id, after="key_3")
        assert [key for key, _ in theirs] == [api_key(2), api_key(1)]


async def test_what_is_kept_is_counted(opened: Open) -> None:
    async with opened() as store:
        assert await store.counts() == dict.fromkeys(("tasks", "agents", "tokens", "audit", "users", "api_keys"), 0)
        await populate(store)
        await store.users.add_key(api_key(1))
        counted = await store.counts()
        assert (counted["users"], counted["api_keys"], counted["tasks"]) == (2, 1, 0)
        assert counted["agents"] > 0


async def test_tasks_and_rows_of_the_audit_log_are_counted_whatever_was_refused_or_removed(opened: Open) -> None:
    who, what = AuditActor(kind="user", id=ADA.id, user_id=ADA.id, name="ada"), AuditObject(kind="user", id=BOB.id)
    event = AuditEvent(at=NOW, who=who, action="users.create", object=what, address="", detail={})
    async with opened() as store:
        await populate(store)
        again = [store.tasks.add(submitted(number, idempotency_key=f"k{number % 3}")) for number in range(9)]
        again += [store.tasks.add(submitted(1))]
        for write in again:
            with suppress(Conflict):
                await write
        for _ in range(4):
            await store.audit.append([event])
        await store.audit.drop(3)
        await store.tasks.add(submitted(20))
        counted = await store.counts()
        assert (counted["tasks"], counted["audit"]) == (4, 1)


async def test_a_key_keeps_its_first_characters_and_its_last_use(opened: Open) -> None:
    async with opened() as store:
        await populate(store)
        for number in (1, 2):
            await store.users.add_key(api_key(number, prefix=f"atlas_{number}"))
        await store.users.keys_used({"key_1": (NOW + 7, "192.0.2.1"), "key_none": (NOW, "")})
        used = api_key(1, prefix="atlas_1", last_used_at=NOW + 7, last_address="192.0.2.1")
        assert await store.users.keys_of(BOB.id) == [api_key(2, prefix="atlas_2"), used]
        await store.users.keys_used({"key_1": (NOW + 8, "::1"), "key_2": (NOW + 9, "")})
        found = [(key.last_used_at, key.last_address) for key in await store.users.keys_of(BOB.id)]
        assert found == [(NOW + 9, ""), (NOW + 8, "::1")]
        await store.users.keys_used({})
        assert [one.id for one in await store.users.keys_of(BOB.id)] == ["key_2", "key_1"]


async def test_a_key_needs_its_user(opened: Open) -> None:
    async with opened() as store:
        with pytest.raises(NotFound):
            await store.users.add_key(api_key())


async def test_a_key_is_revoked_once_and_by_its_user_alone(opened: Open) -> None:
    async with opened() as store:
        await populate(store)
        await store.users.add_key(api_key(1))
        assert await store.users.revoke_key("key_1", ADA.id, NOW + 1) is None
        assert await store.users.keys_of(BOB.id) == [api_key(1)]
        revoked = api_key(1, revoked_at=NOW + 2)
        assert await store.users.revoke_key("key_1", BOB.id, NOW + 2) == revoked
        assert await store.users.revoke_key("key_1", None, NOW + 3) == revoked
        assert await store.users.revoke_key("key_none", None, NOW) is None


async def test_the_network_has_an_id_from_the_source_of_ids(opened: Open) -> None:
    async with opened() as store:
        assert await store.network_id() == "net_00000001"


async def test_an_open_store_is_ready(opened: Open) -> None:
    async with opened() as store:
        await store.ready()
