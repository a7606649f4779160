"""Administrators let people in, change what they may do, and see them off; what is refused is said at its form."""

from __future__ import annotations

from time import monotonic

import pytest
from msgspec.structs import replace

from agentic_atlas.backend.domain.people import BrowserSession
from agentic_atlas.backend.domain.records import Role
from agentic_atlas.backend.rights import Principal
from agentic_atlas.backend.usecases import agents, invitations, sessions, users
from agentic_atlas.backend.usecases.shown import listed_user
from agentic_atlas.errors import Forbidden
from agentic_atlas.http.messages import Response
from agentic_atlas.http.turns import Turns
from agentic_atlas.http.whereabouts import Whereabouts
from agentic_atlas.platform.pages.settings import people, person
from agentic_atlas.platform.pages.settings.people import PeopleView, standing_of
from agentic_atlas.protocol.caller.accounts import InvitationRequest
from agentic_atlas.protocol.caller.people import UserChange
from tests.unit.backend.network import NOW, Network
from tests.unit.backend.usecases.test_accounts import OLD, log_in, prepared, with_totp
from tests.unit.platform.pages.settings.test_account import form, page, refusal

pytestmark = pytest.mark.anyio

WHERE, TURNS = Whereabouts(), Turns(monotonic)


async def administered() -> tuple[Network, Principal, Principal]:
    network, ada = await prepared()
    return network, await network.user("root", Role.ADMIN), ada


async def invite(network: Network, who: Principal, **asked: str) -> PeopleView | Response:
    return await people.invite(InvitationRequest(**asked), form(), network.application, who, WHERE)  # type: ignore[arg-type]


async def test_a_link_is_made_shown_once_and_withdrawn() -> None:
    network, root, _ = await administered()
    made = page(await invite(network, root, user=" eve ", role="viewer")).made
    assert made is not None
    assert made.link.startswith("http://atlas/login#invitation=")
    listed = await people.show(network.application, root, TURNS)
    assert (listed.made, [one.user for one in listed.invitations]) == (None, ["eve"])
    assert [(one.name, standing) for one, standing in listed.users] == [
        ("ada", "active"), ("eve", "invited"), ("root", "keys_alone"),
    ]  # fmt: skip
    gone = page(await people.withdraw(made.id, form(), network.application, root))
    assert (gone.invitations, {one.name: word for one, word in gone.users}["eve"]) == ([], "keys_alone")
    again = await people.withdraw(made.id, form(), network.application, root)
    assert "there is no invitation" in refusal(again, 404)


async def test_a_link_is_good_for_as_long_as_is_chosen() -> None:
    network, root, _ = await administered()
    body = InvitationRequest(user="eve", expires_in=3_600)
    made = page(await people.invite(body, form(), network.application, root, WHERE)).made
    assert made is not None
    assert (made.expires_at - made.created_at).total_seconds() == 3_600


async def test_what_can_be_no_link_is_said_at_its_form() -> None:
    network, root, _ = await administered()
    assert 'value="eve@example"' in refusal(await invite(network, root, user="eve@example"), 422)
    assert "is there already, as member" in refusal(await invite(network, root, user="ada", role="admin"), 409)
    old = BrowserSession("ses_1", root.user.id, created_at=NOW - 3_600)
    found_open = replace(root, credential=old)
    text = refusal(await invite(network, found_open, user="eve"), 403)
    assert 'action="/logout?next=%2Fsettings%2Fpeople"' in text
    assert len(await users.find(root, network.application, limit=9, after=None)) == 2


async def test_the_list_goes_on_behind_a_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(people, "IN_PAGE", 1)
    network, root, _ = await administered()
    first = await people.show(network.application, root, TURNS)
    assert ([one.name for one, _ in first.users], first.next) == (["ada"], "ada")
    last = await people.show(network.application, root, TURNS, after=first.next)
    assert ([one.name for one, _ in last.users], last.next) == (["root"], "")


async def test_how_somebody_comes_in_is_told_in_a_word() -> None:
    network, root, _ = await administered()
    user = listed_user(*(await users.find(root, network.application, limit=1, after=None))[0])
    assert standing_of(user) == "active"
    assert standing_of(replace(user, disabled=True)) == "disabled"
    keys = replace(user, password_at=None)
    assert (standing_of(keys), standing_of(replace(keys, identities=1))) == ("keys_alone", "active")
    assert standing_of(replace(keys, invited_until=user.created_at)) == "invited"


async def test_a_user_is_shown_changed_and_logged_out() -> None:
    network, root, _ = await administered()
    here = await log_in(network, OLD)
    view = await person.show("ada", network.application, root)
    assert (view.user.name, view.oneself, len(view.sessions)) == ("ada", False, 1)
    assert (await person.show("root", network.application, root)).oneself
    out = page(await person.end_sessions("ada", form(), network.application, root))
    assert (out.said is not None and out.said.text, await sessions.find(here, network.application)) == (
        "1 session ended.",
        [],
    )

    async def change(name: str, **change: object) -> object:
        body = UserChange(**change)  # type: ignore[arg-type]
        return await person.change(name, body, form(), network.application, root)

    assert page(await change("ada", role="viewer")).user.role == "viewer"  # type: ignore[attr-defined]
    assert page(await change("ada", disabled=True)).standing == "disabled"  # type: ignore[attr-defined]
    assert page(await change("ada", disabled=False)).standing == "active"  # type: ignore[attr-defined]
    refused = refusal(await change("root", role="member"), 409)
    assert "take your own rights away" in refused


async def test_a_second_factor_is_reset_by_who_does_not_have_it() -> None:
    network, root, ada = await administered()
    await with_totp(network, ada)
    view = page(await person.reset_totp("ada", form(), network.application, root))
    assert (view.user.totp_at, view.said is not None and view.said.form) == (None, "ways")
    assert "done to others" in refusal(await person.reset_totp("root", form(), network.application, root), 409)


async def test_who_owns_agents_stays_and_who_owns_none_goes() -> None:
    network, root, ada = await administered()
    await network.agent(ada)
    assert (await person.show("ada", network.application, root)).agents == ["ada/hello"]
    kept = await person.delete("ada", form(), network.application, root)
    assert "they own agents (hello)" in refusal(kept, 409)
    await agents.delete(root, network.application, "ada/hello")
    gone = await person.delete("ada", form(), network.application, root)
    assert isinstance(gone, Response)
    assert (gone.status, b"ada is not in this network any more." in gone.body) == (200, True)


async def test_members_see_none_of_it() -> None:
    network, _, ada = await administered()
    for look in (people.show(network.application, ada, TURNS), person.show("root", network.application, ada)):
        with pytest.raises(Forbidden):
            await look
    with pytest.raises(Forbidden):
        await invite(network, ada, user="eve")
    assert await invitations.find((await network.user("top", Role.ADMIN)), network.application) == []
