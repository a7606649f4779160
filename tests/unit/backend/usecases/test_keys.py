"""API keys are made for less than one's own is good for, listed by their owner, and worthless once revoked."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest
from msgspec.structs import replace

from agentic_atlas.auth import Scope
from agentic_atlas.backend.domain.people import BrowserSession
from agentic_atlas.backend.domain.records import ApiKey, Role
from agentic_atlas.backend.usecases import keys, tokens, users
from agentic_atlas.errors import AtlasError, Forbidden, NotFound, Unauthenticated
from tests.unit.backend.network import NOW, Network, settle


async def test_a_key_is_good_for_what_is_asked_for_or_for_all_that_its_makers_is() -> None:
    network = Network()
    ada = await network.user()
    same = await keys.create(ada, network.application, name="same")
    narrow = await keys.create(ada, network.application, scopes=["tasks:read"], lifetime=60)
    assert (same.scopes, narrow.scopes, same.expires_at) == (ada.scopes, (Scope.TASKS_READ,), None)
    who = await network.application.authenticate(narrow.key)
    assert (who.user, who.scopes, who.expires_at) == (ada.user, (Scope.TASKS_READ,), NOW + 60)


async def test_nobody_makes_a_key_that_is_good_for_more_than_theirs() -> None:
    network = Network()
    root = await network.user("root", Role.ADMIN)
    await network.user()
    narrow = replace(root, scopes=(Scope.USERS_ADMIN, Scope.TASKS_READ))
    made = await keys.create_for(narrow, network.application, "ada", scopes=["tasks:read"])
    assert made.scopes == (Scope.TASKS_READ,)
    for asked in (["tasks:write"], ["*"]):
        with pytest.raises(Forbidden) as refused:
            await keys.create_for(narrow, network.application, "ada", scopes=asked)
        assert refused.value.code == "insufficient_scope"
    with pytest.raises(AtlasError):
        await keys.create(root, network.application, scopes=["tasks:fly"])


async def test_no_key_makes_one_that_is_good_for_longer_than_itself_and_a_session_makes_any() -> None:
    network = Network()
    root = await network.user("root", Role.ADMIN)
    await network.user()
    short = await keys.create(root, network.application, lifetime=100)
    who = await network.application.authenticate(short.key)
    network.clock.now = NOW + 40
    for ask in (keys.create, partial(keys.create_for, user="ada")):
        made = [await ask(who, network.application, lifetime=seconds) for seconds in (None, 60, 10)]
        assert [one.expires_at.timestamp() for one in made if one.expires_at] == [NOW + 100, NOW + 100, NOW + 50]
        with pytest.raises(Forbidden, match="ends in 1 minute,"):
            await ask(who, network.application, lifetime=61)
    session = replace(who, credential=BrowserSession("ses_1", root.user.id, b"", b"", NOW, NOW, NOW + 50))
    assert (await keys.create(session, network.application)).expires_at is None


async def test_a_token_that_a_key_makes_is_the_agents_and_may_be_good_for_longer() -> None:
    network = Network()
    ada = await network.user()
    await network.agent(ada)
    short = await keys.create(ada, network.application, lifetime=100)
    who = await network.application.authenticate(short.key)
    token = await tokens.issue(who, network.application, "hello")
    assert (token.made_by, token.expires_at.timestamp()) == ("ada", NOW + tokens.DEFAULT_LIFETIME)


async def test_an_administrator_makes_keys_for_those_there_are() -> None:
    network = Network()
    root, ada = await network.user("root", Role.ADMIN), await network.user()
    issued = await keys.create_for(root, network.application, "ada", name="new")
    assert (await network.application.authenticate(issued.key)).user == ada.user
    with pytest.raises(NotFound) as refused:
        await keys.create_for(root, network.application, "n" * 100)
    assert refused.value.code == "user_not_found"
    with pytest.raises(Forbidden):
        await keys.create_for(ada, network.application, "root")


async def test_everybody_finds_their_own_keys_newest_first() -> None:
    network = Network()
    root, ada = await network.user("root", Role.ADMIN), await network.user()
    network.clock.now = NOW + 1
    made = await keys.create(ada, network.application)
    newer = (await network.application.authenticate(made.key)).credential
    assert isinstance(newer, ApiKey)
    used = replace(newer, last_used_at=NOW + 1)
    assert await keys.find(ada, network.application) == [used, ada.credential]
    assert await users.whoami(replace(ada, credential=newer), network.application) == ("net_1", used)
    assert (used.prefix, made.prefix) == (made.key[:12], made.key[:12])
    assert await keys.find(root, network.application) == [root.credential]


async def test_a_revoked_key_lets_nobody_in_and_who_waits_with_it_is_told_at_once() -> None:
    network = Network()
    ada = await network.user()
    await network.agent(ada)
    issued = await keys.create(ada, network.application)
    who = await network.application.authenticate(issued.key)
    task = (await network.submit(ada)).task
    waiting = asyncio.create_task(network.engine.feed.until_ended(task.id, 60.0, who))
    await settle()
    revoked = await keys.revoke(ada, network.application, issued.id)
    assert revoked.revoked_at == NOW
    with pytest.raises(Unauthenticated):
        await network.application.authenticate(issued.key)
    with pytest.raises(Unauthenticated):
        await waiting
    network.clock.now = NOW + 9
    again = await keys.revoke(ada, network.application, issued.id)
    assert again.revoked_at == NOW, "the first time stays"


async def test_every_key_may_revoke_itself_and_only_a_whole_one_another() -> None:
    network = Network()
    ada = await network.user()
    issued = await keys.create(ada, network.application, scopes=["tasks:read"])
    narrow = await network.application.authenticate(issued.key)
    with pytest.raises(Forbidden):
        await keys.revoke(narrow, network.application, ada.credential.id)
    assert (await keys.revoke(narrow, network.application, issued.id)).id == issued.id


async def test_anothers_key_does_not_exist_but_for_an_administrator() -> None:
    network = Network()
    root, ada, eve = await network.user("root", Role.ADMIN), await network.user(), await network.user("eve")
    for key_id in (ada.credential.id, "key_none"):
        with pytest.raises(NotFound) as refused:
            await keys.revoke(eve, network.application, key_id)
        assert refused.value.code == "api_key_not_found"
    assert (await keys.revoke(root, network.application, ada.credential.id)).user_id == ada.user.id


async def test_an_administrator_finds_everybodys_keys_and_nobody_else_does() -> None:
    network = Network()
    root, ada = await network.user("root", Role.ADMIN), await network.user()
    made = await keys.create(ada, network.application, name="ci")
    found = await keys.find_all(root, network.application, limit=9)
    assert {key.user for key in found} == {"root", "ada"}
    theirs = await keys.find_all(root, network.application, limit=1, user="ada")
    assert [(key.id, key.user, key.name) for key in theirs] == [(made.id, "ada", "ci")]
    older = await keys.find_all(root, network.application, limit=9, user="ada", after=made.id)
    assert made.id not in [key.id for key in older]
    with pytest.raises(NotFound, match="nobody"):
        await keys.find_all(root, network.application, limit=9, user="nobody")
    with pytest.raises(Forbidden):
        await keys.find_all(ada, network.application, limit=9)
