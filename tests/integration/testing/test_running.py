from __future__ import annotations

import asyncio
import contextvars
import os
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from agentic_atlas import (
    Agent,
    ConfigurationError,
    Conflict,
    InvalidInput,
    NotFound,
    PayloadTooLarge,
    TaskError,
    Unavailable,
)
from agentic_atlas.testing import running
from tests.integration.testing.agents import Gated, new_worker, worker

SECONDS = 5.0


def test_three_lines_are_a_test() -> None:
    with running(worker()) as hello:
        assert hello.call("greet", name="Ada") == "Hello, Ada!"


def test_the_input_may_be_a_mapping_and_keywords() -> None:
    with running(worker()) as hello:
        assert hello.call("greet", {"name": "Ada"}, times=2) == "Hello, Ada! Hello, Ada!"
        with pytest.raises(InvalidInput, match="given twice"):
            hello.call("greet", {"name": "Ada"}, name="Bo")


def test_a_plain_function_runs_too() -> None:
    with running(worker()) as hello:
        assert hello.call("add", a=1, b=2) == 3


def test_skills_see_the_context_variables_of_the_test_and_of_the_lifespan() -> None:
    test = contextvars.ContextVar[str]("test")
    life = contextvars.ContextVar[str]("life")
    test.set("set by the test")

    @asynccontextmanager
    async def lifespan(_agent: Agent) -> AsyncIterator[None]:
        life.set("set in the lifespan")
        yield

    agent = Agent("seer", lifespan=lifespan)

    @agent.skill
    async def see() -> list[str]:
        return [test.get(), life.get()]

    @agent.skill
    def see_in_a_thread() -> list[str]:
        return [test.get(), life.get()]

    with running(agent) as seer:
        seen = ["set by the test", "set in the lifespan"]
        assert [seer.call("see"), seer.call("see_in_a_thread")] == [seen, seen]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:This process.*multi-threaded:DeprecationWarning")
def test_agents_of_a_parent_process_say_at_once_that_they_are_not_in_the_child() -> None:
    with running(worker()) as hello:
        child = os.fork()
        if child == 0:
            try:
                hello.call("greet", name="Ada")
            except ConfigurationError:
                os._exit(0)
            finally:
                os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert hello.call("greet", name="Ada") == "Hello, Ada!"


def test_a_task_tells_its_events_in_order_until_it_is_done() -> None:
    with running(worker()) as hello:
        task = hello.submit("greet", name="Ada")
        events = list(task.events())
        assert task.result() == "Hello, Ada!"
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert [event.kind for event in events] == ["state", "state", "state", "log", "progress", "state"]
    assert [event.data["state"] for event in events if event.kind == "state"] == [
        "submitted",
        "working",
        "working",
        "completed",
    ]
    assert events[4].data == {"fraction": 0.5, "message": "half way"}
    assert events[-1].ends


def test_a_reader_may_begin_behind_an_event() -> None:
    with running(worker()) as hello:
        task = hello.submit("greet", name="Ada")
        task.result()
        assert [event.seq for event in task.events(after=4)] == [5, 6]


def test_a_stream_is_chunks_and_their_list() -> None:
    with running(worker()) as hello:
        task = hello.submit("count", to=3)
        chunks = [event.data["value"] for event in task.events() if event.kind == "chunk"]
        assert chunks == task.result() == [0, 1, 2]


def test_a_long_stream_comes_whole() -> None:
    with running(worker()) as hello:
        assert hello.call("count", to=1_000) == list(range(1_000))


def test_a_wait_that_is_no_number_of_seconds_is_refused_before_there_is_a_task() -> None:
    ran: list[int] = []
    agent = Agent("counter")

    @agent.skill
    def count(n: int) -> None:
        ran.append(n)

    with running(agent) as counter:
        for wrong in (-1, "3"):
            with pytest.raises(InvalidInput, match="timeout is "):
                counter.call("count", n=0, timeout=wrong)
        counter.call("count", n=1)
    assert ran == [1]


def test_an_error_of_the_skill_is_a_task_error_and_the_agent_goes_on() -> None:
    with running(worker()) as hello:
        with pytest.raises(TaskError, match="ZeroDivisionError") as caught:
            hello.call("divide", a=1, by=0)
        assert (caught.value.code, caught.value.state) == ("handler_error", "failed")
        assert hello.call("divide", a=1, by=2) == 0.5


