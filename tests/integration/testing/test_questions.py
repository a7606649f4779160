"""Questions in memory: a test answers them, or lets them expire without waiting."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import pytest

from agentic_atlas import Agent, Conflict, Context, InvalidInput, NoAnswer, NotFinished, SyncContext, TaskError
from agentic_atlas.testing import running, serving

HOUR = 3600.0


def asking() -> Agent:
    agent = Agent("asking", concurrency=2)

    @agent.skill
    async def publish(ctx: Context, title: str) -> str:
        await asyncio.sleep(5)
        colour = await ctx.ask(f"Which colour for {title}?", Literal["red", "blue"])
        try:
            size = await ctx.ask("Which size?", int, timeout=24 * HOUR)
        except NoAnswer:
            size = 0
        return f"{title}, {colour}, {size}"

    @agent.skill
    def blocking(ctx: SyncContext) -> Any:
        return ctx.ask("What?", timeout=HOUR)

    @agent.skill(timeout=10)
    async def patient(ctx: Context) -> Any:
        answer = await ctx.ask("Take your time?", timeout=HOUR)
        assert ctx.time_left is not None
        return [answer, ctx.time_left > 9]

    @agent.skill(timeout=10)
    async def dawdle(ctx: Context) -> None:
        await asyncio.sleep(4)
        await ctx.ask("May I?", timeout=HOUR)
        await asyncio.sleep(7)

    @agent.skill(retries=1)
    async def again(ctx: Context) -> Any:
        first = await ctx.ask("First?")
        if ctx.attempt == 1:
            raise ValueError("not yet")
        return [first, await ctx.ask("Second?")]

    return agent


def test_a_test_answers_what_a_skill_asks() -> None:
    with running(asking()) as caller:
        task = caller.submit("publish", title="Atlas")
        question = task.question()
        assert question is not None
        assert (question.number, question.question) == (1, "Which colour for Atlas?")
        assert question.schema == {"enum": ["red", "blue"], "type": "string"}
        assert task.info.state == "input_required"
        task.answer("blue")
        task.answer(7)
        assert task.result() == "Atlas, blue, 7"
        assert [(one.state, one.answer) for one in task.info.questions] == [("answered", "blue"), ("answered", 7)]


def test_a_question_expires_without_anybody_waiting_for_it() -> None:
    began = time.monotonic()
    with running(asking()) as caller:
        task = caller.submit("publish", title="Atlas")
        task.answer("red")
        assert task.result() == "Atlas, red, 0"
        assert task.info.questions[1].state == "expired"
        with pytest.raises(TaskError) as ended:
            caller.call("blocking")
        assert ended.value.code == "no_answer"
    assert time.monotonic() - began < 60


def test_a_plain_skill_is_answered_in_its_thread() -> None:
    with running(asking()) as caller:
        task = caller.submit("blocking")
        task.answer({"free": ["form"]})
        assert task.result() == {"free": ["form"]}


def test_an_answer_that_does_not_fit_is_refused_and_can_be_given_again() -> None:
    with running(asking()) as caller:
        task = caller.submit("publish", title="Atlas")
        with pytest.raises(InvalidInput) as refused:
            task.answer("green")
        assert refused.value.code == "invalid_input"
        task.answer("blue")
        task.answer(1)
        assert task.result() == "Atlas, blue, 1"


def test_the_timeout_of_a_skill_stands_still_while_it_asks() -> None:
    with running(asking()) as caller:
        task = caller.submit("patient")
        assert task.question() is not None
        with pytest.raises(NotFinished, match="it goes on, and waits for an answer to question 1: Take your time"):
            task.result(timeout=HOUR / 2)
        task.answer("here")
        assert task.result() == ["here", True]


def test_a_call_that_nobody_answers_says_what_was_asked() -> None:
    with running(asking()) as caller, pytest.raises(NotFinished, match="waits for an answer to question 1: First"):
        caller.call("again")


def test_the_timeout_goes_on_where_it_stood_when_the_answer_comes() -> None:
    with running(asking()) as caller:
        task = caller.submit("dawdle")
        with pytest.raises(NotFinished):
            task.result(timeout=HOUR / 2)
        task.answer("yes")
        with pytest.raises(TaskError) as ended:
            task.result()
        assert ended.value.code == "timeout"


def test_a_deadline_ends_a_task_that_waits_for_a_person() -> None:
    with running(asking()) as caller:
        task = caller.submit("blocking", deadline=datetime.now(UTC) + timedelta(minutes=1))
        with pytest.raises(TaskError) as ended:
            task.result()
        assert ended.value.code == "deadline_exceeded"


def test_a_skill_that_is_tried_again_is_not_asked_what_it_knows() -> None:
    with running(asking()) as caller:
        task = caller.submit("again")
        task.answer(1)
        question = task.question()
        assert question is not None
        assert question.number == 2
        task.answer(2)
        assert task.result() == [1, 2]
        assert task.info.attempt == 2


def test_a_task_that_ends_without_a_question_has_nothing_to_answer() -> None:
    with running(asking()) as caller:
        task = caller.submit("blocking")
        task.answer("x")
        assert task.result() == "x"
        assert task.question() is None
        with pytest.raises(Conflict) as nothing:
            task.answer("y")
        assert nothing.value.code == "no_open_question"


def test_a_task_that_asks_is_canceled() -> None:
    with running(asking()) as caller:
        for skill in ("blocking", "patient"):
            task = caller.submit(skill)
            assert task.question() is not None
            task.cancel("enough")
            with pytest.raises(TaskError) as ended:
                task.result()
            assert ended.value.state == "canceled"


async def test_questions_are_answered_in_the_loop_of_an_asynchronous_test() -> None:
    async with serving(asking()) as caller:
        task = await caller.submit("blocking")
        await task.answer("async")
        assert await task.result() == "async"
        kinds = [event.kind async for event in task.events()]
        assert kinds[-5:] == ["question", "state", "answer", "state", "state"]
