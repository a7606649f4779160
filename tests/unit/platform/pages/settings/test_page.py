"""Pages of the settings lead to those alone that somebody may see, and say at a form what came of it."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from agentic_atlas.auth import Scope
from agentic_atlas.backend.domain.records import Role
from agentic_atlas.errors import AtlasError, Conflict, Unavailable
from agentic_atlas.http.messages import Request, Response
from agentic_atlas.platform.pages.settings import account
from agentic_atlas.platform.pages.settings.account import AccountView
from agentic_atlas.platform.pages.settings.page import PARTS, FormOutcome, after_form, parts_for, place_for
from tests.unit.backend.network import Network
from tests.unit.platform.test_refused import BROWSER, asked

pytestmark = pytest.mark.anyio


async def test_somebody_is_led_to_what_they_may_see_in_one_order() -> None:
    network = Network()
    admin, ada = await network.user("root", Role.ADMIN), await network.user("ada")
    vic = await network.user("vic", Role.VIEWER)
    assert parts_for(admin) == list(PARTS)
    of_administrators = {"People", "Signing keys", "Audit log"}
    assert [one.name for one in parts_for(ada)] == [one.name for one in PARTS if one.name not in of_administrators]
    assert parts_for(vic) == parts_for(ada)
    narrow = replace(admin, scopes=(Scope.TOKENS_READ,))
    assert {one.name for one in parts_for(narrow)} <= {"Limits", "About"}
    assert place_for(ada, "/settings").links[0] == ("/settings", "Account")


async def sent(request: Request, error: AtlasError | None = None) -> AccountView | Response:
    network = Network()
    ada = await network.user()

    async def view(said: FormOutcome) -> AccountView:
        shown = await account.show(network.application, ada)
        return replace(shown, said=said)

    async def worked() -> AccountView:
        if error is not None:
            raise error
        return await view(FormOutcome("password", "You have another password."))

    return await after_form(request, ada, "password", worked(), view=view, template="settings_account.html")


async def test_what_was_done_and_what_was_wrong_is_said_at_the_form() -> None:
    request = asked("/settings", method="POST", accept=BROWSER)
    done = await sent(request)
    assert isinstance(done, AccountView)
    assert done.said == FormOutcome("password", "You have another password.")
    wrong = await sent(request, Conflict("it is the last one", code="last_administrator"))
    assert isinstance(wrong, Response)
    assert (wrong.status, b'data-found-at="/settings"' in wrong.body) == (409, True)


async def test_programs_and_faults_of_the_server_are_answered_as_everywhere() -> None:
    with pytest.raises(Conflict):
        await sent(asked("/settings", method="POST", accept="*/*"), Conflict("it is the last one"))
    with pytest.raises(Unavailable):
        await sent(asked("/settings", method="POST", accept=BROWSER), Unavailable("the disk is full"))
