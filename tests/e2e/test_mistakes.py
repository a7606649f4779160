"""What goes wrong in a skill or a call stays there."""

import pytest

from agentic_atlas import Client
from agentic_atlas.errors import InvalidInput, NotFound, TaskError, Unavailable
from tests.e2e.processes import Platform, connected

SKILLS = """
from agentic_atlas import Agent, Context

agent = Agent("clumsy")

@agent.skill
def divide(a: int, b: int) -> float:
    return a / b

@agent.skill
async def give_up() -> None:
    raise SystemExit(3)

@agent.skill
async def decline(ctx: Context) -> None:
    ctx.reject("not today")

@agent.skill
async def impossible() -> object:
    return object()

if __name__ == "__main__":
    agent.run()
"""


@pytest.fixture
def calls(platform: Platform, client: Client):
    with platform.agent("clumsy", SKILLS) as agent:
        agent.wait_for(connected)
        yield client


def test_an_exception_fails_its_task_only(calls: Client) -> None:
    with pytest.raises(TaskError) as caught:
        calls.call("clumsy", "divide", a=1, b=0)
    assert (caught.value.state, caught.value.code) == ("failed", "handler_error")
    assert "ZeroDivisionError" in caught.value.message
    with pytest.raises(TaskError):
        calls.call("clumsy", "give_up")
    with pytest.raises(TaskError) as caught:
        calls.call("clumsy", "impossible")
    assert caught.value.code == "invalid_output"
    with pytest.raises(TaskError) as caught:
        calls.call("clumsy", "decline")
    assert (caught.value.state, caught.value.message) == ("rejected", "not today")
    assert calls.call("clumsy", "divide", a=3, b=2) == 1.5


def test_an_input_that_breaks_the_schema_is_refused_and_not_stored(calls: Client) -> None:
    with pytest.raises(InvalidInput) as caught:
        calls.call("clumsy", "divide", a=1, b="two")
    assert [fault["path"] for fault in caught.value.detail] == ["/b"]
    with pytest.raises(InvalidInput):
        calls.call("clumsy", "divide", a=1)
    assert list(calls.tasks.list()) == []


def test_what_does_not_exist_is_named(calls: Client) -> None:
    with pytest.raises(NotFound) as caught:
        calls.call("clumsy", "multiply")
    assert caught.value.code == "skill_not_found"
    assert "divide" in caught.value.message
    with pytest.raises(NotFound) as caught:
        calls.call("nobody", "divide")
    assert caught.value.code == "agent_not_found"


def test_a_call_to_an_agent_that_is_offline_says_so_at_once(client: Client, platform: Platform) -> None:
    with platform.agent("clumsy", SKILLS) as agent:
        agent.wait_for(connected)
        assert client.call("clumsy", "divide", a=4, b=2) == 2.0
        agent.stop()
    with pytest.raises(Unavailable) as caught:
        client.call("clumsy", "divide", a=4, b=2)
    assert caught.value.code == "agent_offline"
