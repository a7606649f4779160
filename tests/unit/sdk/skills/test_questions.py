"""What a skill asks people: said once, answered at once when it was answered before, and never waited for in vain."""

from __future__ import annotations

import asyncio
import math
from typing import Annotated, Any, Literal

import msgspec
import pytest
from pydantic import BaseModel, Field, field_validator

from agentic_atlas import Agent, Busy, Context, InvalidInput, NoAnswer, PayloadTooLarge, SyncContext, TaskError
from agentic_atlas.protocol.messages import (
    Answer,
    Cancel,
    Event,
    EventKind,
    Fault,
    Limits,
    Outcome,
    Question,
    Reaction,
    Result,
)
from agentic_atlas.sdk.ports import UnsaidQuestion
from tests.unit.sdk.memory_wire import Network, network, raw, read

ANSWERED = [Reaction(1, raw("red")), Reaction(2, expired=True)]


def asked(net: Network) -> list[Any]:
    return [read(event.data) for event in net.wire.of(Event) if event.kind is EventKind.QUESTION]


async def until_asked(net: Network, count: int = 1) -> list[Any]:
    return await net.wire.until(lambda: asked(net) if len(asked(net)) >= count else None)


def answer(net: Network, value: object, question: int = 1, **more: Any) -> None:
    net.inbox.deliver(Answer("t1", 1, Reaction(question, raw(value), **more)))


async def run(agent: Agent, *answers: object, **fields: Any) -> Result:
    """Run the skill `skill`, answering its questions one after the other."""

    async with network(agent) as net:
        net.send("skill", **fields)
        for number, value in enumerate(answers, 1):
            await until_asked(net, number)
            answer(net, value, number)
        return await net.wire.result()


async def test_a_skill_asks_and_gets_the_answer_as_the_type_it_wants() -> None:
    agent = Agent("tester")

    class Address(BaseModel):
        street: str
        number: int = 1

    @agent.skill
    async def skill(ctx: Context) -> list[Any]:
        address = await ctx.ask("Where to?", Address, timeout=60)
        assert isinstance(address, Address)
        return [address.street, address.number]

    async with network(agent) as net:
        net.send("skill")
        (question,) = await until_asked(net)
        assert (question["number"], question["question"], question["timeout"]) == (1, "Where to?", 60.0)
        assert question["schema"]["required"] == ["street"]
        answer(net, {"street": "Rue Haute"})
        assert read((await net.wire.result()).output) == ["Rue Haute", 1]


@pytest.mark.parametrize(
    ("wanted", "given", "schema"),
    [
        (None, {"a": [1]}, None),
        (bool, True, {"type": "boolean"}),
        (Literal["red", "blue"], "blue", {"enum": ["red", "blue"], "type": "string"}),
        ({"type": "integer", "minimum": 3}, 5, {"type": "integer", "minimum": 3}),
        (list[int], [1, 2], {"items": {"type": "integer"}, "type": "array"}),
    ],
)
async def test_a_type_or_a_schema_says_what_the_answer_has_to_be(wanted: Any, given: Any, schema: Any) -> None:
    agent = Agent("tester")

    @agent.skill
    async def skill(ctx: Context) -> Any:
        return await ctx.ask("Which?", wanted)

    async with network(agent) as net:
        net.send("skill")
        (question,) = await until_asked(net)
        assert question.get("schema") == schema
        answer(net, given)
        assert read((await net.wire.result()).output) == given


async def test_a_plain_skill_asks_from_its_thread() -> None:
    agent = Agent("tester")

    @agent.skill
    def skill(ctx: SyncContext) -> str:
        return f"{ctx.ask('First?', str)} {ctx.ask('Second?', int)}"

    assert read((await run(agent, "one", 2)).output) == "one 2"


async def test_what_was_answered_before_is_not_asked_again() -> None:
    agent = Agent("tester")

    @agent.skill
    async def skill(ctx: Context) -> list[Any]:
        first = await ctx.ask("Colour?", str)
        try:
            second = await ctx.ask("Sure?", bool, timeout=1)
        except NoAnswer as nobody:
            second = nobody.question
        return [first, second, await ctx.ask("Size?")]

    async with network(agent) as net:
        net.send("skill", answers=ANSWERED)
        (question,) = await until_asked(net)
        assert (question["number"], question["question"]) == (3, "Size?")
        answer(net, 7, 3)
        assert read((await net.wire.result()).output) == ["red", 2, 7]


