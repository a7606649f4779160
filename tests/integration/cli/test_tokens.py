from __future__ import annotations

import base64
import json
import os
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agentic_atlas.sdk import environment
from tests.integration.cli.commands import atlas, complained, printed
from tests.integration.cli.platform_server import AT, Platform
from tests.integration.client.client_server import KEY

MISSING = "there is no agent `nobody`; --create-agent makes it as well"


def test_a_new_token_is_all_that_is_printed(platform: Platform) -> None:
    platform.add_agent("hello")
    result = atlas("tokens", "create", "hello", "--name", "box", "--description", "by the window", "--expires", "12h")
    assert printed(result) == "eyJ.a-b_c.d\n"
    assert "not shown again" in result.stderr
    assert platform.server.asked[-1].body == {"name": "box", "description": "by the window", "expires_in": 43_200}


def token_named(name: str) -> str:
    payload = base64.urlsafe_b64encode(json.dumps({"jti": name}).encode()).decode().rstrip("=")
    return f"head.{payload}.signature"


def test_a_new_token_goes_into_a_file_with_the_networks_addresses_and_nowhere_else(
    platform: Platform, at_home: Path
) -> None:
    platform.add_agent("hello")
    (at_home / ".env").write_text("OTHER=1\nROUTER_WS_URL=ws://old/ws\n")
    result = atlas("tokens", "create", "hello", "--env", ".env")
    assert "eyJ" not in printed(result) + result.stderr
    assert (at_home / ".env").read_text().splitlines() == [
        "OTHER=1",
        "ROUTER_WS_URL=ws://127.0.0.1:8080/ws",
        "AGENT_JWT_TOKEN=eyJ.a-b_c.d",
        f"BACKEND_API_BASE_URL={platform.server.url}",
    ]
    assert stat.S_IMODE((at_home / ".env").stat().st_mode) == 0o600
    assert set(platform.server.asked[-1].body) == {"name"}, "the network knows how long tokens live on it"
    assert "replaces" not in result.stdout


def test_the_addresses_for_others_are_what_a_new_token_is_written_with(platform: Platform, at_home: Path) -> None:
    platform.add_agent("hello")
    platform.where = {"router_url": "wss://atlas.example.org/ws", "api_url": "https://atlas.example.org"}
    printed(atlas("tokens", "create", "hello", "--env", ".env"))
    written = (at_home / ".env").read_text()
    assert "ROUTER_WS_URL=wss://atlas.example.org/ws\nBACKEND_API_BASE_URL=https://atlas.example.org\n" in written


@pytest.mark.parametrize(
    ("status", "online", "said"),
    [
        ("active", False, "tok_old, which stays valid: `atlas tokens revoke tok_old` ends it."),
        (
            "active",
            True,
            "tok_old, which stays valid and is in use: `atlas tokens revoke tok_old` ends it.",
        ),
        ("revoked", False, "tok_old, which is revoked."),
        ("", False, "a token of another agent or network (tok_old), which is not ended by that."),
    ],
)
def test_a_token_that_is_replaced_in_a_file_is_told_with_what_becomes_of_it(
    platform: Platform, at_home: Path, status: str, online: bool, said: str
) -> None:
    platform.add_agent("hello")
    platform.tokens = [{"id": "tok_old" if status else "tok_other", "status": status or "active", "in_use": online}]
    (at_home / ".env").write_text(f"export AGENT_JWT_TOKEN='{token_named('tok_old')}'\n")
    assert printed(atlas("tokens", "create", "hello", "--env", ".env")).splitlines()[1] == f"It replaces {said}"


def test_the_list_shows_which_tokens_are_in_use(platform: Platform) -> None:
    platform.add_agent("hello")
    platform.tokens = [
        {"id": "tok_1", "name": "vm", "status": "active", "in_use": False, "expires_at": AT},
        {"id": "tok_2", "name": "vm", "status": "active", "in_use": True, "expires_at": AT},
    ]
    listed = json.loads(printed(atlas("tokens", "list", "hello", "--json")))["items"]
    assert [(token["id"], token["in_use"]) for token in listed] == [("tok_1", False), ("tok_2", True)]
    heads, first, second = printed(atlas("tokens", "list", "hello")).splitlines()
    assert "IN USE" in heads
    assert first.split()[:3] == ["tok_1", "vm", "active"]
    assert (first.split()[3:4] == ["yes"], second.split()[3]) == (False, "yes")


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
    assert complained(atlas("tokens", "create", "new")) == "there is no agent `new`; --create-agent makes it as well"
    assert complained(atlas("tokens", "create", "eve/new")) == "there is no agent `eve`", "that is eve's to make"
    assert platform.agents == {}
    printed(atlas("tokens", "create", "new", "--create-agent"))
    printed(atlas("tokens", "create", "new", "--create-agent"))
    platform.may_look = False
    printed(atlas("tokens", "create", "newer", "--create-agent"))
    assert list(platform.agents) == ["new", "newer"], "whoever may make agents need not look at them"


