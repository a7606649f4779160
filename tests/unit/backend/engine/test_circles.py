from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from agentic_atlas.backend.engine import circles
from agentic_atlas.backend.engine.census import Census, OpenTask
from agentic_atlas.backend.engine.circles import Search
from agentic_atlas.protocol.tasks import TaskState
from tests.unit.backend.domain.examples import task

NOW = 1_000.0


class World:
    """Agents with slots, and tasks that are written down as `child <- parent`."""

    def __init__(self, **slots: int) -> None:
        self.census = Census()
        self.instances = {agent: {f"ins_{agent}": number} for agent, number in slots.items()}

    def slots(self, agent_id: str, _skill: str) -> Mapping[str, int]:
        return self.instances.get(agent_id, {})

    def works(self, name: str, agent: str, parent: str | None = None, **more: Any) -> None:
        fields = {"state": TaskState.WORKING, "attempt": 1, "instance_id": f"ins_{agent}"} | more
        self._add(name, agent, parent, **fields)

    def waits(self, name: str, agent: str, parent: str | None = None, **more: Any) -> None:
        self._add(name, agent, parent, **more)

    def stuck(self, name: str, most: int = circles.MOST_VISITED) -> set[str]:
        search = Search(self.census, self.slots, NOW, most)
        return {one.id for one in search.stuck(self.task(name))}

    def at_once(self, name: str) -> bool:
        return Search(self.census, self.slots, NOW).held_by_ancestors(self.task(name))

    def victim(self, name: str) -> str | None:
        search = Search(self.census, self.slots, NOW)
        found = search.newest_call(search.stuck(self.task(name)))
        return None if found is None else found.id

    def task(self, name: str) -> OpenTask:
        found = self.census.get(name)
        assert found is not None
        return found

    def _add(self, name: str, agent: str, parent: str | None, **fields: Any) -> None:
        self.census.see(task(id=name, agent_id=agent, agent=f"ada/{agent}", parent_id=parent, skill="hit", **fields))


def test_a_call_that_waits_for_slots_that_its_own_ancestors_hold_can_never_begin() -> None:
    world = World(ping=1, pong=1)
    world.works("t1", "ping")
    world.works("t2", "pong", "t1")
    world.waits("t3", "ping", "t2")
    assert world.at_once("t3")
    assert world.stuck("t3") == {"t1", "t2", "t3"}
    assert world.victim("t3") == "t3"


def test_an_agent_that_calls_itself_is_a_circle_too() -> None:
    world = World(ping=2)
    world.works("t1", "ping")
    world.works("t2", "ping", "t1")
    world.waits("t3", "ping", "t2")
    assert world.at_once("t3")


def test_the_error_names_the_chain_from_its_root_and_the_slots() -> None:
    world = World(ping=1, pong=1)
    world.works("t1", "ping")
    world.works("t2", "pong", "t1")
    world.waits("t3", "ping", "t2")
    error = circles.circle_error(world.census, world.task("t3"), world.slots)
    assert error.code == "call_circle"
    assert "ada/ping.hit → ada/pong.hit → ada/ping.hit waits for one of 1 slots of ada/ping" in error.message
    chain = msgspec.json.decode(error.detail)["chain"]
    assert [one["task"] for one in chain] == ["t1", "t2", "t3"]


def test_a_call_waits_while_somebody_else_holds_a_slot_and_works() -> None:
    world = World(ping=2)
    world.works("t1", "ping")
    world.works("other", "ping")
    world.waits("t2", "ping", "t1")
    assert not world.at_once("t2")
    assert world.stuck("t2") == set()


def test_two_chains_that_wait_for_each_others_slots_are_stuck_and_the_newest_call_ends() -> None:
    world = World(ping=1, pong=1)
    world.works("a1", "ping")
    world.works("b1", "pong")
    world.waits("a2", "pong", "a1")
    assert world.stuck("a2") == set()
    world.waits("b2", "ping", "b1")
    assert not world.at_once("a2")
    assert not world.at_once("b2")
    assert world.stuck("a2") == world.stuck("b2") == {"a1", "a2", "b1", "b2"}
    assert world.victim("a2") == world.victim("b2") == "b2"


