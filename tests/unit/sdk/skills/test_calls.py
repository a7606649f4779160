"""Calls from one agent to another, as the skills make them.

Some are made in a loop of its own on another thread, and one outlives the loop of its agent.
"""

import asyncio
import threading
from typing import Any

import pytest

from agentic_atlas import Agent, CallEvent, Context, SyncContext
from agentic_atlas.errors import Busy, ConfigurationError, InvalidInput, PayloadTooLarge, TaskError
from agentic_atlas.protocol.messages import (
    Answer,
    Call,
    Cancel,
    Event,
    EventKind,
    Fault,
    Limits,
    Outcome,
    Reaction,
    Reply,
    ReplyKind,
    Result,
)
from agentic_atlas.sdk.agent import skills_of
from agentic_atlas.sdk.skills.calls import UNREAD
from tests.unit.sdk.memory_wire import SECONDS, Gate, network, raw, read


def caller() -> Agent:
    """An agent that calls another one, once in each of the ways."""
    agent = Agent("tester")

    @agent.skill
    async def call(ctx: Context) -> Any:
        return await ctx.call("ann/other", "greet", name="Bo")

    @agent.skill
    def sync_call(ctx: SyncContext) -> Any:
        return ctx.call("ann/other", "greet", name="Bo")

    @agent.skill
    async def stream(ctx: Context) -> Any:
        return [(event.kind, event.data, event.seq) async for event in ctx.stream("ann/other", "greet", name="Bo")]

    @agent.skill
    def sync_stream(ctx: SyncContext) -> Any:
        return [(event.kind, event.data, event.seq) for event in ctx.stream("ann/other", "greet", name="Bo")]

    return agent


@pytest.mark.parametrize("skill", ["call", "sync_call"])
async def test_a_call_returns_the_output_of_the_other_agent(skill: str) -> None:
    async with network(caller()) as net:
        net.send(skill, attempt=2)
        call = await net.wire.call()
        assert (call.task, call.attempt, call.agent, call.skill, call.stream) == (
            "t1", 2, "ann/other", "greet", False,
        )  # fmt: skip
        assert read(call.input) == {"name": "Bo"}
        net.reply(call, {"text": "Hi Bo"})
        assert read((await net.wire.result(attempt=2)).output) == {"text": "Hi Bo"}
        assert net.wire.forgotten == [call.id]


@pytest.mark.parametrize("skill", ["stream", "sync_stream"])
async def test_a_stream_yields_the_events_and_then_the_result(skill: str) -> None:
    async with network(caller()) as net:
        net.send(skill)
        call = await net.wire.call()
        assert call.stream
        net.reply_event(call, 1, "state", {"state": "working"})
        net.reply_event(call, 2, "chunk", {"value": "Hi"})
        net.reply_event(call, 2, "chunk", {"value": "again after a reconnect"})
        net.reply(call, "Hi Bo", seq=3)
        assert read((await net.wire.result()).output) == [
            ["state", {"state": "working"}, 1],
            ["chunk", {"value": "Hi"}, 2],
            ["result", "Hi Bo", 3],
        ]
        assert net.wire.forgotten == [call.id]


@pytest.mark.parametrize("skill", ["call", "sync_call", "stream", "sync_stream"])
@pytest.mark.parametrize("state", ["failed", "rejected", "canceled"])
async def test_a_called_task_that_ends_otherwise_is_an_error_with_its_code(skill: str, state: str) -> None:
    agent = caller()
    caught: list[TaskError] = []

    @agent.skill(name="guard")
    async def guard(ctx: Context) -> None:
        try:
            await skills_of(agent)["call"].function(ctx)
        except TaskError as error:
            caught.append(error)

    async with network(agent) as net:
        net.send(skill)
        error = Fault("agent_offline", "it is not connected", raw({"since": 5}))
        net.reply(await net.wire.call(), state=state, error=error)
        result = await net.wire.result()
        assert result.outcome is Outcome.FAILED
        assert result.error is not None
        assert result.error.message == "TaskError: ann/other.greet: it is not connected"
        assert read(result.error.detail) == {"type": "TaskError", "code": "agent_offline", "task": "child-1"}
        net.send("guard", task="t2")
        net.reply(await net.wire.call(1), state=state, error=error)
        await net.wire.result("t2")
    (told,) = caught
    assert (told.code, told.state, told.task_id, told.detail) == ("agent_offline", state, "child-1", {"since": 5})


async def test_each_call_has_an_id_of_its_own() -> None:
    agent = Agent("tester")

    @agent.skill
    async def many(ctx: Context) -> Any:
        async with asyncio.TaskGroup() as group:
            made = [group.create_task(ctx.call("other", "echo", n=number)) for number in range(20)]
        return [task.result() for task in made]

    async with network(agent) as net:
        net.send("many")
        await net.wire.call(19)
        calls = net.wire.of(Call)
        assert len({call.id for call in calls}) == 20
        for call in reversed(calls):
            net.reply(call, read(call.input)["n"])
        assert read((await net.wire.result()).output) == list(range(20))


