"""Who asks, looked up; and what those who ask find."""

import pytest
from msgspec.structs import replace

from agentic_atlas.auth import digest
from agentic_atlas.backend.domain.records import AgentRecord, ApiKey, Instance, Role, SkillRecord, Token, User
from agentic_atlas.backend.engine.access import Access, NotAdmitted, Registry, declaration
from agentic_atlas.backend.engine.key_uses import KeyUses
from agentic_atlas.backend.engine.logged_in import LoggedIn, SessionTimes
from agentic_atlas.backend.rights import AgentToken, Principal
from agentic_atlas.backend.store.memory import MemoryStore
from agentic_atlas.errors import NotFound, Unauthenticated
from agentic_atlas.protocol.messages import Policy

ADA = User("usr_ada", "ada", Role.MEMBER, 0.0)
BOB = User("usr_bob", "bob", Role.MEMBER, 0.0)
KEY = ApiKey("key_1", ADA.id, "laptop", digest("atlas_secret"), 0.0, scopes=("tasks:read",))
AGENT = AgentRecord("agt_1", ADA.id, "ada", "hello", 0.0)
TOKEN = Principal(ADA, AgentToken("tok_1", AGENT.id, AGENT.full_name, expires_at=200.0), ("agent:connect",))


async def furnished() -> tuple[MemoryStore, Access]:
    store = MemoryStore(lambda prefix: f"{prefix}_1")
    for user in (ADA, BOB):
        await store.users.add(user)
    await store.users.add_key(KEY)
    await store.agents.add(AGENT)
    logged_in = LoggedIn(store.sessions, lambda: 100.0, SessionTimes())
    uses = KeyUses(store.users, lambda: 100.0)
    return store, Access(store, Registry(store.agents), lambda: 100.0, logged_in, uses)


@pytest.mark.anyio
async def test_a_key_brings_its_user_and_its_scopes() -> None:
    _, access = await furnished()
    who = await access.authenticate("atlas_secret")
    assert (who.user, who.credential, who.scopes) == (ADA, KEY, ("tasks:read",))
    for secret in (None, "", "atlas_other"):
        with pytest.raises(Unauthenticated):
            await access.authenticate(secret)


@pytest.mark.anyio
async def test_a_key_that_was_revoked_is_known_no_more_once_it_is_forgotten() -> None:
    store, access = await furnished()
    await access.authenticate("atlas_secret")
    await store.users.revoke_key(KEY.id, None, 50.0)
    access.forget()
    with pytest.raises(Unauthenticated):
        await access.authenticate("atlas_secret")


@pytest.mark.anyio
async def test_an_agent_is_found_by_its_owner_and_by_nobody_else() -> None:
    _, access = await furnished()
    assert await access.agent(ADA, "hello") == await access.agent(ADA, "ada/hello") == AGENT
    for name in ("hello", "ada/hello", "ada/none"):
        with pytest.raises(NotFound) as refused:
            await access.agent(BOB, name)
        assert refused.value.code == "agent_not_found"


@pytest.mark.anyio
async def test_an_instance_asks_as_whom_its_newest_connection_was_let_in() -> None:
    _, access = await furnished()
    first = Instance("ins_1", AGENT.id, "tok_1", 1, 0.0)
    access.came(first, TOKEN)
    access.came(replace(first, generation=2), replace(TOKEN, scopes=("agent:connect", "agent:call")))
    access.left("ins_1", 1)
    assert (await access.connected("ins_1")).scopes == ("agent:connect", "agent:call")
    access.left("ins_1", 2)
    with pytest.raises(NotFound):
        await access.connected("ins_1")


@pytest.mark.anyio
async def test_an_instance_asks_in_the_name_of_its_owner_as_they_are_now() -> None:
    store, access = await furnished()
    access.came(Instance("ins_1", AGENT.id, "tok_1", 1, 0.0), TOKEN)
    await store.users.update(ADA.id, 0.0, role=Role.ADMIN)
    assert (await access.connected("ins_1")).user.role is Role.ADMIN
    await store.agents.delete(AGENT.id)
    with pytest.raises(NotFound):
        await access.connected("ins_1")


def test_what_is_stored_of_an_agent_is_known_when_no_change_of_it_is_on_its_way() -> None:
    registry = Registry(MemoryStore(lambda prefix: prefix).agents)
    assert not registry.unchanged("agt", b"a")
    first = registry.declares("agt")
    assert not registry.unchanged("agt", b"a")
    second = registry.declares("agt")
    registry.declared("agt", first, b"a")
    assert not registry.unchanged("agt", b"a"), "another change was begun after it"
    registry.declared("agt", second, b"b")
    assert [registry.unchanged("agt", b"a"), registry.unchanged("agt", b"b")] == [False, True]
    third = registry.declares("agt")
    registry.forget("agt")
    registry.declared("agt", third, b"c")
    assert not registry.unchanged("agt", b"c"), "somebody else has changed it meanwhile"


def test_a_declaration_is_the_same_whenever_it_was_made() -> None:
    skill = SkillRecord("agt", "say", "Says it.", b"{}", b"{}", Policy(), streams=False, updated_at=1.0)
    assert declaration("d", [skill]) == declaration("d", [replace(skill, updated_at=2.0)])
    assert declaration("d", [skill]) != declaration("e", [skill])
    assert declaration("d", [skill]) != declaration("d", [replace(skill, input_schema=b"true")])


@pytest.mark.anyio
async def test_a_token_lets_in_until_somebody_says_that_something_changed() -> None:
    store, access = await furnished()
    await store.tokens.add(Token("tok_1", AGENT.id, "", 0.0, 200.0, scopes=("agent:connect",)))
    assert await access.bearer("tok_1", AGENT.id) == TOKEN
    with pytest.raises(NotAdmitted) as refused:
        await access.bearer("tok_1", "agt_2")
    assert refused.value.code == "token_unknown"
    await store.tokens.revoke("tok_1", 100.0)
    access.forget()
    with pytest.raises(NotAdmitted) as refused:
        await access.bearer("tok_1", AGENT.id)
    assert refused.value.code == "token_revoked"