def test_a_scope_of_an_agent_that_is_not_there_is_warned_of(platform: Platform) -> None:
    platform.add_agent("hello")
    result = atlas("tokens", "create", "hello", "--scope", "agent:call:ada/none", "--scope", "agent:call:ada/hello")
    assert "eyJ.a-b_c.d" in printed(result)
    assert "There is no agent ada/none that you see: the scope counts once there is one" in result.stderr
    assert "agent ada/hello" not in result.stderr


@pytest.mark.parametrize("span", ["90", "soon", "-1d"])
def test_a_span_that_is_none_is_told_before_anything_is_asked(platform: Platform, span: str) -> None:
    assert f"`{span}` is not a span of time" in complained(atlas("tokens", "create", "hello", f"--expires={span}"), 2)
    said = complained(atlas("tokens", "create", "hello", "--expires", "0s"), 2)
    assert said == "`0s` is no time at all: write 90d, 12h, 30m or 45s"
    assert platform.server.asked == []


def test_tokens_are_listed_and_revoked(platform: Platform) -> None:
    platform.add_agent("hello")
    assert printed(atlas("tokens", "list", "hello")).splitlines()[1].split()[:3] == ["k1", "box", "active"]
    assert json.loads(printed(atlas("tokens", "list", "hello", "--json")))["items"][0]["id"] == "k1"
    assert printed(atlas("tokens", "revoke", "k1")) == "Revoked k1.\n"
    assert json.loads(printed(atlas("tokens", "revoke", "k1", "--json")))["status"] == "revoked"


def test_what_ended_with_a_token_that_is_revoked_is_named(platform: Platform) -> None:
    platform.revoked = ["k3", "k1"]
    said = printed(atlas("tokens", "revoke", "k1"))
    assert said == "Revoked k1.\nThat ended as well what came out of the same token: k3.\n"


@pytest.mark.parametrize(
    ("scopes", "called"),
    [
        (["agent:connect", "agent:call"], "all"),
        (["agent:connect", "agent:call:ada/library", "agent:call:ada/desk/lend"], "ada/library ada/desk/lend"),
        (["agent:connect"], "nobody"),
    ],
)
def test_the_list_says_whom_an_agent_may_call_with_each_token(
    platform: Platform, scopes: list[str], called: str
) -> None:
    platform.add_agent("hello")
    platform.tokens = [{"id": "tok_1", "name": "box", "status": "active", "scopes": scopes, "last_address": "::1"}]
    head, row = printed(atlas("tokens", "list", "hello")).splitlines()
    assert row[head.index("CALLS") : head.index("LAST USED")].strip() == called


def test_the_list_says_what_each_token_is_for_on_one_line(platform: Platform) -> None:
    platform.add_agent("hello")
    platform.tokens = [{"id": "tok_1", "name": "box", "status": "active", "description": "Of the desk,\nby the window"}]
    assert printed(atlas("tokens", "list", "hello")).splitlines()[1].endswith("Of the desk, by the window")


def test_a_token_that_is_given_by_name_is_told_where_ids_are(platform: Platform) -> None:
    told = complained(atlas("tokens", "revoke", "second"))
    assert told == "there is no token 'second'; give an id, as `atlas tokens list AGENT` shows them"


def test_where_several_networks_are_known_it_is_said_which_one_a_token_is_of(platform: Platform) -> None:
    platform.add_agent("hello")
    printed_alone = printed(atlas("tokens", "create", "hello", "--env", ".env"))
    assert "and the network's addresses to .env" in printed_alone
    for url in (platform.server.url, "http://127.0.0.1:9"):
        environment.remember(url, KEY)
    told = printed(atlas("tokens", "create", "hello", "--env", ".env"))
    assert f"Wrote the token k1 of ada/hello and the addresses of {platform.server.url} to .env; " in told
    assert f"--env .env it would be written there, together with the addresses of {platform.server.url}." in " ".join(
        atlas("tokens", "create", "hello").stderr.split()
    )
    assert complained(atlas("tokens", "create", "nobody")) == f"{MISSING} (on {platform.server.url})"
    assert f"for the new agent `other` on {platform.server.url}. Its token" in printed(atlas("init", "other"))
    assert f"for the agent `hello`, which is on {platform.server.url} already." in printed(atlas("init", "hello"))