async def test_inputs_may_be_called_like_the_parameters_of_call() -> None:
    agent = Agent("tester")

    @agent.skill
    async def skill(ctx: Context) -> None:
        await ctx.call("other", "echo", agent="a", skill="b", self="c", timeout=1)

    async with network(agent) as net:
        net.send("skill")
        call = await net.wire.call()
        assert read(call.input) == {"agent": "a", "skill": "b", "self": "c", "timeout": 1}
        net.reply(call)
        await net.wire.result()


async def test_the_cancel_of_a_task_ends_the_wait_for_its_calls() -> None:
    agent = caller()

    async with network(agent) as net:
        for place, skill in enumerate(["call", "sync_call", "stream", "sync_stream"]):
            net.send(skill, task=skill)
            await net.wire.call(place)
            net.inbox.deliver(Cancel(skill, 1))
            assert (await net.wire.result(skill)).outcome is Outcome.CANCELED
        assert net.wire.forgotten == [call.id for call in net.wire.of(Call)]


async def test_a_task_that_is_to_stop_makes_no_calls() -> None:
    agent, gate = Agent("tester"), Gate()
    errors: list[TaskError] = []

    @agent.skill
    def skill(ctx: SyncContext) -> None:
        gate.wait()
        try:
            ctx.call("other", "echo")
        except TaskError as error:
            errors.append(error)

    async with network(agent) as net:
        net.send("skill")
        await gate.reached()
        net.inbox.deliver(Cancel("t1", 1))
        net.inbox.ping("after")
        await net.wire.until(lambda: net.wire.pongs)
        gate.open.set()
        await net.wire.result()
        assert net.wire.of(Call) == []
    assert [error.code for error in errors] == ["canceled"]


async def test_a_call_left_open_by_its_skill_ends_with_it() -> None:
    agent = Agent("tester")
    left: list[asyncio.Task[Any]] = []

    @agent.skill
    async def careless(ctx: Context) -> None:
        left.append(asyncio.get_running_loop().create_task(ctx.call("other", "echo")))
        await asyncio.sleep(0)

    async with network(agent) as net:
        await net.ask("careless")
        with pytest.raises(TaskError):
            await left[0]
        assert net.wire.forgotten == ["call-1"]


@pytest.mark.parametrize(
    ("value", "error", "code"),
    [(object(), InvalidInput, "invalid_input"), ("x" * 200, PayloadTooLarge, "payload_too_large")],
)
async def test_an_input_that_cannot_be_sent_is_told_to_the_skill(value: object, error: type, code: str) -> None:
    agent = Agent("tester")
    caught: list[InvalidInput] = []

    @agent.skill
    async def skill(ctx: Context) -> None:
        try:
            await ctx.call("other", "echo", value=value)
        except InvalidInput as told:
            caught.append(told)

    async with network(agent, limits=Limits(payload_bytes=100)) as net:
        await net.ask("skill")
        assert net.wire.of(Call) == []
    assert [(type(told), told.code) for told in caught] == [(error, code)]
    assert "returned" not in caught[0].message


async def test_more_open_calls_than_a_connection_may_have_are_refused_here() -> None:
    agent = Agent("tester")
    refused: list[Busy] = []

    @agent.skill
    async def skill(ctx: Context) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(ctx.call("other", "echo"))
            group.create_task(ctx.call("other", "echo"))
            await asyncio.sleep(0)
            try:
                await ctx.call("other", "echo")
            except Busy as error:
                refused.append(error)

    async with network(agent, limits=Limits(open_calls=2)) as net:
        net.send("skill")
        await net.wire.call(1)
        for call in net.wire.of(Call):
            net.reply(call)
        assert (await net.wire.result()).outcome is Outcome.COMPLETED
        assert len(refused) == 1


async def test_a_reader_that_is_too_slow_is_told_and_cut() -> None:
    agent, go = Agent("tester"), asyncio.Event()
    read_events: list[CallEvent] = []

    @agent.skill
    async def slow(ctx: Context) -> str:
        try:
            async for event in ctx.stream("other", "echo"):
                read_events.append(event)
                await go.wait()
        except Busy as error:
            return error.message
        return "all read"

    async with network(agent) as net:
        net.send("slow")
        call = await net.wire.call()
        for seq in range(1, UNREAD + 10):
            net.reply_event(call, seq, "log", {})
        net.inbox.ping("all delivered")
        await net.wire.until(lambda: net.wire.pongs)
        assert net.wire.forgotten == [call.id]
        go.set()
        assert "not read in time" in read((await net.wire.result()).output)
        assert len(read_events) <= 1


async def test_a_reply_nobody_waits_for_is_ignored() -> None:
    agent = Agent("tester")

    @agent.skill
    async def fine() -> None: ...

    async with network(agent) as net:
        net.inbox.deliver(Reply("call-9", ReplyKind.RESULT, state="completed"))
        assert (await net.ask("fine")).outcome is Outcome.COMPLETED
        assert len(net.wire.of(Result)) == 1


