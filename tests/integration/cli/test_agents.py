from __future__ import annotations

import json

import pytest

from agentic_atlas.cli import completion
from tests.integration.cli.commands import atlas, complained, printed
from tests.integration.cli.platform_server import AT, GREET, Platform
from tests.integration.client.client_server import error

INSTANCE = {"id": "i1", "host": "box", "pid": 7, "online": True, "runtime": "CPython 3.11", "connected_at": AT}


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


def test_no_agents_yet_is_said_beside_an_empty_answer(platform: Platform) -> None:
    result = atlas("agents")
    assert printed(result) == ""
    assert "atlas init NAME" in result.stderr


def test_one_agent_is_shown_with_skills_and_instances(platform: Platform) -> None:
    platform.add_agent("hello", GREET, instances=[INSTANCE], status="online")
    shown = printed(atlas("agents", "show", "hello"))
    assert "ada/hello" in shown
    assert "\n    name   text\n    times  whole number = 1\n  atlas call hello greet name=TEXT\n" in shown
    assert "box" in shown
    assert json.loads(printed(atlas("agents", "show", "hello", "--json")))["skills"][0]["name"] == "greet"


def test_an_agent_that_is_not_there_is_a_sentence(platform: Platform) -> None:
    assert complained(atlas("agents", "show", "hullo")) == "there is no agent `hullo`"
    assert json.loads(complained(atlas("agents", "show", "hullo", "--json")))["error"]["code"] == "agent_not_found"


def test_the_shell_is_offered_the_names_that_begin_so(platform: Platform) -> None:
    platform.add_agent("hello")
    platform.add_agent("help")
    platform.add_agent("other")
    assert completion.agents("hel") == ["hello", "help"]


def test_the_shell_is_offered_nothing_when_the_platform_cannot_be_asked(platform: Platform) -> None:
    platform.refuses = error(503, "unavailable")
    assert completion.agents("") == []


def test_the_shell_is_offered_nothing_without_a_key() -> None:
    assert completion.agents("") == []
