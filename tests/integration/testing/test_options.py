"""Every option of a task has its effect in memory too: it is the same network that heeds it."""

from __future__ import annotations

import asyncio
import inspect

import pytest

from agentic_atlas import Agent, AsyncClient, InvalidInput, TaskError, Unavailable
from agentic_atlas.testing import AsyncCaller, running
from tests.integration.testing.agents import HOUR, Flaky, new_worker, worker


def test_the_options_are_those_of_a_client() -> None:
    theirs, ours = (inspect.signature(kind).parameters for kind in (AsyncClient.submit, AsyncCaller.submit))
    names = {name for name, one in theirs.items() if one.kind is one.KEYWORD_ONLY}
    assert {name for name, one in ours.items() if one.kind is one.KEYWORD_ONLY} == names


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
