from __future__ import annotations

import json

import pytest

from tests.integration.cli.commands import atlas, complained, printed
from tests.integration.cli.platform_server import AT, Platform


def test_a_new_key_is_all_that_is_printed(platform: Platform) -> None:
    result = atlas("keys", "create", "--name", "cron", "--scope", "tasks:write", "--scope", "agents:read")
    assert printed(result) == "atlas_new\n"
    assert "acts as you: it is good for tasks:write agents:read until it is revoked." in result.stderr
    assert "`atlas keys revoke key_9` ends it" in result.stderr
    asked = platform.server.asked[-1]
    assert (asked.method, asked.path) == ("POST", "/api/v1/api-keys")
    assert asked.body == {"name": "cron", "scopes": ["tasks:write", "agents:read"]}


def test_a_new_key_is_good_for_what_ones_own_is_unless_one_says_otherwise(platform: Platform) -> None:
    result = atlas("keys", "create", "--user", "grace", "--expires", "12h")
    assert printed(result) == "atlas_new\n"
    assert "acts as grace: it is good for everything until " in result.stderr
    assert platform.server.asked[-1].body == {"user": "grace", "expires_in": 43_200}


def test_a_scope_of_an_agent_that_is_not_there_is_made_and_told(platform: Platform) -> None:
    platform.add_agent("books")
    words = [
        word for scope in ("ada/books/find", "ada/none", "ada/none/x") for word in ("--scope", f"tasks:call:{scope}")
    ]
    result = atlas("keys", "create", *words)
    assert printed(result) == "atlas_new\n"
    assert "There is no agent ada/none that you see: the scope counts once there is one" in result.stderr
    assert result.stderr.count("There is no agent") == 1
    assert platform.server.paths()[-1] == "POST /api/v1/api-keys"


def test_a_new_key_for_programs(platform: Platform) -> None:
    made = json.loads(printed(atlas("keys", "create", "--scope", "tasks:read", "--json")))
    assert (made["key"], made["scopes"]) == ("atlas_new", ["tasks:read"])


@pytest.mark.parametrize("word", ["tasks", "agent:call", ""])
def test_a_scope_that_is_none_is_told_with_those_there_are(platform: Platform, word: str) -> None:
    told = complained(atlas("keys", "create", "--scope", word), code=2)
    assert "tasks:read" in told
    assert platform.server.asked == []


def test_the_list_shows_what_each_is_good_for(platform: Platform) -> None:
    platform.keys = [
        {"id": "key_2", "name": "cron", "scopes": ["tasks:read", "agents:read"], "prefix": "atlas_Kq3vTz"},
        {"id": "key_1", "name": "laptop", "revoked_at": AT, "last_used_at": AT, "last_address": "192.0.2.1"},
    ]
    shown = [line.split() for line in printed(atlas("keys")).splitlines()]
    assert shown[1][:5] == ["key_2", "atlas_Kq3vTz", "cron", "tasks:read", "agents:read"]
    assert shown[2][:4] == ["key_1", "–", "laptop", "everything"]
    assert "192.0.2.1" in shown[2]
    assert "192.0.2.1" not in shown[1]
    listed = json.loads(printed(atlas("keys", "list", "--json")))["items"]
    assert [one["scopes"] for one in listed] == [["tasks:read", "agents:read"], ["*"]]
    assert [one["prefix"] for one in listed] == ["atlas_Kq3vTz", ""]


def test_a_key_is_revoked(platform: Platform) -> None:
    assert printed(atlas("keys", "revoke", "key_2")) == "Revoked key_2.\n"
    assert platform.server.paths()[-1] == "DELETE /api/v1/api-keys/key_2"


def test_the_list_of_signing_keys_says_what_rests_on_each(platform: Platform) -> None:
    shown = [line.split()[:4] for line in printed(atlas("keys", "list", "--signing")).splitlines()]
    assert shown == [
        ["KEY", "DOES", "TOKENS", "CONNECTED"],
        ["kid_new", "signs", "0", "0"],
        ["kid_old", "verifies", "3", "1"],
    ]


ENDED = """Withdrew kid_old: that ended 3 tokens and 1 connection.
Of ada/courier, ada/scout: `atlas tokens create AGENT --env .env` makes a new one.
"""


def test_withdrawing_a_key_says_first_what_ends_and_then_what_ended(platform: Platform) -> None:
    result = atlas("keys", "withdraw", "kid_old", input="y\n")
    assert "Withdraw kid_old? That ends 3 tokens and 1 connection. [y/N]:" in result.stderr
    assert printed(result) == ENDED
    assert platform.server.paths() == ["GET /api/v1/signing-keys", "DELETE /api/v1/signing-keys/kid_old"]


@pytest.mark.parametrize(("typed", "code"), [("n\n", 1), ("\n", 1), ("", 2)])
def test_a_key_is_not_withdrawn_unless_somebody_says_so(platform: Platform, typed: str, code: int) -> None:
    complained(atlas("keys", "withdraw", "kid_old", input=typed), code)
    assert platform.server.paths() == ["GET /api/v1/signing-keys"]


def test_a_program_withdraws_a_key_without_a_question(platform: Platform) -> None:
    assert printed(atlas("keys", "withdraw", "kid_old", "--yes")) == ENDED
    ended = json.loads(printed(atlas("keys", "withdraw", "kid_old", "--yes", "--json")))
    assert (ended["tokens"], ended["connected"], ended["agents"]) == (3, 1, ["ada/courier", "ada/scout"])


def test_nothing_is_asked_about_a_key_that_can_not_be_withdrawn(platform: Platform) -> None:
    told = complained(atlas("keys", "withdraw", "kid_new"))
    assert "this key signs" in told
    assert "[y/N]" not in told