async def test_a_question_that_another_attempt_left_unanswered_is_asked_with_its_own_number() -> None:
    agent = Agent("tester")

    @agent.skill
    async def skill(ctx: Context) -> list[Any]:
        return list(await asyncio.gather(ctx.ask("One?"), ctx.ask("Two?"), ctx.ask("Three?")))

    async with network(agent) as net:
        net.send("skill", answers=[Reaction(2, raw("b"))])
        questions = await until_asked(net, 2)
        assert [question["number"] for question in questions] == [1, 3]
        answer(net, "c", 3)
        answer(net, "a", 1)
        assert read((await net.wire.result()).output) == ["a", "b", "c"]


async def test_an_answer_that_comes_before_its_question_is_kept_and_one_that_comes_twice_changes_nothing() -> None:
    agent, gate = Agent("tester"), asyncio.Event()

    @agent.skill
    async def skill(ctx: Context) -> list[Any]:
        await gate.wait()
        return [await ctx.ask("First?"), await ctx.ask("Second?")]

    async with network(agent) as net:
        net.send("skill")
        await net.wire.accepted()
        answer(net, "early")
        answer(net, "again")
        asyncio.get_running_loop().call_soon(gate.set)
        (question,) = await until_asked(net)
        assert question["number"] == 2
        answer(net, "x", 2)
        assert read((await net.wire.result()).output) == ["early", "x"]


async def test_nobody_answering_is_an_error_of_its_own_to_the_caller() -> None:
    agent = Agent("tester")

    @agent.skill
    async def skill(ctx: Context) -> Any:
        return await ctx.ask("Anybody?", timeout=1)

    result = await run(agent, answers=[Reaction(1, expired=True)])
    assert result.outcome is Outcome.FAILED
    assert result.error == Fault("no_answer", "nobody answered question 1 in time")


async def test_an_answer_that_fits_the_schema_and_not_the_type_is_told_to_the_skill() -> None:
    agent = Agent("tester")

    class Even(BaseModel):
        number: int

        @field_validator("number")
        @classmethod
        def check(cls, value: int) -> int:
            if value % 2:
                raise ValueError("odd")
            return value

    @agent.skill
    async def skill(ctx: Context) -> str:
        try:
            await ctx.ask("An even number?", Even)
        except InvalidInput as refused:
            return f"{refused.code} {refused.detail[0]['path']}"  # type: ignore[index]
        return ""

    assert read((await run(agent, {"number": 3})).output) == "invalid_answer /number"


@pytest.mark.parametrize(
    ("question", "schema", "timeout", "error", "code"),
    [
        ("When?", None, math.nan, InvalidInput, "invalid_question"),
        ("What?", {"minimum": math.nan}, None, InvalidInput, "invalid_question"),
        ("", None, None, InvalidInput, "invalid_question"),
        ("x" * 16_385, None, None, InvalidInput, "invalid_question"),
        ("half \ud800", None, None, InvalidInput, "invalid_question"),
        ("Well?", None, 0, InvalidInput, "invalid_question"),
        ("Well?", None, float("nan"), InvalidInput, "invalid_question"),
        ("Well?", {"a": object()}, None, InvalidInput, "invalid_question"),
        ("Well?", {"$ref": "#"}, None, InvalidInput, "invalid_question"),
        ("Well?", Annotated[str, Field(pattern="(?=a)")], None, InvalidInput, "invalid_question"),
        ("Well?", asyncio.Event, None, InvalidInput, "invalid_question"),
        ("Well?", {"description": "x" * 70_000}, None, PayloadTooLarge, "payload_too_large"),
    ],
)
async def test_what_cannot_be_asked_is_an_error_at_once_and_takes_no_number(
    question: str, schema: Any, timeout: float | None, error: type[Exception], code: str
) -> None:
    agent = Agent("tester")

    @agent.skill
    async def skill(ctx: Context) -> list[Any]:
        with pytest.raises(error) as refused:
            await ctx.ask(question, schema, timeout=timeout)
        return [refused.value.code, await ctx.ask("Then this?")]  # type: ignore[attr-defined]

    assert read((await run(agent, 1)).output) == [code, 1]


async def test_a_schema_nested_too_deeply_for_the_wire_is_refused_here() -> None:
    agent = Agent("tester")
    deep: dict[str, Any] = {}
    for _ in range(70):
        deep = {"items": deep}

    @agent.skill
    async def skill(ctx: Context) -> str:
        with pytest.raises(PayloadTooLarge):
            await ctx.ask("Well?", deep)
        return "told"

    assert read((await run(agent)).output) == "told"


