"""What runs in an agent's slots, and how its tasks are delivered, in words."""

from __future__ import annotations

from msgspec.structs import replace

from agentic_atlas.platform.pages.agent import policy_words, row
from agentic_atlas.platform.pages.agent_settings import seen_by
from agentic_atlas.protocol.caller.agents import HeldTask
from agentic_atlas.protocol.messages import Delivery, Policy
from tests.unit.platform.test_arrival import AGENT, instance


def test_an_instance_is_shown_with_how_it_is_and_what_it_runs() -> None:
    held = tuple(HeldTask(id=f"tsk_{n}", skill="say", state="working") for n in range(8))
    told = row(replace(instance(), slots_used=9, tasks=held, cpu=12.34, memory_bytes=84_000_000))
    assert [task.id for task in told.tasks] == ["tsk_0", "tsk_1", "tsk_2", "tsk_3", "tsk_4"]
    assert (told.more, told.cpu, told.memory, told.held_up) == (4, "12 %", "84 MB", "")
    new = row(instance())
    assert (new.more, new.cpu, new.memory, new.held_up) == (0, "", "", "")


def test_why_an_instance_is_given_nothing_new_is_told() -> None:
    assert row(replace(instance(), holdup="blocked", lag=1.5)).held_up == "its loop is 1.5 s late"
    assert row(replace(instance(), holdup="draining")).held_up == "about to end"
    assert row(replace(instance(), holdup="of a later server")).held_up == ""


def test_a_policy_is_told_where_it_is_not_the_usual() -> None:
    assert policy_words(Policy(), streams=False) == []
    assert policy_words(Policy(delivery=Delivery.AT_MOST_ONCE, timeout=1.5), streams=True) == [
        "streams its output", "at most once", "at most 1.5 s",
    ]  # fmt: skip
    assert policy_words(Policy(max_attempts=1, retries=2), streams=False) == [
        "1 attempt if its process is lost", "2 retries after an error",
    ]  # fmt: skip


def test_it_is_told_who_sees_an_agent() -> None:
    assert seen_by(AGENT, []) == "ada, and administrators"
    assert seen_by(AGENT, ["eve", "group:kitchen"]) == "ada, eve, group:kitchen, and administrators"
    assert seen_by(AGENT, ["eve", "everyone"]) == "everyone on this network"
