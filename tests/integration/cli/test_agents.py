from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta

import pytest

from tests.integration.cli.commands import atlas, complained, offered, printed
from tests.integration.cli.platform_server import AT, GREET, Platform
from tests.integration.client.client_server import error

INSTANCE = {
    "id": "i1",
    "concurrency": 8,
    "slots_used": 3,
    "host": "box",
    "pid": 7,
    "online": True,
    "runtime": "CPython 3.11",
    "connected_at": AT,
}


@pytest.mark.parametrize("args", [["agents"], ["agents", "list"]])
def test_agents_are_listed_with_their_status(platform: Platform, args: list[str]) -> None:
    platform.add_agent("hello", status="online", instances_online=2, description="Says hello")
    platform.add_agent("bye")
    lines = printed(atlas(*args)).splitlines()
    assert lines[0].split() == ["AGENT", "STATUS", "INSTANCES", "LAST", "SEEN", "DESCRIPTION"]
    assert lines[1].split() == ["ada/hello", "online", "2", "Says", "hello"]
    assert len(lines) == 3


@pytest.mark.parametrize("args", [["agents", "--json"], ["agents", "list", "--json"]])
def test_agents_for_programs(platform: Platform, args: list[str]) -> None:
    platform.add_agent("hello")
    assert [agent["name"] for agent in json.loads(printed(atlas(*args)))["items"]] == ["hello"]


def test_who_has_no_agents_is_told_how_one_comes_to_be_there(platform: Platform) -> None:
    assert "`atlas init NAME` makes one" in atlas("agents").stderr
    platform.role = "viewer"
    assert "There are no agents yet: their owners share them with viewers." in atlas("agents").stderr


def test_no_agents_yet_is_said_beside_an_empty_answer(platform: Platform) -> None:
    result = atlas("agents")
    assert printed(result) == ""
    assert "atlas init NAME" in result.stderr


def test_one_agent_is_shown_with_skills_and_instances(platform: Platform) -> None:
    slots = {"slots": 16, "slots_used": 11, "tasks_waiting": 2}
    platform.add_agent("hello", GREET, instances=[INSTANCE], status="online", **slots)
    shown = printed(atlas("agents", "show", "hello"))
    assert "ada/hello" in shown
    assert "\n    name   text\n    times  whole number = 1\n  atlas call hello greet name=TEXT\n" in shown
    assert "slots    11 of 16 used, tasks that wait: 2\n" in shown
    (row,) = [line.split() for line in shown.splitlines() if line.startswith("i1 ")]
    assert row[:6] == ["i1", "yes", "3", "of", "8", "box"]
    assert json.loads(printed(atlas("agents", "show", "hello", "--json")))["skills"][0]["name"] == "greet"


def test_a_list_does_not_say_that_an_agent_has_no_skills(platform: Platform) -> None:
    platform.add_agent("hello", GREET, instances=[INSTANCE])
    (listed,) = json.loads(printed(atlas("agents", "list", "--json")))["items"]
    assert "skills" not in listed
    assert "instances" not in listed


def test_instances_of_the_past_are_shown_on_request(platform: Platform) -> None:
    platform.add_agent("hello", GREET, instances=[INSTANCE, INSTANCE | {"id": "i0", "online": False}])
    result = atlas("agents", "show", "hello")
    assert ("i1  " in printed(result), "i0  " in printed(result)) == (True, False)
    assert result.stderr == "Instances of the past: 1; --all shows them.\n"
    assert "i0  " in printed(atlas("agents", "show", "hello", "--all"))


def test_one_skill_is_shown_alone_and_with_its_schemas_for_programs(platform: Platform) -> None:
    platform.add_agent("hello", GREET)
    assert printed(atlas("agents", "show", "hello", "--skill", "greet")).startswith("greet: Greet someone\n")
    told = json.loads(printed(atlas("agents", "show", "hello", "--skill", "greet", "--json")))
    assert told["input_schema"] == GREET["input_schema"]
    assert "(did you mean greet?)" in complained(atlas("agents", "show", "hello", "--skill", "gret"))


def test_times_are_relative_with_a_zone_on_request(platform: Platform) -> None:
    platform.add_agent("hello", last_seen_at=AT)
    assert " ago" in printed(atlas("agents"))
    assert AT in printed(atlas("agents", "--utc"))
    assert datetime.fromisoformat(printed(atlas("agents", "--iso")).split()[-1]) == datetime.fromisoformat(AT)


