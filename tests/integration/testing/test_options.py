"""Every option of a task has its effect in memory too: it is the same network that heeds it."""

from __future__ import annotations

import asyncio
import inspect

import pytest

from agentic_atlas import Agent, AsyncClient, Context, InvalidInput, TaskError, Unavailable
from agentic_atlas.testing import AsyncCaller, Caller, running
from tests.integration.testing.agents import HOUR, Flaky, new_worker, worker


@pytest.mark.parametrize("name", ["call", "submit", "stream"])
def test_the_options_are_those_of_a_client(name: str) -> None:
    theirs = dict(inspect.signature(getattr(AsyncClient, name)).parameters)
    del theirs["agent"]
    for kind in (AsyncCaller, Caller):
        assert dict(inspect.signature(getattr(kind, name)).parameters) == theirs


def test_a_stream_is_what_is_reported_and_the_output() -> None:
    with running(worker()) as hello:
        told = [(event.kind, event.data) for event in hello.stream("greet", name="Ada")]
    assert [kind for kind, _ in told] == ["log", "progress", "result"]
    assert told[-1] == ("result", "Hello, Ada!")


def test_a_reader_that_leaves_a_stream_early_cancels_its_task() -> None:
    stopped: list[bool] = []
    agent = Agent("endless")

    @agent.skill
    async def work(ctx: Context) -> None:
        await ctx.progress(0.5)
        try:
            await asyncio.sleep(HOUR)
        finally:
            stopped.append(ctx.cancelled)

    with running(agent) as endless:
        assert next(endless.stream("work")).kind == "progress"
    assert stopped == [True]


def test_retries_may_be_asked_for_in_place_of_the_skills_own() -> None:
    flaky = Flaky(2, retries=0)
    with running(flaky.agent) as caller:
        task = caller.submit("work", retries=2)
        assert task.result() == 3
        assert task.info.retries == 2


def test_a_skill_that_must_not_run_twice_is_not_tried_again() -> None:
    flaky = Flaky(1, retries=3)
    with running(flaky.agent) as caller:
        task = caller.submit("work", delivery="at_most_once")
        with pytest.raises(TaskError, match="the model is not there"):
            task.result()
        assert (task.info.delivery, task.info.retries, task.info.attempt) == ("at_most_once", 0, 1)


def test_a_policy_that_contradicts_itself_is_refused_before_there_is_a_task() -> None:
    agent = Agent("careful")

    @agent.skill(delivery="at_most_once")
    async def pay() -> None:
        return None

    with running(agent) as careful:
        with pytest.raises(InvalidInput) as laxer:
            careful.submit("pay", delivery="at_least_once")
        with pytest.raises(InvalidInput) as twice:
            careful.submit("pay", retries=1)
        assert {laxer.value.code, twice.value.code} == {"unsafe_policy"}


def test_the_number_of_attempts_is_that_of_the_task() -> None:
    with running(worker()) as hello:
        task = hello.submit("add", a=1, b=2, max_attempts=7)
        assert task.result() == 3
        assert task.info.max_attempts == 7


def test_a_task_waits_for_a_slot_as_long_as_it_is_to() -> None:
    agent = Agent("single", concurrency=1)

    @agent.skill
    async def work() -> None:
        await asyncio.sleep(HOUR)

    with running(agent) as single:
        first, second = single.submit("work"), single.submit("work", queue_ttl=60)
        assert second.info.waits_until is not None
        with pytest.raises(TaskError) as ended:
            second.result()
        assert ended.value.code == "agent_offline"
        assert first.result() is None


def test_a_task_that_would_wait_for_nobody_is_refused_when_its_agent_has_stopped() -> None:
    agent = new_worker()

    @agent.skill
    async def leave() -> None:
        agent.stop()

    with running(agent) as hello:
        hello.call("leave")
        with pytest.raises(Unavailable) as away:
            for _ in range(1_000):
                hello.submit("add", a=1, b=2, queue_ttl=0).result()
        assert away.value.code == "agent_offline"
