"""The picture of the network: everybody has a place of their own, with 3 agents and with 200."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import combinations
from typing import Any

import pytest

from agentic_atlas.platform import network_map as picture
from agentic_atlas.platform.network_map import MOST_ALONE, MOST_PLACES, MapNode, NetworkMap, in_turn, together
from agentic_atlas.protocol.caller.agents import AgentSummary
from agentic_atlas.protocol.caller.statistics import CallCount


def summary(name: str, status: str = "online", **more: Any) -> AgentSummary:
    owner, _, short = name.partition("/")
    usual = {
        "name": short,
        "owner": owner,
        "full_name": name,
        "description": "",
        "created_at": datetime(2026, 11, 30, tzinfo=UTC),
        "status": status,
        "instances_online": int(status == "online"),
        "slots_used": 0,
        "slots": 4 if status == "online" else 0,
        "tasks_waiting": 0,
        "disabled": status == "disabled",
        "last_seen_at": None,
    }
    return AgentSummary(**(usual | more))


def asked(caller: str, agent: str, tasks: int = 1, kind: str = "agent") -> CallCount:
    return CallCount(caller_kind=kind, caller=caller, agent=agent, tasks=tasks)


def many(count: int, owners: int = 1) -> list[AgentSummary]:
    return sorted(
        (summary(f"owner{n % owners}/agent{n:03}", "online" if n % 3 else "offline") for n in range(count)),
        key=lambda one: one.full_name,
    )


def network_map(agents: Sequence[AgentSummary], calls: Sequence[CallCount]) -> NetworkMap:
    """Make the picture as the overview does, of all agents that there are."""
    online, alone = [one.full_name for one in agents if one.status == "online"], agents
    if len(agents) > MOST_PLACES:
        turns = in_turn(online, calls)[:MOST_ALONE]
        alone = [one for one in agents if one.full_name in turns]
    return picture.network_map(alone, together(Counter(one.owner for one in agents), online, alone), calls)


def card(made: NetworkMap, key: str) -> MapNode:
    return next(one for one in made.nodes if one.key == key)


def calls(made: NetworkMap) -> list[str]:
    return [line.name for line in made.lines if line.kind == "call"]


@pytest.mark.parametrize(("count", "owners"), [(0, 1), (1, 1), (3, 1), (18, 1), (19, 1), (200, 1), (200, 4), (500, 90)])
def test_no_card_covers_another_and_all_are_in_the_picture(count: int, owners: int) -> None:
    made = network_map(many(count, owners), [])
    for one in made.nodes:
        assert one.x >= 0
        assert one.y >= 0
        assert one.x + one.width <= made.width
        assert one.y + one.height <= made.height
    for one, other in combinations(made.nodes, 2):
        apart = one.x + one.width <= other.x or other.x + other.width <= one.x
        assert apart or one.y + one.height <= other.y or other.y + other.height <= one.y, (one.key, other.key)
    assert len(made.nodes) <= MOST_PLACES + 2


def test_platform_and_router_are_in_the_middle_and_agents_at_both_sides() -> None:
    made = network_map(many(3), [])
    assert [one.kind for one in made.nodes] == ["platform", "router", "agent", "agent", "agent"]
    platform, router, first, second, third = made.nodes
    assert platform.x + platform.width / 2 == router.x + router.width / 2 == made.width / 2
    assert first.x == second.x < platform.x < third.x
    assert first.y < second.y


def test_a_card_says_how_its_agent_is() -> None:
    busy = summary("ada/busy", slots_used=2, tasks_waiting=1_200)
    made = network_map([busy, summary("ada/gone", "offline"), summary("ada/shut", "disabled", tasks_waiting=1)], [])
    assert card(made, "ada/busy").name == "ada/busy, online: 2 of 4 slots, 1,200 waiting"
    assert card(made, "ada/gone").name == "ada/gone: offline"
    assert (card(made, "ada/shut").text, card(made, "ada/shut").path) == ("disabled, 1 waiting", "/agents/ada/shut")
    linked = [line.name for line in made.lines if line.kind == "link"]
    assert linked == ["Platform and router", "ada/busy is connected"]


def test_a_long_name_keeps_its_beginning_and_its_end() -> None:
    name = "ada/" + "a" * 50 + "-and-the-end"
    made = card(network_map([summary(name)], []), name)
    assert made.title == "ada/aaaaaaaaaa…-and-the-end"
    assert made.name.startswith(name)


def test_lines_lead_from_who_asks_to_whom_they_ask() -> None:
    agents = [summary("ada/a"), summary("ada/b"), summary("ada/c")]
    made = network_map(agents, [
        asked("ada/a", "ada/b", 5), asked("ada/b", "ada/a"), asked("ada/c", "ada/c", 9),
        asked("ada", "ada/c", 2, "user"),
        asked("eve", "ada/c", 3, "user"), asked("agt_gone", "ada/a"), asked("ada/a", "eve/unseen"),
    ])  # fmt: skip
    assert calls(made) == [
        "ada/a asked ada/b: 5 tasks", "ada/b asked ada/a: 1 task", "Platform asked ada/c: 5 tasks",
    ]  # fmt: skip
    there, back, _ = (line for line in made.lines if line.kind == "call")
    assert there.d != back.d
    assert there.width > back.width
    a = card(made, "ada/a")
    assert there.d.startswith(f"M{a.x + a.width} ")


def test_a_user_who_is_called_like_an_agent_is_none() -> None:
    made = network_map([summary("ada/a"), summary("ada/b")], [asked("ada/a", "ada/b", kind="user")])
    assert calls(made) == ["Platform asked ada/b: 1 task"]


def test_of_many_the_busiest_stand_alone_and_the_others_by_owner() -> None:
    agents = many(200, 2)
    made = network_map(
        agents, [asked("owner1/agent199", "owner0/agent198", 7), asked("owner1/agent001", "owner0/agent198")]
    )
    alone = [one.key for one in made.nodes if one.kind == "agent"]
    assert len(alone) == MOST_ALONE
    assert {"owner1/agent199", "owner0/agent198", "owner1/agent001"} <= set(alone)
    groups = [one for one in made.nodes if one.kind == "group"]
    assert [one.key for one in groups] == ["owner0/", "owner1/"]
    assert sum(int(one.title.split()[0]) for one in groups) == 200 - MOST_ALONE
    assert calls(made) == [
        "owner1/agent001 asked owner0/agent198: 1 task", "owner1/agent199 asked owner0/agent198: 7 tasks",
    ]  # fmt: skip


def test_it_is_the_turn_of_the_most_calls_then_of_who_is_there() -> None:
    calls = [
        asked("ada/a", "ada/b", 5),
        asked("ada/c", "ada/b", 7),
        asked("agt_gone", "ada/c"),
        asked("eve", "ada/a", 1, "user"),
    ]
    assert in_turn(["ada/y", "ada/x", "ada/a"], calls) == ["ada/b", "ada/c", "ada/a", "ada/x", "ada/y"]


def test_of_many_nobody_stands_alone_who_is_not_there_and_has_no_part() -> None:
    agents = [summary(f"ada/{n:03}", "offline") for n in range(60)]
    made = network_map(agents, [asked("ada/007", "ada/008")])
    assert [one.key for one in made.nodes if one.kind in ("agent", "group")] == ["ada/007", "ada/008", "ada/"]
    assert card(made, "ada/").text == "0 online, 58 not"


def test_of_many_owners_those_of_the_fewest_agents_stand_together() -> None:
    groups = [one for one in network_map(many(500, 90), []).nodes if one.kind == "group"]
    assert len(groups) == MOST_PLACES - MOST_ALONE
    assert groups[-1].title.endswith("agents of others")
    assert sum(int(one.title.split()[0]) for one in groups) == 500 - MOST_ALONE


def test_the_same_network_makes_the_same_picture() -> None:
    asks = [asked("owner0/agent000", "owner1/agent001", 3)]
    assert network_map(many(60, 3), asks) == network_map(many(60, 3), asks)