def test_an_agent_that_is_not_there_is_a_sentence(platform: Platform) -> None:
    assert complained(atlas("agents", "show", "hullo")) == "there is no agent `hullo`"
    assert json.loads(complained(atlas("agents", "show", "hullo", "--json")))["error"]["code"] == "agent_not_found"


def test_an_agent_whose_name_is_nearly_right_is_named(platform: Platform) -> None:
    platform.add_agent("hello", GREET)
    for words in (("agents", "show", "helo"), ("call", "helo", "greet", "name=x"), ("call", "helo", "greet", "--help")):
        assert complained(atlas(*words)) == "there is no agent `helo` (did you mean hello?)"


def test_an_agent_of_anothers_that_is_shared_with_one_is_named_in_full(platform: Platform) -> None:
    platform.add_agent("hello", GREET)
    for place, full_name in enumerate(("eve/globe", "bob/globe")):
        platform.add_agent(f"other{place}", GREET)
        platform.agents[f"other{place}"] |= {"name": "globe", "full_name": full_name}
    for words in (("call", "globe", "greet", "name=x"), ("call", "globe", "greet"), ("agents", "show", "glob")):
        assert complained(atlas(*words)).endswith(" (did you mean eve/globe or bob/globe?)")
    assert complained(atlas("agents", "show", "eve/glob")).endswith(" (did you mean eve/globe?)")


def test_the_shell_is_offered_the_names_that_begin_so(platform: Platform) -> None:
    platform.add_agent("hello")
    platform.add_agent("help")
    platform.add_agent("other")
    assert offered("call hel") == ["hello", "help"]


def test_the_shell_is_offered_no_parameter_that_it_would_not_take_as_it_is(platform: Platform) -> None:
    names = ["name", "größe", "per-page", "$(id)", "a;b", "a b", "`id`", "x\ny", "a&b", "*", "~", "!1", ""]
    schema = {"type": "object", "properties": {key: {"type": "string"} for key in names}}
    platform.add_agent("hello", GREET | {"input_schema": schema})
    assert offered("call hello greet ") == ["name=", "größe=", "per-page="]


def test_the_shell_is_offered_nothing_when_the_platform_cannot_be_asked(platform: Platform) -> None:
    platform.refuses = error(503, "unavailable")
    assert offered("call ") == []


def test_the_shell_is_offered_nothing_without_a_key() -> None:
    assert offered("call ") == []


def test_an_agent_is_deleted_after_a_yes_or_without_a_question(platform: Platform) -> None:
    for name in ("one", "two"):
        platform.add_agent(name, instances_online=2)
    refused = atlas("agents", "delete", "one", input="n\n")
    assert (refused.exit_code, sorted(platform.agents)) == (1, ["one", "two"])
    agreed = atlas("agents", "delete", "one", input="y\n")
    assert printed(agreed) == "Deleted one.\n"
    assert "Delete ada/one, with its tokens? 2 of its instances are connected. [y/N]:" in agreed.stderr
    assert json.loads(printed(atlas("agents", "delete", "two", "--yes", "--json"))) == {"deleted": "two"}
    assert platform.agents == {}
    assert "there is no agent `two`" in complained(atlas("agents", "delete", "two", "--yes"))


def test_an_instance_that_is_about_to_end_with_its_token_is_shown_in_the_colour_of_a_warning(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    soon = f"{datetime.now(UTC) + timedelta(days=3):%Y-%m-%dT%H:%M:%SZ}"
    ends = INSTANCE | {"token_ends_at": soon, "address": "192.0.2.1"}
    renews = ends | {"id": "i2", "token_renewable": True}
    platform.add_agent("hello", GREET, instances=[ends, renews, INSTANCE | {"id": "i3"}], status="online")
    shown = [line for line in printed(atlas("agents", "show", "hello")).splitlines() if line.startswith("i")]
    assert [line.endswith("192.0.2.1  in 3 d") for line in shown] == [True, True, False]
    monkeypatch.setattr("agentic_atlas.cli.output.terminal", lambda *_: True)
    monkeypatch.setattr("shutil.get_terminal_size", lambda _: os.terminal_size((200, 24)))
    shown = [line for line in printed(atlas("agents", "show", "hello")).splitlines() if "CPython" in line]
    assert [line.startswith("\x1b[33mi1") for line in shown] == [True, False, False]
