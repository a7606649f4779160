"""A login by code gives a key of whoever approved it, as long as they may do that when it is fetched."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from agentic_atlas.backend.domain.people import Entry, Visitor
from agentic_atlas.backend.domain.records import ApiKey
from agentic_atlas.backend.engine.engine import EngineSettings
from agentic_atlas.backend.rights import AgentToken, Principal
from agentic_atlas.backend.usecases import keys, logins
from agentic_atlas.errors import AtlasError, Conflict, Forbidden
from agentic_atlas.protocol.caller.people import LoginCodes
from tests.unit.backend.network import NOW, Network


async def begun(network: Network) -> LoginCodes:
    return await logins.begin(None, network.application, "box", "192.0.2.1")


async def collect(network: Network, codes: LoginCodes) -> str:
    """Return the code that fetching the key is refused with."""
    with pytest.raises(AtlasError) as refused:
        await logins.collect(None, network.application, codes.device_code)
    return refused.value.code


async def test_an_approved_login_is_a_key_of_the_approvers_with_the_scopes_of_theirs_for_a_while() -> None:
    network = Network(EngineSettings(login_lifetime=100.0))
    ada = await network.user()
    issued = await keys.create(ada, network.application, scopes=["*"], name="work")
    who = await network.application.authenticate(issued.key)
    codes = await begun(network)
    assert await collect(network, codes) == "authorization_pending"
    applicant = await logins.show(who, network.application, codes.user_code)
    assert (applicant.host, applicant.address) == ("box", "192.0.2.1")
    await logins.approve(who, network.application, codes.user_code)
    network.clock.now = NOW + 30
    made = await logins.collect(None, network.application, codes.device_code)
    assert (made.user, made.scopes) == ("ada", issued.scopes)
    assert made.name == "atlas login on box"
    let_in = await network.application.authenticate(made.key)
    assert (let_in.user, let_in.expires_at) == (ada.user, NOW + 130)
    network.clock.now = NOW + 60
    assert await collect(network, codes) == "expired_token", "once"


async def test_a_login_that_a_key_approves_ends_with_it_and_so_no_key_prolongs_itself() -> None:
    network = Network()
    ada = await network.user()
    most = network.engine.logins.key_lifetime
    for lifetime, ends in ((20, NOW + 20), (most + 1, NOW + most)):
        issued = await keys.create(ada, network.application, lifetime=lifetime)
        codes = await begun(network)
        who = await network.application.authenticate(issued.key)
        await logins.approve(who, network.application, codes.user_code)
        made = await logins.collect(None, network.application, codes.device_code)
        assert (await network.application.authenticate(made.key)).expires_at == ends


async def test_a_denied_login_is_no_key() -> None:
    network = Network()
    ada = await network.user()
    codes = await begun(network)
    await logins.deny(ada, network.application, codes.user_code)
    assert await collect(network, codes) == "access_denied"
    assert await network.store.users.keys_of(ada.user.id) == [ada.credential]


@pytest.mark.parametrize("lost", ["revoked", "expired", "disabled"])
async def test_who_may_not_act_any_more_when_the_key_is_fetched_gives_none(lost: str) -> None:
    network = Network()
    ada = await network.user()
    issued = await keys.create(ada, network.application, lifetime=20)
    who = await network.application.authenticate(issued.key)
    codes = await begun(network)
    await logins.approve(who, network.application, codes.user_code)
    if lost == "revoked":
        await keys.revoke(ada, network.application, issued.id)
    elif lost == "disabled":
        await network.store.users.update(ada.user.id, NOW, disabled_at=NOW)
    else:
        network.clock.now = NOW + 20
    assert await collect(network, codes) == "access_denied"
    assert len(await network.store.users.keys_of(ada.user.id)) == 2


@pytest.mark.parametrize("ended", [False, True])
async def test_who_is_logged_in_approves_too_unless_their_session_ends_before_the_key_is_fetched(ended: bool) -> None:
    network = Network()
    ada = await network.user()
    logged_in = network.engine.people.logged_in
    entered = await logged_in.begin(ada.user, Visitor(), network.engine.ids, network.engine.entropy)
    codes = await begun(network)
    await logins.approve(await logged_in.recognise(entered.secret), network.application, codes.user_code)
    if ended:
        await network.engine.people.end(user_id=ada.user.id)
        assert await collect(network, codes) == "access_denied"
        return
    made = await logins.collect(None, network.application, codes.device_code)
    assert (made.user, tuple(made.scopes)) == ("ada", ("*",))


@pytest.mark.parametrize("when", ["before", "after"])
async def test_no_key_outlives_the_session_that_ends_while_it_is_made(
    when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = Network()
    ada = await network.user()
    people, users = network.engine.people, network.store.users
    entered = await people.logged_in.begin(ada.user, Visitor(), network.engine.ids, network.engine.entropy)
    codes = await begun(network)
    await logins.approve(await people.logged_in.recognise(entered.secret), network.application, codes.user_code)
    add = users.add_key

    async def ended_meanwhile(key: ApiKey, entry: Entry | None = None) -> bool:
        monkeypatch.undo()
        if when == "before":
            await people.end(user_id=ada.user.id)
        added = await add(key, entry)
        if when == "after":
            await people.end(user_id=ada.user.id)
        return added

    monkeypatch.setattr(users, "add_key", ended_meanwhile)
    assert await collect(network, codes) == "access_denied"
    assert [key.id for key in await users.keys_of(ada.user.id) if key.revoked_at is None] == [ada.credential.id]


async def test_only_a_person_approves_and_that_decides_nothing_otherwise() -> None:
    network = Network()
    ada = await network.user()
    agent = Principal(ada.user, AgentToken("tok_1", "agt_1", "ada/hello"), ("*",))
    codes = await begun(network)
    with pytest.raises(Forbidden):
        await logins.approve(agent, network.application, codes.user_code)
    with pytest.raises(Forbidden):
        await logins.approve(replace(ada, scopes=("tasks:read",)), network.application, codes.user_code)
    with pytest.raises(Conflict):
        await logins.collect(None, network.application, codes.device_code)