def test_the_traceback_of_a_failed_skill_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    with running(worker()) as hello, pytest.raises(TaskError):
        hello.call("divide", a=1, by=0)
    assert "return a / by" in capsys.readouterr().err


def test_a_rejection_is_told_with_its_own_code() -> None:
    with running(worker()) as hello, pytest.raises(TaskError, match="not today") as caught:
        hello.call("decline")
    assert (caught.value.code, caught.value.state) == ("closed", "rejected")


def test_an_input_that_does_not_fit_is_refused_before_there_is_a_task() -> None:
    with running(worker()) as hello:
        with pytest.raises(InvalidInput) as caught:
            hello.submit("add", a=1, c=3)
        assert caught.value.code == "invalid_input"
        told = "the input does not fit add: there is no c; add takes a, b; b is missing"
        assert caught.value.message == told
        with pytest.raises(InvalidInput, match="JSON"):
            hello.call("greet", name=object())
        with pytest.raises(PayloadTooLarge):
            hello.call("greet", name="x" * 4_000_000)
        with pytest.raises(InvalidInput, match="priority"):
            hello.submit("add", a=1, b=2, priority=10)


def test_an_unknown_skill_or_agent_is_named_with_those_there_are() -> None:
    with running(worker()) as hello:
        with pytest.raises(NotFound, match=r"did you mean greet\?\); its skills: .*greet") as caught:
            hello.call("gret", name="Ada")
        assert caught.value.code == "skill_not_found"
        with pytest.raises(NotFound, match="worker"):
            hello.of("somebody").call("greet", name="Ada")


def test_the_same_key_is_the_same_task() -> None:
    with running(worker()) as hello:
        first = hello.submit("add", a=1, b=2, idempotency_key="order-17")
        assert hello.submit("add", a=1, b=2, idempotency_key="order-17").id == first.id
        with pytest.raises(Conflict):
            hello.submit("add", a=1, b=3, idempotency_key="order-17")
        assert hello.submit("add", a=1, b=2).id != first.id


def test_a_task_knows_what_it_is() -> None:
    with running(worker()) as hello:
        task = hello.submit("add", a=1, b=2)
        task.result()
        info = task.info
    assert (info.agent, info.skill, info.state, info.attempt) == ("tester/worker", "add", "completed", 1)
    assert (info.input, info.output) == ({"a": 1, "b": 2}, 3)
    assert info.done
    assert repr(task) == f"<task {task.id} completed>"


def test_a_skill_sees_who_asks() -> None:
    with running(worker()) as hello:
        told = hello.call("who")
    assert told["caller"] == ["user", "tester"]
    assert told["attempt"] == 1


def test_a_running_task_can_be_cancelled() -> None:
    with running(worker()) as hello:
        task = hello.submit("sleep", seconds=3_600)
        for event in task.events():
            if event.data.get("accepted"):
                task.cancel("changed my mind")
        with pytest.raises(TaskError, match="changed my mind") as caught:
            task.result()
    assert (caught.value.code, caught.value.state) == ("canceled", "canceled")


def test_a_waiting_task_can_be_cancelled() -> None:
    gated = Gated(concurrency=1)
    with running(gated.agent) as hello:
        first, second = hello.submit("work"), hello.submit("work")
        assert gated.entered.acquire(timeout=SECONDS)
        assert second.cancel().state == "canceled"
        gated.open.set()
        assert first.result() is False
    assert gated.most == 1


def test_a_function_in_a_thread_sees_that_it_is_cancelled() -> None:
    gated = Gated()
    with running(gated.agent) as hello:
        task = hello.submit("work")
        assert gated.entered.acquire(timeout=SECONDS)
        task.cancel()
        with pytest.raises(TaskError, match="canceled by the caller"):
            task.result()
    assert gated.now == 0


def test_no_more_run_at_once_than_the_agent_says() -> None:
    gated = Gated(concurrency=2)
    with running(gated.agent) as hello:
        tasks = [hello.submit("work") for _ in range(5)]
        for _ in range(2):
            assert gated.entered.acquire(timeout=SECONDS)
        assert [task.info.state for task in tasks].count("working") == 2
        gated.open.set()
        assert [task.result() for task in tasks] == [False] * 5
    assert gated.most == 2


