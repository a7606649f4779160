from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from agentic_atlas import Agent, Context, InvalidInput, TaskError
from agentic_atlas.sdk.client.errors import NotFinished
from agentic_atlas.testing import running
from tests.integration.testing.agents import HOUR, Flaky, Gated, new_worker, worker


@pytest.fixture(autouse=True)
def nobody_waits() -> Iterator[None]:
    began = time.monotonic()
    yield
    assert time.monotonic() - began < 5


def test_a_retry_does_not_wait_for_its_back_off() -> None:
    with running(Flaky(2).agent) as flaky:
        task = flaky.submit("work")
        assert task.result() == 3
        states = [event.data["state"] for event in task.events() if event.kind == "state"]
        assert states.count("submitted") == 3
        created, ended = task.info.created_at, task.info.ended_at
    assert created is not None
    assert ended is not None
    assert ended - created >= timedelta(seconds=2 * HOUR - 1)


def test_retries_come_to_an_end() -> None:
    flaky = Flaky(9, retries=2)
    with running(flaky.agent) as caller, pytest.raises(TaskError, match="the model is not there") as caught:
        caller.call("work")
    assert caught.value.code == "handler_error"
    assert flaky.left == 6


def test_a_timeout_of_a_skill_that_hangs_comes_at_once() -> None:
    with running(worker()) as hello, pytest.raises(TaskError) as caught:
        hello.call("hang")
    assert caught.value.code == "timeout"


def test_a_timeout_of_one_task_replaces_that_of_the_skill() -> None:
    with running(worker()) as hello:
        assert hello.call("sleep", seconds=10 * HOUR) == 10 * HOUR
        with pytest.raises(TaskError) as caught:
            hello.submit("sleep", seconds=10 * HOUR, timeout=60).result()
    assert caught.value.code == "timeout"


def test_a_deadline_is_kept_and_told() -> None:
    with running(worker()) as hello:
        deadline = datetime.now(UTC) + timedelta(hours=1)
        assert HOUR - 60 < hello.submit("who", deadline=deadline).result()["time_left"] < HOUR + 60
        with pytest.raises(TaskError) as caught:
            hello.submit("sleep", seconds=10 * HOUR, deadline=deadline).result()
        assert caught.value.code == "deadline_exceeded"
        with pytest.raises(InvalidInput, match="over already"):
            hello.submit("who", deadline=deadline)
        with pytest.raises(InvalidInput, match="its zone"):
            hello.submit("who", deadline=datetime(2030, 1, 1))  # noqa: DTZ001 - that is the point


def test_a_wait_with_a_timeout_ends_and_the_task_with_it() -> None:
    with running(worker()) as hello:
        with pytest.raises(NotFinished, match="not done after 60 s"):
            hello.call("sleep", seconds=HOUR, timeout=60)
        task = hello.submit("sleep", seconds=HOUR)
        with pytest.raises(NotFinished):
            task.result(timeout=60)
        assert task.result() == HOUR


def test_time_does_not_jump_while_the_test_does_something_else() -> None:
    with running(worker()) as hello:
        task = hello.submit("sleep", seconds=HOUR)
        assert hello.call("add", a=1, b=2) == 3
        time.sleep(0.05)
        assert task.info.state == "working"
        assert task.cancel().cancel_requested


def test_time_does_not_jump_while_a_function_runs_in_a_thread() -> None:
    agent = Agent("slow")

    @agent.skill(timeout=HOUR)
    def work() -> str:
        time.sleep(0.05)
        return "done"

    with running(agent) as slow:
        assert slow.call("work") == "done"


def test_a_thread_that_waits_for_another_agent_does_not_hold_up_time() -> None:
    with running(worker(), Flaky(2).agent) as hello:
        assert hello.call("ask_in_thread", agent="flaky", skill="work", input={}) == 3


def test_a_call_of_itself_for_which_there_is_no_slot_ends() -> None:
    with running(new_worker(concurrency=1)) as hello, pytest.raises(TaskError) as caught:
        hello.call("ask", agent="worker", skill="add", input={"a": 1, "b": 2})
    assert "call_circle" in str(caught.value.detail)


def test_a_task_that_waits_for_nothing_is_given_up() -> None:
    agent = Agent("stuck")

    @agent.skill
    async def work(ctx: Context) -> None:
        await asyncio.Event().wait()

    with running(agent) as stuck, pytest.raises(NotFinished, match="was not done"):
        stuck.call("work")


def test_a_cancel_that_is_not_answered_ends_the_task_all_the_same() -> None:
    agent = Agent("stubborn")

    @agent.skill
    async def work() -> str:
        for _ in range(3):
            try:
                await asyncio.sleep(HOUR)
            except asyncio.CancelledError:
                continue
        return "done"

    with running(agent) as stubborn:
        task = stubborn.submit("work")
        next(event for event in task.events() if event.data.get("accepted"))
        task.cancel("enough")
        with pytest.raises(TaskError, match="enough"):
            task.result()


def test_a_slot_that_a_cancelled_function_still_has_is_waited_for() -> None:
    gated = Gated(concurrency=1)
    with running(gated.agent) as caller:
        first = caller.submit("work")
        assert gated.entered.acquire(timeout=5)
        second = caller.submit("work")
        first.cancel()
        gated.open.set()
        assert second.result() is False
