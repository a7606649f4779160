"""An agent that keeps its own limits: it takes nothing new, says why, and comes back by itself."""

import time
from collections.abc import Callable
from pathlib import Path

from agentic_atlas import Client
from tests.e2e.processes import PATIENCE, Platform, connected

GREEDY = """
import ctypes, gc, threading, time
from pathlib import Path
import psutil
from agentic_atlas import Agent

LIMIT = psutil.Process().memory_info().rss + 150_000_000
agent = Agent("greedy", max_memory=LIMIT)
held = []

def free() -> None:
    while not Path("free").exists():
        time.sleep(0.05)
    held.clear()

@agent.skill
def eat() -> str:
    held.append(b"x" * 200_000_000)
    threading.Thread(target=free, daemon=True).start()
    return "full"

@agent.skill
def say(text: str) -> str:
    return text

if __name__ == "__main__":
    agent.run()
"""

RESTING = """
from agentic_atlas import Agent

agent = Agent("resting")

@agent.skill
def say(text: str) -> str:
    return text

if __name__ == "__main__":
    agent.run()
"""


def until(seen: Callable[[], bool]) -> None:
    ends = time.monotonic() + PATIENCE
    while not seen():
        assert time.monotonic() < ends, "it did not happen in time"
        time.sleep(0.1)


def test_an_agent_over_its_memory_takes_nothing_new_and_comes_back_by_itself(
    platform: Platform, client: Client
) -> None:
    def holdup() -> str | None:
        (instance,) = client.agents.get("greedy").instances
        return instance.holdup

    with platform.agent("greedy", GREEDY) as agent:
        agent.wait_for(connected)
        assert client.call("greedy", "say", text="hungry") == "hungry"
        assert client.call("greedy", "eat") == "full"
        until(lambda: holdup() == "memory")
        agent.wait_for("max_memory")
        waiting = client.submit("greedy", "say", text="later")
        note = waiting.refresh().note or ""
        assert "its instance takes no tasks at the moment: it takes more memory than its max_memory" in note
        (agent.folder / "free").touch()
        assert waiting.result(PATIENCE) == "later"
        assert holdup() is None
        agent.wait_for("takes new tasks again")


def test_an_agent_that_starts_in_its_quiet_hours_is_given_none_of_the_tasks_that_wait(
    platform: Platform, client: Client, tmp_path: Path
) -> None:
    token = platform.token("resting")
    with platform.agent("resting", RESTING, token=token) as agent:
        agent.wait_for(connected)
    waiting = client.submit("resting", "say", text="in the morning")
    with platform.agent("resting", RESTING, token=token, ATLAS_QUIET_HOURS="0:00-24:00") as agent:
        agent.wait_for(connected)
        until(lambda: "quiet hours" in (waiting.refresh().note or ""))
        assert waiting.refresh().attempt == 0
    with platform.agent("resting", RESTING, token=token) as agent:
        assert waiting.result(PATIENCE) == "in the morning"


def test_limits_that_cant_be_read_are_one_sentence_and_the_agent_does_not_start(platform: Platform) -> None:
    with platform.agent("resting", RESTING, ATLAS_MAX_MEMORY="plenty") as agent:
        assert agent.wait() == 2
        assert "max_memory (ATLAS_MAX_MEMORY) is a number of bytes" in agent.output
