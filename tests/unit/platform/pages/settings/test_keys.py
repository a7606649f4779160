"""What a key may be good for, and how one stands, as the pages of keys have it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from agentic_atlas.auth import API_KEY_SCOPES, Scope
from agentic_atlas.backend.domain.records import Role
from agentic_atlas.backend.usecases import keys as use_cases
from agentic_atlas.errors import InvalidInput
from agentic_atlas.http.whereabouts import Whereabouts
from agentic_atlas.platform.pages.settings import keys
from agentic_atlas.platform.pages.settings.keys import MEANINGS, KeyForm, NewKeyView, SoughtKeys, key_row, offered
from agentic_atlas.protocol.caller.people import ApiKeyInfo
from tests.shown import filled
from tests.unit.backend.network import NOW, Network
from tests.unit.platform.pages.settings.test_page import BROWSER, asked

pytestmark = pytest.mark.anyio

KEY = filled(ApiKeyInfo, id="key_1", name="ci", scopes=("tasks:read",))


def test_every_word_that_a_key_can_have_says_what_it_means() -> None:
    words = {word for word in API_KEY_SCOPES if word is not Scope.EVERYTHING}
    assert MEANINGS.keys() == words | {"tasks:read:own"}


def test_nobody_is_offered_what_their_role_has_not() -> None:
    assert set(offered(Role.ADMIN)) == set(MEANINGS)
    assert set(MEANINGS) - set(offered(Role.MEMBER)) == {"users:admin", "audit:read", "metrics:read"}
    assert set(offered(Role.VIEWER)) == {"tasks:read", "tasks:read:own", "agents:read", "tokens:read"}


def test_a_key_is_asked_for_what_is_ticked_and_for_the_agents_that_are_named() -> None:
    assert KeyForm(reach="all", scopes=["tasks:read"]).asked is None
    assert KeyForm(scopes=["tasks:call", "agents:read"]).asked == ["tasks:call", "agents:read"]
    some = KeyForm(scopes=["tasks:call", "agents:read"], only="ada/books, ada/cook/bake")
    assert some.asked == ["tasks:call:ada/books", "tasks:call:ada/cook/bake", "agents:read"]
    for wrong in (KeyForm(), KeyForm(scopes=["agents:read"], only="ada/books")):
        with pytest.raises(InvalidInput):
            _ = wrong.asked
    assert (KeyForm(lasts="60").lifetime, KeyForm(lasts="").lifetime) == (60.0, None)
    with pytest.raises(InvalidInput):
        _ = KeyForm(lasts="soon").lifetime


def test_a_key_stands_as_it_is_at_that_time() -> None:
    at = datetime.fromtimestamp(NOW, UTC)
    ends = replace(KEY, expires_at=at)
    assert (key_row(KEY, NOW).state, key_row(ends, NOW - 1).state, key_row(ends, NOW).state) == (
        "active", "active", "expired",
    )  # fmt: skip
    assert key_row(replace(ends, revoked_at=at), NOW).state == "revoked"
    assert (key_row(KEY, NOW).good_for, key_row(replace(KEY, scopes=("*",)), NOW).good_for) == (("tasks:read",), ())


async def test_one_sees_ones_own_keys_and_an_administrator_everybodys() -> None:
    network = Network()
    root, ada = await network.user("root", Role.ADMIN), await network.user()
    made = await use_cases.create(ada, network.application, name="ci")
    await use_cases.revoke(ada, network.application, made.id)
    own = await keys._list(network.application, ada, SoughtKeys(), None)
    assert ([row.key.name for row in own.ended], own.sees_all, own.everybodys) == (["ci"], False, False)
    assert made.id not in [row.key.id for row in own.rows]
    every = await keys._list(network.application, root, SoughtKeys(whose="all"), None)
    assert ({row.key.user for row in every.rows}, every.sees_all) == ({"root", "ada"}, True)
    one = await keys._list(network.application, root, SoughtKeys(user="ada"), None)
    assert ({row.key.user for row in one.rows}, one.fault) == ({"ada"}, "")
    assert "nobody" in (await keys._list(network.application, root, SoughtKeys(user="nobody"), None)).fault


async def test_a_key_is_shown_once_with_how_it_is_used_and_what_is_wrong_is_said_at_the_form() -> None:
    network = Network()
    ada = await network.user()
    request = asked("/settings/keys/new", method="POST", accept=BROWSER)
    made = await keys.create(
        KeyForm(name="ci", scopes=["tasks:read"]), request, network.application, ada, Whereabouts("https://atlas.test")
    )
    assert isinstance(made, NewKeyView)
    assert made.made is not None
    assert made.env == f"ATLAS_API_URL=https://atlas.test\nATLAS_API_KEY={made.made.key}"
    assert made.made.key in made.curl
    assert (made.login, made.made.scopes) == ("atlas login https://atlas.test", ("tasks:read",))
    wrong = await keys.create(KeyForm(name="ci"), request, network.application, ada, Whereabouts())
    assert not isinstance(wrong, NewKeyView)
    assert (wrong.status, b"tick what it is good for" in wrong.body) == (422, True)
