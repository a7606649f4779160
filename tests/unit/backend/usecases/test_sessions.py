"""People log in and out; sessions are listed and ended, one's own by oneself, all by administrators."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from msgspec.structs import replace

from agentic_atlas.backend.domain.people import Entered, Visitor, set_password
from agentic_atlas.backend.domain.records import Role
from agentic_atlas.backend.rights import RECENT_LOGIN, Principal
from agentic_atlas.backend.usecases import invitations, keys, logins, sessions, users
from agentic_atlas.backend.usecases.application import Application
from agentic_atlas.errors import Forbidden, NotFound, Unauthenticated
from tests.unit.backend.network import NOW, Network, settle

RIGHT = ("ada", "right", "")


async def prepared() -> tuple[Network, Principal]:
    network = Network()
    ada = await network.user()
    await network.store.accounts.change(ada.user.id, set_password(await network.passwords.hash("right"), NOW))
    return network, ada


async def log_in(network: Network, visitor: Visitor | None = None) -> tuple[Entered, Principal]:
    entered = await sessions.log_in(None, network.application, *RIGHT, visitor or Visitor())
    return entered, await network.application.recognise(entered.secret)


async def approved(on: Application, who: Principal) -> None:
    codes = await logins.begin(None, on, "box", "192.0.2.1")
    await logins.approve(who, on, codes.user_code)


async def test_who_logs_in_is_known_by_a_session_until_they_log_out() -> None:
    network, ada = await prepared()
    entered, who = await log_in(network)
    assert (who.user, entered.user) == (ada.user, ada.user)
    assert await sessions.current(who, network.application) == entered.session
    await sessions.log_out(who, network.application)
    with pytest.raises(Unauthenticated):
        await network.application.recognise(entered.secret)
    with pytest.raises(Unauthenticated) as refused:
        await sessions.log_in(None, network.application, "ada", "wrong", "", Visitor())
    assert refused.value.code == "login_failed"


async def test_an_api_key_is_no_session_and_does_not_log_out() -> None:
    network, ada = await prepared()
    with pytest.raises(NotFound):
        await sessions.current(ada, network.application)
    await sessions.log_out(ada, network.application)
    assert ada.credential.id in [key.id for key in await network.store.users.keys_of(ada.user.id)]


GIVES: dict[str, Callable[[Application, Principal], Awaitable[object]]] = {
    "a link": lambda on, who: invitations.create(who, on, "eve", None),
    "an administrator": lambda on, who: users.create(who, on, "mal", Role.ADMIN),
    "the role": lambda on, who: users.update(who, on, "eve", role=Role.ADMIN, disabled=None),
    "the role back": lambda on, who: users.update(who, on, "old", role=None, disabled=False),
    "another's key": lambda on, who: keys.create_for(who, on, "eve"),
    "a key for all": lambda on, who: keys.create(who, on),
    "a key for users": lambda on, who: keys.create(who, on, scopes=["users:admin"]),
    "a login": approved,
}
"""What goes on when the session is over that it was done in, by whoever found the browser."""


@pytest.mark.parametrize("what", GIVES)
async def test_rights_that_outlast_a_session_are_given_soon_after_a_log_in_or_with_a_key(what: str) -> None:
    network, ada = await prepared()
    root, on = await network.user("root", Role.ADMIN), network.application
    for name, role in (("eve", Role.MEMBER), ("old", Role.ADMIN)):
        await users.create(root, on, name, role)
    await users.update(root, on, "old", role=None, disabled=True)
    await users.update(root, on, "ada", role=Role.ADMIN, disabled=None)
    _, who = await log_in(network)
    before = await network.store.users.find(limit=9)
    network.clock.now += RECENT_LOGIN + 1
    with pytest.raises(
        Forbidden, match="log out and in again with your browser, and do this there within 10 minutes"
    ) as found:
        await GIVES[what](on, who)
    assert (found.value.code, await network.store.users.find(limit=9)) == ("log_in_again", before)
    assert await on.authenticate((await keys.create(ada, on)).key), "a program is not asked"
    _, again = await log_in(network)
    await GIVES[what](on, again)


async def test_what_gives_nobody_an_administrator_s_rights_is_done_in_any_session() -> None:
    network, _ = await prepared()
    root, on = await network.user("root", Role.ADMIN), network.application
    _, member = await log_in(network)
    network.clock.now += RECENT_LOGIN + 1
    await keys.create(member, on)
    await approved(on, member)
    await users.update(root, on, "ada", role=Role.ADMIN, disabled=None)
    who = replace(member, user=await network.engine.access.user("ada"))
    await keys.create(who, on, scopes=["tasks:call"])
    await users.create(who, on, "eve", Role.MEMBER)
    await users.update(who, on, "eve", role=Role.VIEWER, disabled=None)
    await users.update(who, on, "root", role=Role.ADMIN, disabled=False)
    await users.update(who, on, "root", role=Role.MEMBER, disabled=None)


async def test_a_machine_gets_a_key_that_ends_after_a_while() -> None:
    network, ada = await prepared()
    made = await sessions.make_key(
        None, network.application, "laptop", name="ada", password="right", code="", visitor=Visitor()
    )
    assert (made.user, made.name) == ("ada", "atlas login on laptop")
    assert made.expires_at is not None
    assert made.expires_at.timestamp() == NOW + network.engine.logins.key_lifetime
    assert (await network.application.authenticate(made.key)).user == ada.user


async def test_sessions_are_listed_and_ended_by_whose_they_are() -> None:
    network, ada = await prepared()
    eve, root = await network.user("eve"), await network.user("root", Role.ADMIN)
    (first, who), (second, _), (third, _) = [await log_in(network) for _ in range(3)]
    ids = {one.session.id for one in (first, second, third)}
    assert {one.id for one in await sessions.find(who, network.application)} == ids
    assert {one.id for one in await sessions.find_of(root, network.application, "ada")} == ids
    with pytest.raises(NotFound) as refused:
        await sessions.end(eve, network.application, second.session.id)
    assert refused.value.code == "session_not_found"
    await sessions.end(who, network.application, second.session.id)
    with pytest.raises(Unauthenticated):
        await network.application.recognise(second.secret)
    assert await sessions.end_others(who, network.application) == 1
    assert await sessions.find(who, network.application) == [first.session]
    await sessions.end(root, network.application, first.session.id)
    await log_in(network)
    assert await sessions.end_of(root, network.application, "ada") == 1
    assert await sessions.find(ada, network.application) == []


async def test_who_watches_in_a_session_hears_of_its_end() -> None:
    network, _ = await prepared()
    _, who = await log_in(network)
    await network.agent(who)
    task = (await network.submit(who)).task
    waiting = asyncio.create_task(network.engine.feed.until_ended(task.id, 60.0, who))
    await settle()
    await sessions.log_out(who, network.application)
    with pytest.raises(Unauthenticated):
        await waiting


async def test_who_is_disabled_is_logged_out_and_has_to_log_in_again_when_enabled() -> None:
    network, _ = await prepared()
    root = await network.user("root", Role.ADMIN)
    entered, _ = await log_in(network)
    for disabled in (True, False):
        await users.update(root, network.application, "ada", role=None, disabled=disabled)
        with pytest.raises(Unauthenticated):
            await network.application.recognise(entered.secret)
    await log_in(network)


async def test_the_audit_log_names_who_came_in_and_as_whom_somebody_tried_to() -> None:
    network, ada = await prepared()
    await log_in(network)
    await sessions.make_key(
        None, network.application, "laptop", name="ada", password="right", code="", visitor=Visitor()
    )
    for name in ("ada", "nobody's"):
        with pytest.raises(Unauthenticated):
            await sessions.log_in(None, network.application, name, "wrong", "", Visitor())
    await network.engine.trail.settle()
    rows = await network.store.audit.after(0, limit=10)
    assert [(row.action, row.who.kind, row.who.name, row.object.name) for row in rows] == [
        ("sessions.log_in", "user", "ada", "ada"),
        ("sessions.make_key", "user", "ada", "atlas login on laptop"),
        ("sessions.log_in", "nobody", "", "ada"),
        ("sessions.log_in", "nobody", "", ""),
    ]
    assert {row.who.user_id for row in rows[:2]} == {ada.user.id}
