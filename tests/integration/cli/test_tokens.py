from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from tests.integration.cli.commands import atlas, complained, printed
from tests.integration.cli.platform_server import Platform


def test_a_new_token_is_all_that_is_printed(platform: Platform) -> None:
    platform.add_agent("hello")
    result = atlas("tokens", "create", "hello", "--name", "box", "--expires", "12h")
    assert printed(result) == "eyJ.a-b_c.d\n"
    assert "not shown again" in result.stderr
    assert platform.server.asked[-1].body == {"name": "box", "expires_in": 43_200}


def test_a_new_token_goes_into_a_file_and_nowhere_else(platform: Platform, at_home: Path) -> None:
    platform.add_agent("hello")
    (at_home / ".env").write_text("OTHER=1\nAGENT_JWT_TOKEN=old\n")
    result = atlas("tokens", "create", "hello", "--env", ".env")
    assert "eyJ" not in printed(result) + result.stderr
    assert (at_home / ".env").read_text() == "OTHER=1\nAGENT_JWT_TOKEN=eyJ.a-b_c.d\n"
    assert stat.S_IMODE((at_home / ".env").stat().st_mode) == 0o600
    assert platform.server.asked[-1].body["expires_in"] == 90 * 86_400


def test_no_token_is_made_when_the_file_cannot_take_it(platform: Platform) -> None:
    platform.add_agent("hello")
    assert "there is no folder" in complained(atlas("tokens", "create", "hello", "--env", "no/such/.env"), code=2)
    assert platform.server.asked == []


def test_a_token_for_programs(platform: Platform) -> None:
    platform.add_agent("hello")
    assert json.loads(printed(atlas("tokens", "create", "hello", "--json")))["token"] == "eyJ.a-b_c.d"
    told = json.loads(printed(atlas("tokens", "create", "hello", "--env", ".env", "--json")))
    assert (told["env"], "token" in told) == (".env", False)


def test_an_agent_is_made_for_a_token_only_when_asked_for(platform: Platform) -> None:
    assert complained(atlas("tokens", "create", "new")) == "there is no agent `new`"
    assert platform.agents == {}
    printed(atlas("tokens", "create", "new", "--create-agent"))
    printed(atlas("tokens", "create", "new", "--create-agent"))
    assert list(platform.agents) == ["new"]


@pytest.mark.parametrize("span", ["90", "soon", "-1d"])
def test_a_span_that_is_none_is_told_before_anything_is_asked(platform: Platform, span: str) -> None:
    assert f"`{span}` is not a span of time" in complained(atlas("tokens", "create", "hello", f"--expires={span}"), 2)
    assert platform.server.asked == []


def test_tokens_are_listed_and_revoked(platform: Platform) -> None:
    platform.add_agent("hello")
    assert printed(atlas("tokens", "list", "hello")).splitlines()[1].split()[:3] == ["k1", "box", "active"]
    assert json.loads(printed(atlas("tokens", "list", "hello", "--json")))["items"][0]["id"] == "k1"
    assert printed(atlas("tokens", "revoke", "k1")) == "Revoked k1.\n"
    assert json.loads(printed(atlas("tokens", "revoke", "k1", "--json")))["status"] == "revoked"