def test_threads_of_a_test_may_share_a_caller() -> None:
    sums: list[int] = []
    with running(worker()) as hello:
        threads = [threading.Thread(target=lambda n=n: sums.append(hello.call("add", a=n, b=1))) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(sums) == list(range(1, 9))


def test_several_may_run_at_once_and_know_nothing_of_each_other() -> None:
    with running(worker("one")) as one, running(worker("two")) as two:
        assert one.call("add", a=1, b=2) == two.call("add", a=2, b=1) == 3
        with pytest.raises(TaskError) as caught:
            one.call("ask", agent="two", skill="add", input={"a": 1, "b": 2})
        assert "agent_not_found" in str(caught.value.detail)


def test_an_agent_may_run_again_but_not_twice_at_once() -> None:
    agent = worker()
    for _ in range(2):
        with running(agent) as hello:
            assert hello.call("add", a=1, b=2) == 3
            with pytest.raises(ConfigurationError, match="running already"), running(agent):
                pass
            assert hello.call("add", a=1, b=2) == 3


@pytest.mark.parametrize(
    ("agents", "reason"),
    [((), "no agent"), ((Agent("empty"),), "no skills"), ((new_worker("same"), new_worker("same")), "same name")],
)
def test_what_cannot_run_says_so(agents: tuple[Agent, ...], reason: str) -> None:
    with pytest.raises(ConfigurationError, match=reason), running(*agents):
        pass


def test_a_lifespan_is_entered_before_the_first_task_and_left_after_the_last() -> None:
    told: list[Any] = []

    @asynccontextmanager
    async def lifespan(agent: Agent) -> AsyncIterator[None]:
        told.append("entered")
        yield
        told.append("left")

    with running(new_worker(lifespan=lifespan)) as hello:
        told.append(hello.call("add", a=1, b=2))
    assert told == ["entered", 3, "left"]


@pytest.mark.parametrize("when", ["before", "after"])
def test_an_error_of_a_lifespan_is_the_users_own(when: str) -> None:
    failure = LookupError("no model")
    cause = OSError("no file")

    @asynccontextmanager
    async def lifespan(agent: Agent) -> AsyncIterator[None]:
        if when == "after":
            yield
        raise failure from cause

    with pytest.raises(LookupError) as caught, running(new_worker(lifespan=lifespan), worker("other")) as hello:
        assert hello.call("add", a=1, b=2) == 3
    assert caught.value is failure
    assert caught.value.__cause__ is cause


def test_an_error_of_the_test_is_the_tests_own() -> None:
    failure = AssertionError("wrong")
    with pytest.raises(AssertionError) as caught, running(worker()) as hello:
        hello.submit("hang")
        raise failure
    assert caught.value is failure


def test_what_still_runs_at_the_end_is_cancelled() -> None:
    gated = Gated()
    ended: list[str] = []
    agent = Agent("other")

    @agent.skill
    async def work() -> None:
        try:
            await asyncio.sleep(3_600)
        finally:
            ended.append("work")

    with running(gated.agent, agent) as hello:
        hello.submit("work")
        task = hello.of(agent).submit("work")
        next(event for event in task.events() if event.data.get("accepted"))
        assert gated.entered.acquire(timeout=SECONDS)
    assert gated.now == 0
    assert ended == ["work"]


def test_an_agent_that_stops_is_offline() -> None:
    agent = new_worker()

    @agent.skill
    async def leave() -> str:
        agent.stop()
        return "bye"

    with running(agent) as hello:
        assert hello.call("leave") == "bye"
        with pytest.raises(Unavailable) as caught:
            for _ in range(1_000):
                hello.call("add", a=1, b=2)
        assert caught.value.code == "agent_offline"


def test_after_the_end_there_is_nobody_to_call() -> None:
    with running(worker()) as hello:
        task = hello.submit("add", a=1, b=2)
        task.result()
    with pytest.raises(ConfigurationError, match="inside of the `with` block"):
        hello.call("add", a=1, b=2)
    assert task.info.output == 3


def test_nothing_is_left_behind() -> None:
    before = set(threading.enumerate())
    for _ in range(3):
        with running(worker()) as hello:
            hello.call("add", a=1, b=2)
    assert {thread for thread in threading.enumerate() if not thread.name.startswith("atlas-skill")} <= before
