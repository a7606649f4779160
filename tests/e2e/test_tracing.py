"""With message tracing on, the life of one task is read from the logs of the processes it went through, by ids alone.

Router and backend are one process here (`atlas up`); its log tells what either says to the other.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agentic_atlas.observe.declared import IDS
from agentic_atlas.observe.events import LINES
from tests.e2e.processes import Platform

AGENT = """
from agentic_atlas import Agent

agent = Agent("greeter")

@agent.skill
async def greet(name: str) -> str:
    return f"Hello, {name}!"

agent.run()
"""
SECRET = "hunter2-is-nobody's-business"

Said = tuple[str, dict[str, Any]]
"""Whose log a line is in, and the line."""


def documents(whose: str, output: str) -> Iterator[Said]:
    for line in output.splitlines():
        if line.startswith("{"):
            yield whose, json.loads(line)


@pytest.fixture
def said(tmp_path: Path) -> Iterator[tuple[str, list[Said], str]]:
    """Give the id of a task, the lines of all logs in the order of their times, and all that was logged."""
    platform = Platform(tmp_path / "network", log_level="trace", log_format="json")
    platform.start()
    try:
        with platform.agent("greeter", AGENT, ATLAS_LOG_LEVEL="trace", ATLAS_LOG_FORMAT="json") as agent:
            agent.wait_for("ready as")
            called = json.loads(platform.atlas("call", "greeter", "greet", f"name={SECRET}", "--json"))
            agent.wait_for("received result_ack")
        output = agent.output
    finally:
        platform.stop()
    logs = platform.process.output, output
    lines = [*documents("network", logs[0]), *documents("agent", logs[1])]
    yield (
        called["id"],
        sorted((one for one in lines if "timestamp" in one[1]), key=lambda one: one[1]["timestamp"]),
        "".join(logs),
    )


def shown(whose: str, line: dict[str, Any]) -> str:
    what = line["event"]
    if what == "message_passed":
        what = line["message"] + (f" of {line['of']}" if "of" in line else "")
    return f"{whose}: {what}"


def test_no_line_says_anything_that_is_not_declared(said: tuple[str, list[Said], str]) -> None:
    always = {"event", "level", "timestamp", "message", "exception", *IDS}
    for whose, line in said[1]:
        known = LINES.get(line["event"])
        assert known is not None, (whose, line)
        assert line["level"] == known.level
        assert set(line) - always <= set(known.fields), (whose, line)


def test_the_whole_way_of_a_task_can_be_read_in_order_by_ids_alone(said: tuple[str, list[Said], str]) -> None:
    task, lines, everything = said
    assert SECRET not in everything
    assert "eyJ" not in everything
    # The task leads to its instance and its trace, these and the numbers of what was answered to the rest.
    (delivered,) = [line for _, line in lines if line.get("of") == "task" and line.get("task") == task]
    agent, instance, trace = delivered["agent"], delivered["instance"], delivered["trace"]
    (reported,) = [line for _, line in lines if line.get("of") == "result" and line.get("task") == task]
    (arrived,) = [line for _, line in lines if line.get("type") == "Arrived" and line["agent"] == agent]
    answers = {("Receipt", reported["number"]), ("Admit", arrived["number"])}

    def belongs(line: dict[str, Any]) -> bool:
        if line.get("task", task) != task or line.get("type") in ("beat", "Heard", "Credit"):
            return False
        known = {line.get("task"), line.get("agent"), line.get("instance")} & {task, agent, instance}
        return bool(known) or (line.get("type"), line.get("number")) in answers

    told = [shown(whose, line) for whose, line in lines if belongs(line)]
    way = [
        "network: token_verified",
        "network: received hello",
        "network: to_backend Arrived",
        "network: to_router Admit",
        "network: sent welcome",
        "agent: received welcome",
        "network: to_router Deliver of task",
        "network: sent task",
        "agent: received task",
        "agent: task_received",
        "agent: task_completed",
        "agent: sent result",
        "network: received result",
        "network: to_backend Reported of result",
        "network: to_router Receipt",
        "network: sent result_ack",
        "agent: received result_ack",
    ]
    assert [one for one in told if one in way] == way
    assert "network: request_answered" in told[told.index("network: to_backend Reported of result") :]
    of_it = [line for _, line in lines if line.get("task") == task and "path" not in line]
    assert {line["trace"] for line in of_it} == {trace}
    assert {line["attempt"] for line in of_it} == {1}