def test_a_command_that_asks_at_an_address_of_the_environment_does_without_credentials(platform: Platform) -> None:
    environment.remember("http://127.0.0.1:9", KEY)
    environment.credentials_path().write_text("{")
    assert complained(atlas("tokens", "create", "nobody")) == MISSING


def test_a_token_is_made_good_for_what_is_asked_for(platform: Platform) -> None:
    platform.add_agent("hello")
    printed(atlas("tokens", "create", "hello", "--name", "box", "--scope", "agent:call", "--not-renewable"))
    assert platform.server.asked[-1].body == {"name": "box", "scopes": ["agent:call"], "renewable": False}


def test_a_token_is_rotated_into_a_file_and_the_old_one_is_told_with_its_end(platform: Platform, at_home: Path) -> None:
    platform.add_agent("hello")
    platform.tokens = [{"id": "tok_old", "status": "retiring", "in_use": True, "retires_at": AT}]
    (at_home / ".env").write_text(f"AGENT_JWT_TOKEN={token_named('tok_old')}\n")
    told = printed(atlas("tokens", "rotate", "tok_old", "--overlap", "2h", "--env", ".env"))
    (rotated,) = [asked.body for asked in platform.server.asked if asked.path == "/api/v1/tokens/tok_old/rotate"]
    assert rotated == {"overlap": 7200.0}
    assert "AGENT_JWT_TOKEN=eyJ.n-e_w.d" in (at_home / ".env").read_text()
    assert "It replaces tok_old, which stays valid until 2026-" in told
    assert told.rstrip().endswith(" and is in use.")
    assert "eyJ" not in told


def test_a_rotation_tells_which_token_it_replaced_when_that_is_not_the_one_that_was_named(platform: Platform) -> None:
    platform.add_agent("hello")
    done = atlas("tokens", "rotate", "tok_1")
    assert "It takes the place of tok_1, which is over now." in " ".join(done.stderr.split())
    platform.retired = {"tok_2": AT, "tok_3": "2126-11-16T11:02:03Z"}
    done = atlas("tokens", "rotate", "tok_1")
    told = " ".join(done.stderr.split())
    assert "tok_1 had been replaced before. It takes the place of tok_2, which is over now, and of tok_3," in told
    assert "tok_3, which is good until 2126-" in told


@pytest.mark.parametrize(("span", "seconds"), [("0s", 0.0), ("0", 0.0), ("30m", 1_800.0)])
def test_a_rotation_s_overlap_may_be_none(platform: Platform, span: str, seconds: float) -> None:
    assert printed(atlas("tokens", "rotate", "tok_1", "--overlap", span, "--expires", "12h")) == "eyJ.n-e_w.d\n"
    assert platform.server.asked[-1].body == {"overlap": seconds, "expires_in": 43_200}
    printed(atlas("tokens", "rotate", "tok_1", "--renewable"))
    assert platform.server.asked[-1].body == {"overlap": 86_400, "renewable": True}


def test_the_list_tells_who_used_a_token_last_and_which_need_somebody(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform.add_agent("hello")
    soon, far = (datetime.now(UTC) + timedelta(days=days) for days in (3, 60))
    used = {"last_address": "192.0.2.1", "last_host": "box", "last_instance": "ins_1"}
    platform.tokens = [
        {"id": "tok_soon", "status": "active", "expires_at": shown(soon)} | used,
        {"id": "tok_far", "status": "active", "expires_at": shown(far)},
        {"id": "tok_helped", "status": "active", "expires_at": shown(soon), "in_use": True}
        | {"renewable_until": shown(far)},
        {"id": "tok_old", "status": "retiring", "expires_at": shown(far), "retires_at": shown(soon)},
        {"id": "tok_over", "status": "revoked", "expires_at": shown(soon), "revoked_at": AT},
    ]
    lines = printed(atlas("tokens", "list", "hello")).splitlines()
    heads = "token name status in use expires made by renews calls last used address host instance description"
    assert " ".join(lines[0].split()) == heads.upper()
    assert lines[1].split() == ["tok_soon", "active", "in", "3", "d", "192.0.2.1", "box", "ins_1"]
    assert lines[3].split()[:6] == ["tok_helped", "active", "yes", "in", "3", "d"]
    assert lines[3].split()[6] == "yes"
    assert lines[4].split() == ["tok_old", "retiring", "in", "3", "d"]
    monkeypatch.setattr("agentic_atlas.cli.output.terminal", lambda *_: True)
    monkeypatch.setattr("shutil.get_terminal_size", lambda _: os.terminal_size((200, 24)))
    lines = printed(atlas("tokens", "list", "hello")).splitlines()
    assert [line.startswith("\x1b[33m") for line in lines] == [False, True, False, False, True, False]
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in printed(atlas("tokens", "list", "hello"))


def shown(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"
