"""Sessions are known by their secret, for as long as they are used and no longer than they may last."""

from __future__ import annotations

import pytest

from agentic_atlas.auth import digest
from agentic_atlas.backend.domain.people import BrowserSession, Entered, Visitor
from agentic_atlas.backend.domain.records import Role, User
from agentic_atlas.backend.engine.engine import EngineSettings
from agentic_atlas.backend.engine.logged_in import LONGEST_AGENT, NOTED_EVERY, LoggedIn, SessionTimes
from agentic_atlas.errors import Unauthenticated
from tests.unit.backend.network import NOW, Network

IDLE, LIFETIME = 1_000.0, 5_000.0


async def prepared() -> tuple[Network, LoggedIn, User]:
    network = Network(EngineSettings(sessions=SessionTimes(IDLE, LIFETIME)))
    return network, network.engine.people.logged_in, (await network.user()).user


async def begin(network: Network, user: User, visitor: Visitor | None = None) -> Entered:
    return await network.engine.people.logged_in.begin(
        user, visitor or Visitor(), network.engine.ids, network.engine.entropy
    )


async def test_a_session_is_known_by_its_secret_of_which_only_a_digest_is_kept() -> None:
    network, logged_in, user = await prepared()
    entered = await begin(network, user, Visitor("10.0.0.1", "Fire\nfox" + "x" * 500))
    who = await logged_in.recognise(entered.secret)
    assert (who.user, who.credential, who.scopes) == (user, entered.session, ("*",))
    assert who.expires_at == NOW + LIFETIME
    kept = await network.store.sessions.of_user(user.id)
    assert kept == [entered.session]
    assert kept[0].digest == digest(entered.secret)
    assert kept[0].agent == ("Firefox" + "x" * 500)[:LONGEST_AGENT]
    assert entered.secret.startswith("atlas_session_")
    with pytest.raises(Unauthenticated) as refused:
        await logged_in.recognise("atlas_session_" + "x" * 43)
    assert refused.value.code == "session_invalid"


async def test_a_session_that_is_not_used_ends_and_one_that_is_used_ends_too() -> None:
    network, logged_in, user = await prepared()
    entered = await begin(network, user)
    for _ in range(4):
        network.clock.now += IDLE - 1
        assert (await logged_in.recognise(entered.secret)).user == user
    network.clock.now = NOW + LIFETIME
    with pytest.raises(Unauthenticated):
        await logged_in.recognise(entered.secret)
    again = await begin(network, user)
    network.clock.now += IDLE
    with pytest.raises(Unauthenticated):
        await logged_in.recognise(again.secret)
    assert await logged_in.live(user.id) == []


async def test_when_a_session_was_used_is_noted_once_a_minute() -> None:
    network, logged_in, user = await prepared()
    entered = await begin(network, user)
    for later, noted in (
        (NOTED_EVERY - 1, NOW),
        (NOTED_EVERY, NOW + NOTED_EVERY),
        (NOTED_EVERY + 5, NOW + NOTED_EVERY),
    ):
        network.clock.now = NOW + later
        who = await logged_in.recognise(entered.secret)
        assert isinstance(who.credential, BrowserSession)
        assert who.credential.used_at == noted
        assert (await logged_in.live(user.id))[0].used_at == noted
        logged_in.forget()


async def test_a_session_that_is_only_looked_at_is_not_used_by_that_and_ends_in_time() -> None:
    network, logged_in, user = await prepared()
    entered = await begin(network, user)
    key, idle = digest(entered.secret), logged_in._times.session_idle
    for later in (idle / 3, idle * 2 / 3):
        network.clock.now = NOW + later
        assert (await logged_in.known_by(key, used=False)).credential == entered.session
    network.clock.now = NOW + idle
    with pytest.raises(Unauthenticated):
        await logged_in.known_by(key, used=False)


async def test_a_log_in_ends_the_session_that_the_browser_had_whosever_it_was() -> None:
    network, logged_in, user = await prepared()
    eve = (await network.user("eve")).user
    planted = await begin(network, eve)
    await logged_in.recognise(planted.secret)
    entered = await begin(network, user, Visitor(session=planted.secret, device=planted.device))
    assert entered.secret != planted.secret
    assert entered.device != planted.device, "whoever planted it would be known by it"
    again = await begin(network, user, Visitor(device=entered.device))
    assert again.device == entered.device
    with pytest.raises(Unauthenticated):
        await logged_in.recognise(planted.secret)
    assert (await logged_in.recognise(entered.secret)).user == user
    assert (await begin(network, user, Visitor(session="nonsense"))).device != planted.device


async def test_who_is_disabled_or_changed_is_looked_up_again() -> None:
    network, logged_in, user = await prepared()
    entered = await begin(network, user)
    await logged_in.recognise(entered.secret)
    await network.store.users.update(user.id, NOW, role=Role.VIEWER)
    assert (await logged_in.recognise(entered.secret)).user.role is Role.MEMBER
    network.engine.access.forget()
    assert (await logged_in.recognise(entered.secret)).user.role is Role.VIEWER
    await network.store.users.update(user.id, NOW, disabled_at=NOW)
    network.engine.access.forget()
    with pytest.raises(Unauthenticated):
        await logged_in.recognise(entered.secret)


def test_what_is_known_of_a_visitor_is_not_written_out() -> None:
    assert repr(Visitor("10.0.0.1", "Firefox", "atlas_session_x", "atlas_device_x")) == "Visitor(address='10.0.0.1')"
