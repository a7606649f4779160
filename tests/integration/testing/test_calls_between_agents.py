from __future__ import annotations

import asyncio
import threading

import pytest

from agentic_atlas import Agent, Context, TaskError
from agentic_atlas.testing import running
from tests.integration.testing.agents import Flaky, new_worker, worker

SECONDS = 5.0
SUM = {"a": 1, "b": 2}


def test_agents_call_one_another() -> None:
    with running(worker("front"), worker("back")) as front:
        assert front.call("ask", agent="back", skill="add", input=SUM) == 3
        assert front.call("ask", agent="tester/back", skill="add", input=SUM) == 3
        assert front.call("ask_in_thread", agent="back", skill="add", input=SUM) == 3
        assert front.of("back").call("add", SUM) == 3


def test_a_called_task_is_of_the_same_trace_and_knows_its_caller() -> None:
    with running(worker("front"), worker("back")) as front:
        task = front.submit("ask", agent="back", skill="who", input={})
        told = task.result()
        assert told["caller"] == ["agent", "tester/front"]
        assert told["trace"][3:35] == task.info.trace_id


def test_a_called_agents_events_come_one_by_one() -> None:
    with running(worker("front"), worker("back")) as front:
        told = front.call("follow", agent="back", skill="count", input={"to": 3})
    assert told == [["chunk", {"value": n}] for n in range(3)] + [["result", [0, 1, 2]]]


def test_an_error_of_a_called_agent_is_one_of_the_caller() -> None:
    with running(worker("front"), worker("back")) as front:
        for skill, given, code in (
            ("divide", {"a": 1, "by": 0}, "handler_error"),
            ("add", {"a": "one"}, "invalid_input"),
            ("nothing", {}, "skill_not_found"),
        ):
            with pytest.raises(TaskError) as caught:
                front.call("ask", agent="back", skill=skill, input=given)
            assert caught.value.detail["code"] == code  # type: ignore[index]


def test_a_circle_of_calls_ends() -> None:
    with running(new_worker(concurrency=50)) as hello:
        deep: dict[str, object] = {"agent": "worker", "skill": "add", "input": SUM}
        for _ in range(20):
            deep = {"agent": "worker", "skill": "ask", "input": deep}
        with pytest.raises(TaskError, match="is it a circle"):
            hello.call("ask", deep)


def test_a_cancel_reaches_what_was_called() -> None:
    began, ended = threading.Event(), threading.Event()
    back = Agent("back")

    @back.skill
    async def work() -> None:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    with running(worker("front"), back) as front:
        task = front.submit("ask", agent="back", skill="work", input={})
        assert began.wait(SECONDS)
        task.cancel("enough")
        with pytest.raises(TaskError, match="enough"):
            task.result()
        assert ended.wait(SECONDS)


def test_a_called_agent_is_tried_again_without_waiting() -> None:
    with running(worker(), Flaky(2).agent) as hello:
        assert hello.call("ask", agent="flaky", skill="work", input={}) == 3


def mutual(name: str, other: str) -> Agent:
    agent = Agent(name, concurrency=1)

    @agent.skill
    async def hit(ctx: Context, n: int) -> int:
        return 0 if n == 0 else 1 + await ctx.call(other, "hit", n=n - 1)

    return agent


def test_a_circle_of_calls_that_fills_all_slots_ends_with_its_chain_as_it_does_on_a_network() -> None:
    with running(mutual("ping", "pong"), mutual("pong", "ping")) as ping:
        assert ping.call("hit", n=1) == 1
        with pytest.raises(TaskError, match=r"tester/ping\.hit → tester/pong\.hit → tester/ping\.hit"):
            ping.call("hit", n=2)
        tasks = [ping.submit("hit", n=1), ping.of("pong").submit("hit", n=1)]
        ended = []
        for task in tasks:
            try:
                ended.append(str(task.result()))
            except TaskError as error:
                ended.append("circle" if "go round in a circle" in error.message else error.message)
        assert "1" in ended
        assert set(ended) <= {"1", "circle"}
