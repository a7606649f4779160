"""Questions to a person, through the end of every process that has to do with them."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from agentic_atlas import Client, Conflict, InvalidInput, TaskError
from agentic_atlas.protocol.caller.tasks import TaskInfo
from agentic_atlas.sdk.client.blocking import BlockingTask
from tests.e2e.processes import PATIENCE, Platform, connected

ASKING = """
from typing import Literal
from agentic_atlas import Agent, Context, NoAnswer, SyncContext

agent = Agent("asking", concurrency=4)

@agent.skill
async def publish(ctx: Context, title: str) -> str:
    print("begins", ctx.attempt, flush=True)
    colour = await ctx.ask(f"Which colour for {title}?", Literal["red", "blue"])
    print("got colour", colour, flush=True)
    size = await ctx.ask("Which size?", int)
    print("got size", size, flush=True)
    return f"{title} in {colour}, {size}"

@agent.skill
def blocking(ctx: SyncContext) -> str:
    return "you said " + ctx.ask("What?", str)

@agent.skill(timeout=1)
async def patient(ctx: Context) -> str:
    return await ctx.ask("Take your time?", str)

@agent.skill
async def hasty(ctx: Context) -> str:
    try:
        return await ctx.ask("Quick?", timeout=0.2)
    except NoAnswer:
        return "nobody was there"

@agent.skill
async def soon(ctx: Context) -> str:
    try:
        return await ctx.ask("Soon?", timeout=2)
    except NoAnswer:
        return "nobody came"

@agent.skill(delivery="at_most_once")
async def once(ctx: Context) -> str:
    return await ctx.ask("Sure?")

if __name__ == "__main__":
    agent.run()
"""


def until(task: BlockingTask, found: Callable[[TaskInfo], object]) -> TaskInfo:
    """Wait for the task to look like this, event by event."""
    ends = time.monotonic() + PATIENCE
    while not found(info := task.refresh()):
        assert time.monotonic() < ends, info
        for event in task.events(info.last_seq):
            del event
            break
    return info


def asks(number: int) -> Callable[[TaskInfo], object]:
    return lambda info: info.question is not None and info.question.number == number


def test_a_question_outlives_the_platform_and_its_task_is_completed_once(platform: Platform, client: Client) -> None:
    with platform.agent("asking", ASKING) as agent:
        agent.wait_for(connected)
        task = client.submit("asking", "publish", title="Atlas")
        waiting = until(task, asks(1))
        assert (waiting.state, waiting.note) == (
            "input_required",
            "waits for an answer to question 1: Which colour for Atlas?",
        )
        platform.kill()
        platform.start()
        with Client(platform.url, api_key=platform.api_key) as again:
            same = again.tasks.get(task.id)
            assert same.info.question == waiting.question
            with pytest.raises(InvalidInput):
                same.answer("green")
            same.answer("blue")
            until(same, asks(2))
            same.answer(7)
            assert same.result(PATIENCE) == "Atlas in blue, 7"
            with pytest.raises(Conflict):
                same.answer(8)
            assert same.refresh().attempt == 1
        assert agent.output.count("begins") == 1


def test_an_answer_given_while_the_agent_is_cut_off_reaches_it(platform: Platform, client: Client) -> None:
    with platform.agent("asking", ASKING) as agent:
        agent.wait_for(connected)
        task = client.submit("asking", "blocking")
        until(task, asks(1))
        assert platform.stop() == 0
        agent.wait_for("lost")
        platform.start()
        with Client(platform.url, api_key=platform.api_key) as again:
            # The agent may not be back yet.
            again.tasks.answer(task.id, "hello")
            assert again.tasks.get(task.id).result(PATIENCE) == "you said hello"


@pytest.mark.timeout(120)
def test_an_agent_that_was_killed_is_not_asked_for_answers_it_had(platform: Platform) -> None:
    platform.stop()
    platform.environ["ATLAS_GRACE"] = "1"
    platform.start()
    token = platform.token("asking")
    with Client(platform.url, api_key=platform.api_key) as client:
        with platform.agent("asking", ASKING, token=token) as agent:
            agent.wait_for(connected)
            task = client.submit("asking", "publish", title="Atlas")
            until(task, asks(1))
            task.answer("red")
            agent.wait_for("got colour red")
            until(task, asks(2))
            agent.kill()
        with platform.agent("asking", ASKING, token=token) as agent:
            agent.wait_for("begins 2")
            agent.wait_for("got colour red")
            until(task, asks(2))
            task.answer(3)
            assert task.result(PATIENCE) == "Atlas in red, 3"
        info = task.refresh()
        assert [(one.number, one.answer) for one in info.questions] == [(1, "red"), (2, 3)]
        kinds = [event.data["number"] for event in task.events() if event.kind == "question"]
        assert kinds == [1, 2, 2]


@pytest.mark.timeout(120)
def test_an_at_most_once_task_whose_agent_is_killed_while_it_waits_has_an_unknown_outcome(platform: Platform) -> None:
    platform.stop()
    platform.environ["ATLAS_GRACE"] = "1"
    platform.start()
    with Client(platform.url, api_key=platform.api_key) as client:
        with platform.agent("asking", ASKING) as agent:
            agent.wait_for(connected)
            task = client.submit("asking", "once")
            until(task, asks(1))
            agent.kill()
        with pytest.raises(TaskError) as ended:
            task.result(PATIENCE)
        assert ended.value.code == "outcome_unknown"
        with pytest.raises(Conflict):
            task.answer("too late", question=1)


def test_nobody_answering_is_something_a_skill_can_live_with(platform: Platform, client: Client) -> None:
    with platform.agent("asking", ASKING) as agent:
        agent.wait_for(connected)
        task = client.submit("asking", "hasty")
        assert task.result(PATIENCE) == "nobody was there"
        assert [one.state for one in task.refresh().questions] == ["expired"]


def test_a_question_expires_through_a_kill_of_the_platform(platform: Platform, client: Client) -> None:
    with platform.agent("asking", ASKING) as agent:
        agent.wait_for(connected)
        task = client.submit("asking", "soon")
        until(task, asks(1))
        platform.kill()
        platform.start()
        with Client(platform.url, api_key=platform.api_key) as again:
            assert again.tasks.get(task.id).result(PATIENCE) == "nobody came"


def test_waiting_for_a_person_is_no_time_of_the_skill(platform: Platform, client: Client) -> None:
    with platform.agent("asking", ASKING) as agent:
        agent.wait_for(connected)
        task = client.submit("asking", "patient")
        until(task, asks(1))
        # Longer than the timeout of the skill: nothing else shows that it stands still.
        assert not task.refresh(wait=2.0).done
        task.answer("done")
        assert task.result(PATIENCE) == "done"


def test_a_task_that_waits_for_a_person_is_canceled_at_once(platform: Platform, client: Client) -> None:
    with platform.agent("asking", ASKING) as agent:
        agent.wait_for(connected)
        for skill in ("once", "blocking"):
            task = client.submit("asking", skill)
            until(task, asks(1))
            task.cancel("enough")
            with pytest.raises(TaskError) as ended:
                task.result(PATIENCE)
            assert ended.value.state == "canceled"
