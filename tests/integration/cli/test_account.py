from __future__ import annotations

import json

import pytest

from agentic_atlas.protocol.caller.accounts import IdentityInfo, LoggedOut
from agentic_atlas.protocol.caller.people import WhoAmI
from tests.integration.cli.commands import atlas, complained, printed
from tests.integration.cli.platform_server import Platform
from tests.integration.client.client_server import KEY, Answer, error, in_order
from tests.shown import answer


def test_whoami_shows_who_and_where(platform: Platform) -> None:
    shown = printed(atlas("whoami"))
    assert [line.split() for line in shown.splitlines()][:3] == [
        ["user", "ada"],
        ["role", "admin"],
        ["API", "key", "laptop"],
    ]
    assert platform.server.url in shown
    assert KEY not in shown


def test_whoami_shows_when_the_key_ends(platform: Platform) -> None:
    ends = {"id": "key_1", "name": "laptop", "expires_at": "2100-01-01T00:00:00Z"}
    platform.server.answer = in_order(Answer(answer(WhoAmI, user={"name": "ada"}, api_key=ends)))
    (line,) = [line for line in printed(atlas("whoami")).splitlines() if line.startswith("valid until")]
    assert "(in " in line


def test_whoami_shows_what_a_key_with_scopes_is_good_for(platform: Platform) -> None:
    narrow = {"id": "key_1", "name": "cron", "scopes": ["tasks:read", "agents:read"]}
    platform.server.answer = in_order(Answer(answer(WhoAmI, user={"name": "ada"}, api_key=narrow)))
    assert "good for  tasks:read agents:read" in printed(atlas("whoami"))


def test_whoami_for_programs(platform: Platform) -> None:
    told = json.loads(printed(atlas("whoami", "--json")))
    assert told["user"]["name"] == "ada"
    assert told["router_url"] == "ws://127.0.0.1:8080/ws"
    assert told["url"] == platform.server.url


def test_a_refused_key_is_told_with_the_place_to_look(platform: Platform) -> None:
    platform.refuses = error(401, "unauthenticated", "the API key is not known")
    told = complained(atlas("whoami"))
    assert told.startswith("the API key is not known; check the API key: ATLAS_API_KEY")
    assert KEY not in told


@pytest.mark.parametrize("known", [0, 1])
def test_who_removes_a_user_is_told_that_the_provider_lets_them_in_anew(platform: Platform, known: int) -> None:
    linked = [answer(IdentityInfo, id="idn_1", user="eve")] * known
    platform.server.answer = in_order(Answer({"items": linked}), Answer(status=204))
    told = atlas("users", "delete", "eve", "--yes").output
    assert (told.startswith("Removed eve.\n"), "`atlas users disable NAME`" in told) == (True, bool(known))


def test_who_removes_an_identity_is_told_that_it_makes_a_user_anew(platform: Platform) -> None:
    platform.server.answer = in_order(Answer(answer(LoggedOut, sessions=1, keys=0)))
    told = atlas("users", "identities", "--user", "eve", "--remove", "idn_1").output
    assert "ATLAS_OIDC_CREATE" in told
