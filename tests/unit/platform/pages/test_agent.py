"""What runs in an agent's slots, and how its tasks are delivered, in words."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from msgspec.structs import replace

from agentic_atlas.platform.pages.agent import policy_words, rows
from agentic_atlas.platform.pages.agent_settings import seen_by
from agentic_atlas.protocol.messages import Delivery, Policy
from tests.unit.platform.test_arrival import AGENT, instance


def test_an_instance_is_shown_with_what_it_runs() -> None:
    running: Any = [SimpleNamespace(id=f"tsk_{n}", instance_id="ins_1" if n else "ins_9") for n in range(8)]
    (row,) = rows([replace(instance(), slots_used=9)], cast("Any", running))
    assert [task.id for task in row.tasks] == ["tsk_1", "tsk_2", "tsk_3", "tsk_4", "tsk_5"]
    assert row.more == 4
    assert rows([instance()], [])[0].more == 0


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