def test_a_circle_over_three_agents_is_found_from_each_of_its_queues() -> None:
    world = World(one=1, two=1, three=1)
    for name, agent, wanted in (("a", "one", "two"), ("b", "two", "three"), ("c", "three", "one")):
        world.works(f"{name}1", agent)
        world.waits(f"{name}2", wanted, f"{name}1")
    assert {world.victim(name) for name in ("a2", "b2", "c2")} == {"c2"}


def test_who_waits_behind_a_circle_is_stuck_and_is_not_who_ends() -> None:
    world = World(ping=1, pong=1)
    world.works("t1", "ping")
    world.works("t2", "pong", "t1")
    world.waits("t3", "ping", "t2")
    world.waits("t9", "ping")
    assert "t9" in world.stuck("t9")
    assert world.victim("t9") == "t3"


def test_a_newer_call_that_waits_behind_a_circle_is_not_who_ends() -> None:
    world = World(ping=1, pong=1, outside=1)
    world.works("a1", "ping")
    world.works("b1", "pong")
    world.waits("a2", "pong", "a1")
    world.waits("b2", "ping", "b1")
    world.works("c1", "outside")
    world.waits("c2", "ping", "c1")
    assert "c2" in world.stuck("c2")
    assert world.victim("c2") == world.victim("a2") == "b2"


def test_a_wait_becomes_circular_when_the_last_call_that_could_end_has_ended() -> None:
    world = World(ping=1, pong=1)
    world.works("t1", "ping")
    world.works("t2", "pong", "t1")
    world.works("leaf", "elsewhere", "t2")
    world.waits("t3", "ping", "t2")
    assert world.stuck("t3") == set()
    world.census.forget("leaf")
    assert world.victim("t3") == "t3"


@pytest.mark.parametrize(
    "goes_on",
    [
        {"state": TaskState.INPUT_REQUIRED},
        {"cancel_reason": "enough"},
        {"agent": "pong", "instance_id": "ins_gone"},
    ],
)
def test_what_waits_for_a_person_stops_or_is_away_is_no_circle(goes_on: dict[str, Any]) -> None:
    world = World(ping=1, pong=1)
    world.works("t1", "ping")
    world.works("t2", **{"agent": "pong", "parent": "t1"} | goes_on)
    world.waits("t3", "pong", "t2")
    if "cancel_reason" not in goes_on:
        world.waits("t4", "ping", "t2")
    assert world.stuck("t3") == set()


def test_a_retry_that_rests_and_an_agent_that_is_away_are_no_circle() -> None:
    world = World(ping=1)
    world.works("t1", "ping")
    world.waits("t2", "ping", "t1", not_before=NOW + 5.0)
    world.waits("t3", "offline", "t1")
    assert not world.at_once("t2")
    assert world.stuck("t2") == world.stuck("t3") == set()


def test_slots_are_those_of_each_connected_instance() -> None:
    world = World(ping=1)
    world.instances["ping"]["ins_2"] = 1
    world.works("t1", "ping")
    world.works("t2", "ping", "t1")
    world.waits("t3", "ping", "t2")
    assert not world.at_once("t3"), "two tasks of one instance leave the other one free"


def test_a_search_looks_at_so_many_tasks_and_takes_what_it_did_not_see_for_no_circle() -> None:
    world = World(ping=1, pong=1)
    world.works("t1", "ping")
    world.works("t2", "pong", "t1")
    world.waits("t3", "ping", "t2")
    assert world.stuck("t3", most=3) == {"t1", "t2", "t3"}
    assert world.stuck("t3", most=2) == set()


def test_a_busy_agent_costs_a_look_at_two_tasks_however_many_wait() -> None:
    world = World(ping=50)
    for number in range(50):
        world.works(f"w{number}", "ping")
    for number in range(1_000):
        world.waits(f"q{number}", "ping")
    search = Search(world.census, world.slots, NOW)
    assert search.stuck(world.task("q999")) == []
    assert circles.MOST_VISITED - search.left == 2