def test_a_thread_that_outlives_its_agent_is_told_that_there_is_none() -> None:
    agent, gate = Agent("tester"), Gate()
    errors: list[TaskError] = []
    threads: list[threading.Thread] = []

    @agent.skill
    def skill(ctx: SyncContext) -> None:
        threads.append(threading.current_thread())
        gate.wait()
        # The flag is what tells a thread; one that ignores it finds the loop closed.
        ctx._services.cancelled.clear()
        try:
            ctx.call("other", "echo")
        except TaskError as error:
            errors.append(error)

    async def ended_early() -> None:
        async with network(agent) as net:
            net.send("skill")
            await gate.reached()

    asyncio.run(ended_early())
    gate.open.set()
    threads[0].join(SECONDS)
    assert [(error.code, error.message) for error in errors] == [("canceled", "the agent has ended")]


async def through_all(ctx: Context) -> list[Any]:
    """Use a context in every way in which one can be awaited."""
    await ctx.progress(0.5)
    called = await ctx.call("ann/other", "greet")
    events = [event.data async for event in ctx.stream("ann/other", "greet")]
    answer = await ctx.ask("Sure?", bool)
    return [called, events, answer, (await ctx.artifact(__file__)).name]


async def test_a_context_can_be_awaited_on_another_loop_in_another_thread() -> None:
    agent = Agent("tester")

    @agent.skill
    async def skill(ctx: Context) -> list[Any]:
        return await asyncio.to_thread(lambda: asyncio.run(through_all(ctx)))

    async with network(agent) as net:
        net.send("skill")
        net.reply(await net.wire.call(0), "called")
        net.reply(await net.wire.call(1), "streamed")
        await net.wire.until(lambda: any(event.kind is EventKind.QUESTION for event in net.wire.of(Event)))
        net.inbox.deliver(Answer("t1", 1, Reaction(1, raw(True))))
        assert read((await net.wire.result()).output) == ["called", ["streamed"], True, "test_calls.py"]


async def test_what_waits_on_another_loop_is_told_when_its_task_is_cancelled() -> None:
    agent, told = Agent("tester"), threading.Event()

    @agent.skill
    async def skill(ctx: Context) -> None:
        async def tool() -> None:
            with pytest.raises(TaskError, match="was cancelled"):
                await ctx.call("ann/other", "greet")
            told.set()

        await asyncio.to_thread(lambda: asyncio.run(tool()))

    async with network(agent) as net:
        net.send("skill")
        await net.wire.call()
        net.inbox.deliver(Cancel("t1", 1))
        assert (await net.wire.result()).outcome is Outcome.CANCELED
        assert await asyncio.to_thread(told.wait, SECONDS)


async def test_cancelling_what_waits_on_another_loop_ends_its_call() -> None:
    agent = Agent("tester")

    @agent.skill
    async def skill(ctx: Context) -> str:
        async def tool() -> str:
            try:
                async with asyncio.timeout(0.01):
                    return str(await ctx.call("ann/other", "greet"))
            except TimeoutError:
                return "given up"

        return await asyncio.to_thread(lambda: asyncio.run(tool()))

    async with network(agent) as net:
        assert read((await net.ask("skill")).output) == "given up"
        call = await net.wire.call()
        await net.wire.until(lambda: call.id in net.wire.forgotten)


async def test_a_stream_that_is_left_early_ends_its_call_in_a_thread_too() -> None:
    agent = Agent("tester")

    @agent.skill
    def skill(ctx: SyncContext) -> Any:
        events = ctx.stream("ann/other", "greet")
        first = next(events)
        events.close()
        return first.data

    async with network(agent) as net:
        net.send("skill")
        call = await net.wire.call()
        net.reply_event(call, 1, "progress", "half")
        assert read((await net.wire.result()).output) == "half"
        await net.wire.until(lambda: call.id in net.wire.forgotten)


async def test_a_context_says_at_once_where_it_cannot_be_used() -> None:
    agent, contexts = Agent("tester"), []

    @agent.skill
    def threaded(ctx: SyncContext) -> None:
        contexts.append(ctx)
        gate.wait()

    @agent.skill
    async def asynchronous(ctx: Context) -> str:
        def step() -> None:
            # As a loop that is not asyncio's would: there is none in this thread.
            ctx.call("ann/other", "greet").send(None)

        with pytest.raises(ConfigurationError, match="on an event loop of asyncio's"):
            await asyncio.to_thread(step)
        with pytest.raises(ConfigurationError, match="would block the agent's own loop"):
            contexts[0].call("ann/other", "greet")
        return "told"

    gate = Gate()

    async with network(agent) as net:
        net.send("threaded", task="t2")
        await gate.reached()
        assert read((await net.ask("asynchronous")).output) == "told"
        gate.open.set()