async def test_a_task_asks_a_hundred_questions_and_no_more() -> None:
    agent = Agent("tester")

    @agent.skill
    async def skill(ctx: Context) -> str:
        for _ in range(100):
            await ctx.ask("And?")
        with pytest.raises(InvalidInput) as refused:
            await ctx.ask("And?")
        return refused.value.code

    assert read((await run(agent, answers=[Reaction(n, raw(n)) for n in range(1, 101)])).output) == "too_many_questions"


async def test_a_question_finds_room_where_log_lines_do_not_and_is_told_when_there_is_none() -> None:
    agent = Agent("tester")

    @agent.skill
    async def skill(ctx: Context) -> str:
        for number in range(200):
            ctx.log.info("line", number=number)
        for _ in range(8):
            await ctx.ask("And now?")
        with pytest.raises(Busy) as busy:
            await ctx.ask("And now?")
        return busy.value.code

    async with network(agent, limits=Limits(events_per_task=100)) as net:
        net.send("skill")
        for number in range(1, 9):
            await until_asked(net, number)
            answer(net, "yes", number)
        assert read((await net.wire.result()).output) == "too_many_events"
        assert max(event.n for event in net.wire.of(Event)) <= 100


async def test_a_question_that_the_link_cannot_say_is_an_error_where_it_is_asked() -> None:
    agent = Agent("tester")

    @agent.skill
    async def skill(ctx: Context) -> str:
        with pytest.raises(Busy) as busy:
            await ctx.ask("Well?")
        return busy.value.code

    async with network(agent) as net:
        net.send("skill")
        await until_asked(net)
        net.inbox.deliver(UnsaidQuestion("t1", 1, 1, Fault("too_many_events", "too much waits")))
        assert read((await net.wire.result()).output) == "too_many_events"


async def test_a_cancel_wakes_a_coroutine_that_waits_for_an_answer() -> None:
    agent, woken = Agent("tester"), []

    @agent.skill
    async def skill(ctx: Context) -> None:
        try:
            await ctx.ask("Well?")
        except asyncio.CancelledError:
            woken.append("coroutine")
            raise

    async with network(agent) as net:
        net.send("skill")
        await until_asked(net)
        net.inbox.deliver(Cancel("t1", 1, "enough"))
        assert (await net.wire.result()).outcome is Outcome.CANCELED
    assert woken == ["coroutine"]


@pytest.mark.parametrize("how", ["cancel", "drop"])
async def test_a_thread_that_waits_for_an_answer_wakes_up_when_its_attempt_is_to_stop(how: str) -> None:
    agent, woken = Agent("tester"), asyncio.Queue[str]()

    @agent.skill
    def skill(ctx: SyncContext) -> None:
        try:
            ctx.ask("Well?")
        except TaskError as error:
            loop.call_soon_threadsafe(woken.put_nowait, error.code)
            raise

    loop: asyncio.AbstractEventLoop
    loop = asyncio.get_running_loop()
    async with network(agent) as net:
        net.send("skill")
        await until_asked(net)
        if how == "cancel":
            net.inbox.deliver(Cancel("t1", 1, "enough"))
        else:
            net.inbox.drop("t1", 1)
        assert await woken.get() == "canceled"


async def test_a_wait_that_the_skill_gives_up_leaves_nothing_behind() -> None:
    agent = Agent("tester")

    @agent.skill
    async def skill(ctx: Context) -> str:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(ctx.ask("Quick?"), 0.001)
        return str(await ctx.ask("Slow?"))

    async with network(agent) as net:
        net.send("skill")
        await until_asked(net, 2)
        answer(net, "late", 1)
        answer(net, "here", 2)
        assert read((await net.wire.result()).output) == "here"


async def test_the_question_on_the_wire_is_the_protocols() -> None:
    agent = Agent("tester")

    @agent.skill
    async def skill(ctx: Context) -> Any:
        return await ctx.ask("Well?")

    async with network(agent) as net:
        net.send("skill")
        await until_asked(net)
        (event,) = net.wire.of(Event)
        assert msgspec.json.decode(event.data, type=Question) == Question(1, "Well?")
        answer(net, None)
        assert read((await net.wire.result()).output) is None
