"""What is delivered, what runs, and how it ends."""

import asyncio
import contextvars
import decimal
import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest

from agentic_atlas import Agent, Context, SyncContext
from agentic_atlas.errors import ConfigurationError, InvalidInput
from agentic_atlas.protocol.messages import (
    Accept,
    Cancel,
    Drain,
    Event,
    EventKind,
    Limits,
    Outcome,
    Refuse,
    RefuseReason,
    Result,
)
from agentic_atlas.sdk.agent import skills_of
from agentic_atlas.sdk.runner.runner import LoopInbox, Runner
from tests.unit.sdk.memory_wire import NOW, Gate, Lines, MemoryWire, events_of, make_welcome, network, read


class Strange(BaseException):
    """No Exception, but raised by a handler all the same."""


def new() -> Agent:
    return Agent("tester")


async def test_an_async_skill_is_accepted_then_completed() -> None:
    agent = new()

    @agent.skill
    async def double(number: int) -> int:
        return 2 * number

    async with network(agent) as net:
        result = await net.ask("double", {"number": 4})
        assert (result.outcome, read(result.output), result.error) == (Outcome.COMPLETED, 8, None)
        assert net.wire.posted == [Accept("t1", 1), result]


async def test_a_plain_skill_runs_in_a_thread_with_the_context_variables_of_the_loop() -> None:
    agent, colour = new(), contextvars.ContextVar[str]("colour", default="none")
    colour.set("green")

    @agent.skill
    def where(ctx: SyncContext) -> list[str]:
        return [threading.current_thread().name, colour.get()]

    async with network(agent) as net:
        assert read((await net.ask("where")).output) == ["atlas-skill-where", "green"]


async def test_each_skill_has_a_copy_of_the_programs_context_though_its_task_comes_from_another_thread() -> None:
    agent, colour = new(), contextvars.ContextVar[str]("colour", default="none")

    @agent.skill
    async def paint(new: str) -> list[str]:
        before = colour.get()
        colour.set(new)
        return [before, str(decimal.Decimal(1) / 3)]

    async def program() -> None:
        colour.set("green")
        decimal.setcontext(decimal.Context(prec=5))
        async with network(agent) as net:
            for task in ("t1", "t2"):
                thread = threading.Thread(target=net.send, args=("paint", {"new": "red"}), kwargs={"task": task})
                thread.start()
                assert read((await net.wire.result(task)).output) == ["green", "0.33333"]

    await asyncio.create_task(program(), context=contextvars.Context())


async def test_a_wrong_input_fails_before_the_skill_begins() -> None:
    agent, ran = new(), []

    @agent.skill
    async def skill(number: int) -> None:
        ran.append(number)

    async with network(agent) as net:
        result = await net.ask("skill", {"number": "seven", "more": 1})
        assert result.outcome is Outcome.FAILED
        assert result.error is not None
        assert result.error.code == "invalid_input"
        assert [fault["path"] for fault in read(result.error.detail)] == ["", "/number"]
        assert not ran
        assert net.log.at("error") == []


def raising(error: BaseException) -> Any:
    def skill() -> None:
        raise error

    async def async_skill() -> None:
        raise error

    return skill, async_skill


def deep() -> None:
    deep()


ERRORS = [
    (ValueError("no"), "ValueError: no"),
    (KeyError("name"), "KeyError: 'name'"),
    (SystemExit(3), "SystemExit: 3"),
    (KeyboardInterrupt(), "KeyboardInterrupt"),
    (Strange("odd"), "Strange: odd"),
    (asyncio.CancelledError(), "CancelledError"),
    (TimeoutError("slow"), "TimeoutError: slow"),
    (InvalidInput("of another agent"), "InvalidInput: of another agent"),
    (ConfigurationError("no key"), "ConfigurationError: no key"),
    (
        ExceptionGroup("several", [ValueError("a"), ExceptionGroup("b", [KeyError("c")])]),
        "ValueError: a; KeyError: 'c'",
    ),
    (BaseExceptionGroup("several", [SystemExit(1)]), "SystemExit: 1"),
]


@pytest.mark.parametrize("kind", [0, 1], ids=["thread", "async"])
@pytest.mark.parametrize(("error", "message"), ERRORS, ids=[message for _, message in ERRORS])
async def test_an_error_of_a_skill_fails_its_task_and_nothing_else(
    kind: int, error: BaseException, message: str
) -> None:
    agent = new()
    agent.skill(name="skill")(raising(error)[kind])

    @agent.skill
    async def fine() -> str:
        return "fine"

    async with network(agent) as net:
        result = await net.ask("skill")
        assert result.outcome is Outcome.FAILED
        assert result.error is not None
        assert (result.error.code, result.error.message) == ("handler_error", message)
        assert read((await net.ask("fine", task="t2")).output) == "fine"
        ((event, fields),) = net.log.at("error")
        assert (event, fields["task"], fields["exc_info"]) == ("task failed", "t1", error)


@pytest.mark.parametrize("error", [StopIteration(), StopAsyncIteration()])
@pytest.mark.parametrize("kind", [0, 1], ids=["thread", "async"])
async def test_an_error_that_means_something_to_coroutines_is_an_error(kind: int, error: Exception) -> None:
    agent = new()
    agent.skill(name="skill")(raising(error)[kind])

    async with network(agent) as net:
        result = await net.ask("skill")
        assert result.error is not None
        assert result.error.code == "handler_error"


async def test_endless_recursion_and_an_endless_message_are_errors_like_others() -> None:
    agent = new()

    @agent.skill
    async def recursive() -> None:
        deep()

    @agent.skill
    async def verbose() -> None:
        raise ValueError("no! " * 1_000_000)

    async with network(agent) as net:
        first, second = await net.ask("recursive"), await net.ask("verbose", task="t2")
        assert first.error is not None
        assert first.error.message.startswith("RecursionError")
        assert second.error is not None
        assert len(second.error.message) <= 1_100


async def test_a_traceback_stays_in_the_local_log() -> None:
    agent = new()

    @agent.skill
    async def skill() -> None:
        local_secret = "hunter2"
        raise ValueError(len(local_secret))

    async with network(agent) as net:
        result = await net.ask("skill")
        assert result.error is not None
        assert result.error.message == "ValueError: 7"
        assert read(result.error.detail) == {"type": "ValueError"}


@pytest.mark.parametrize(
    ("value", "code"),
    [(object(), "invalid_output"), ("\ud800", "invalid_output"), ("x" * 200, "payload_too_large")],
)
async def test_an_output_that_cannot_be_sent_is_a_failure_that_says_so(value: object, code: str) -> None:
    agent = new()

    @agent.skill
    async def skill() -> Any:
        return value

    async with network(agent, limits=Limits(payload_bytes=100)) as net:
        result = await net.ask("skill")
        assert result.outcome is Outcome.FAILED
        assert result.error is not None
        assert result.error.code == code


async def test_a_rejected_task_is_no_failure() -> None:
    agent = new()

    @agent.skill
    def skill(ctx: SyncContext) -> None:
        ctx.reject("not on Sundays", code="closed")

    async with network(agent) as net:
        result = await net.ask("skill")
        assert result.outcome is Outcome.REJECTED
        assert result.error is not None
        assert (result.error.code, result.error.message) == ("closed", "not on Sundays")
        assert net.log.at("error") == []


async def test_what_this_agent_does_not_know_or_has_no_slot_for_is_refused() -> None:
    agent, go = new(), asyncio.Event()

    @agent.skill
    async def wait() -> None:
        await go.wait()

    async with network(agent, concurrency=1) as net:
        net.send("fly", task="t1")
        assert (await net.wire.refused("t1")).reason is RefuseReason.UNKNOWN_SKILL
        net.send("wait", task="t2")
        await net.wire.accepted("t2")
        net.send("wait", task="t3")
        assert (await net.wire.refused("t3")).reason is RefuseReason.BUSY
        go.set()
        await net.wire.result("t2")
        assert (await net.ask("wait", task="t4")).outcome is Outcome.COMPLETED


async def test_concurrency_is_used_and_not_exceeded() -> None:
    agent, barrier = new(), asyncio.Barrier(4)

    @agent.skill
    async def meet() -> None:
        await barrier.wait()

    async with network(agent, concurrency=4) as net:
        for number in range(5):
            net.send("meet", task=f"t{number}")
        assert (await net.wire.refused("t4")).reason is RefuseReason.BUSY
        for number in range(4):
            assert (await net.wire.result(f"t{number}")).outcome is Outcome.COMPLETED


async def test_an_attempt_that_comes_twice_is_started_once() -> None:
    agent, go, started = new(), asyncio.Event(), []

    @agent.skill
    async def skill() -> None:
        started.append(1)
        await go.wait()

    async with network(agent) as net:
        net.send("skill")
        net.send("skill")
        await net.wire.accepted()
        go.set()
        await net.wire.result()
    assert len(started) == len(net.wire.of(Result)) == len(net.wire.of(Accept)) == 1


async def test_a_cancelled_async_skill_ends_canceled_after_its_own_clean_up() -> None:
    agent, started, cleaned = new(), asyncio.Event(), []

    @agent.skill
    async def skill(ctx: Context) -> str:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            cleaned.append(ctx.cancelled)
        return "never"

    async with network(agent) as net:
        net.send("skill")
        await started.wait()
        net.inbox.deliver(Cancel("t1", 1, "changed my mind"))
        result = await net.wire.result()
        assert result.outcome is Outcome.CANCELED
        assert result.error is not None
        assert (result.error.code, result.error.message) == ("canceled", "changed my mind")
        assert cleaned == [True]


async def test_a_skill_that_returns_in_spite_of_its_cancellation_ends_canceled_all_the_same() -> None:
    agent, started = new(), asyncio.Event()

    @agent.skill
    async def skill() -> str:
        started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return "too late"
        return "never"

    async with network(agent) as net:
        net.send("skill")
        await started.wait()
        net.inbox.deliver(Cancel("t1", 1))
        assert (await net.wire.result()).outcome is Outcome.CANCELED


async def test_a_cancel_that_comes_with_its_task_stops_it_before_it_begins() -> None:
    agent, ran = new(), []

    @agent.skill
    async def skill() -> None:
        ran.append(1)

    async with network(agent) as net:
        net.send("skill")
        net.inbox.deliver(Cancel("t1", 1))
        assert (await net.wire.result()).outcome is Outcome.CANCELED
        assert not ran


async def test_a_cancel_of_something_unknown_or_of_another_attempt_changes_nothing() -> None:
    agent, go = new(), asyncio.Event()

    @agent.skill
    async def skill() -> None:
        await go.wait()

    async with network(agent) as net:
        net.send("skill", attempt=2)
        await net.wire.accepted()
        net.inbox.deliver(Cancel("t1", 1))
        net.inbox.deliver(Cancel("t9", 1))
        go.set()
        assert (await net.wire.result(attempt=2)).outcome is Outcome.COMPLETED


async def test_a_thread_that_looks_at_cancelled_stops_by_itself() -> None:
    agent, gate = new(), Gate()

    @agent.skill
    def skill(ctx: SyncContext) -> str:
        gate.wait()
        return "stopped" if ctx.cancelled else "not told"

    async with network(agent) as net:
        net.send("skill")
        await gate.reached()
        net.inbox.deliver(Cancel("t1", 1))
        gate.open.set()
        assert (await net.wire.result()).outcome is Outcome.CANCELED


async def test_a_thread_that_does_not_look_is_reported_canceled_and_keeps_its_slot_until_it_returns() -> None:
    agent, gate = new(), Gate()

    @agent.skill
    def deaf(ctx: SyncContext) -> None:
        gate.wait()
        ctx.log.info("still here")

    @agent.skill
    async def fine() -> None: ...

    async with network(agent, concurrency=1, grace=0.01) as net:
        net.send("deaf")
        await gate.reached()
        net.inbox.deliver(Cancel("t1", 1))
        assert (await net.wire.result()).outcome is Outcome.CANCELED
        assert net.runner.running == ["deaf"]
        net.send("fine", task="t2")
        assert (await net.wire.refused("t2")).reason is RefuseReason.BUSY
        gate.open.set()
        await net.wire.until(lambda: net.runner.running == [] or net.inbox.ping("look"))
        assert (await net.ask("fine", task="t3")).outcome is Outcome.COMPLETED
        assert net.wire.of(Event) == []
        assert [event for event, _ in net.log.at("warning")] == [
            "a skill does not stop: its slot stays taken until it returns"
        ]


async def test_an_async_skill_that_swallows_its_cancellation_is_reported_too() -> None:
    agent, go, started = new(), asyncio.Event(), asyncio.Event()

    @agent.skill
    async def stubborn() -> None:
        started.set()
        while not go.is_set():
            try:
                await go.wait()
            except asyncio.CancelledError:
                continue

    async with network(agent, grace=0.01) as net:
        net.send("stubborn")
        await started.wait()
        net.inbox.deliver(Cancel("t1", 1))
        assert (await net.wire.result()).outcome is Outcome.CANCELED
        assert net.runner.running == ["stubborn"]
        go.set()


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"timeout": 0.01}, "timeout"),
        ({"deadline": NOW + 0.01}, "deadline_exceeded"),
        ({"deadline": NOW - 60}, "deadline_exceeded"),
        ({"timeout": 0.01, "deadline": NOW + 60}, "timeout"),
        ({"timeout": 60, "deadline": NOW + 0.01}, "deadline_exceeded"),
    ],
)
async def test_a_skill_that_takes_too_long_is_stopped(fields: dict[str, float], code: str) -> None:
    agent = new()

    @agent.skill
    async def slow() -> None:
        await asyncio.Event().wait()

    async with network(agent) as net:
        result = await net.ask("slow", **fields)
        assert result.outcome is Outcome.FAILED
        assert result.error is not None
        assert result.error.code == code


async def test_the_timeout_of_the_declaration_holds_when_the_task_has_none() -> None:
    agent = new()

    @agent.skill(timeout=0.01)
    async def slow() -> None:
        await asyncio.Event().wait()

    async with network(agent) as net:
        result = await net.ask("slow")
        assert result.error is not None
        assert result.error.code == "timeout"


async def test_an_attempt_that_is_not_ours_any_more_is_stopped_without_a_word() -> None:
    agent, started, stopped = new(), asyncio.Event(), asyncio.Event()

    @agent.skill
    async def skill(ctx: Context) -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            ctx.log.info("cleaning up")
            stopped.set()

    async with network(agent) as net:
        net.send("skill")
        await started.wait()
        net.inbox.drop("t1", 1)
        net.inbox.drop("t9", 1)
        await stopped.wait()
        net.inbox.ping("after")
        await net.wire.until(lambda: net.wire.pongs)
        assert net.wire.of(Result) == []
        assert net.runner.running == []


async def test_a_stream_reports_each_item_and_its_output_is_the_list() -> None:
    agent = new()

    @agent.skill
    async def count(to: int) -> AsyncIterator[int]:
        for number in range(to):
            yield number

    async with network(agent) as net:
        result = await net.ask("count", {"to": 300})
        assert read(result.output) == list(range(300))
        events = net.wire.of(Event)
        assert [event.n for event in events] == list(range(1, 301))
        assert events_of(events, EventKind.CHUNK) == [{"value": number} for number in range(300)]


async def test_a_stream_waits_for_room_and_goes_on_when_there_is_some() -> None:
    agent, made = new(), []

    @agent.skill
    async def count() -> AsyncIterator[int]:
        for number in range(10):
            made.append(number)
            yield number

    async with network(agent, limits=Limits(unacknowledged=6), acknowledge=False, concurrency=1) as net:
        net.send("count")
        assert len(await net.wire.events(3)) == 3
        net.inbox.ping("a while")
        await net.wire.until(lambda: net.wire.pongs)
        assert (len(made), len(net.wire.of(Event))) == (4, 3)
        net.wire.acknowledge = net.inbox.acknowledged
        net.inbox.acknowledged("t1", 1, 0)
        assert read((await net.wire.result()).output) == list(range(10))


async def test_a_stream_that_waits_for_room_can_be_cancelled() -> None:
    agent = new()

    @agent.skill
    async def count() -> AsyncIterator[int]:
        while True:
            yield 1

    async with network(agent, limits=Limits(unacknowledged=2), acknowledge=False, concurrency=1) as net:
        net.send("count")
        await net.wire.events(1)
        net.inbox.deliver(Cancel("t1", 1))
        assert (await net.wire.result()).outcome is Outcome.CANCELED


async def test_a_stream_too_long_for_one_output_was_told_by_its_chunks() -> None:
    agent = new()

    @agent.skill
    async def long() -> AsyncIterator[str]:
        for _ in range(10):
            yield "x" * 50

    async with network(agent, limits=Limits(payload_bytes=100)) as net:
        result = await net.ask("long")
        assert (result.outcome, read(result.output)) == (Outcome.COMPLETED, None)
        assert len(net.wire.of(Event)) == 10


async def test_a_stream_that_neither_output_nor_events_can_tell_is_a_failure() -> None:
    agent = new()

    @agent.skill
    async def long() -> AsyncIterator[str]:
        for _ in range(100):
            yield "x" * 50

    async with network(agent, limits=Limits(payload_bytes=100, events_per_task=20)) as net:
        result = await net.ask("long")
        assert result.error is not None
        assert result.error.code == "payload_too_large"


async def test_an_error_in_a_stream_closes_the_generator() -> None:
    agent, closed = new(), []

    @agent.skill
    async def numbers() -> AsyncIterator[int]:
        try:
            yield 1
            yield "two"  # type: ignore[misc]
        finally:
            closed.append(True)

    async with network(agent) as net:
        result = await net.ask("numbers")
        assert result.error is not None
        assert result.error.code == "invalid_output"
        assert closed == [True]


async def test_draining_is_said_once_and_first_refuses_new_tasks_and_waits_for_the_running_ones() -> None:
    agent, go = new(), asyncio.Event()

    @agent.skill
    async def skill() -> None:
        await go.wait()

    async with network(agent) as net:
        net.send("skill")
        await net.wire.accepted()
        net.runner.drain(5)
        net.runner.drain(5)
        net.send("skill", task="t2")
        assert (await net.wire.refused("t2")).reason is RefuseReason.DRAINING
        go.set()
    assert [type(message) for message in net.wire.posted] == [Accept, Drain, Refuse, Result]
    assert [result.outcome for result in net.wire.of(Result)] == [Outcome.COMPLETED]
    assert net.runner.left == []


async def test_an_idle_runner_is_drained_at_once() -> None:
    agent, lines = new(), Lines()
    agent.skill(name="skill")(deep)

    wire = MemoryWire()
    runner = Runner(skills_of(agent), concurrency=1, log=lines)
    async with asyncio.timeout(5):
        await runner.run(wire, runner.drain)
    assert [line for line, _ in lines.at("info")] == ["stopping: nothing runs"]


async def test_what_still_runs_when_the_drain_is_over_is_left_without_a_result() -> None:
    agent, gate, started, stopped = new(), Gate(), asyncio.Event(), []

    @agent.skill
    async def slow() -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.append(True)

    @agent.skill
    def deaf() -> None:
        gate.wait()

    async with network(agent) as net:
        net.send("slow")
        net.send("deaf", task="t2")
        await started.wait()
        await gate.reached()
        net.runner.drain(0.01)
    assert net.wire.of(Result) == []
    assert stopped == [True]
    assert net.log.lines[-1][2]["skills"] == net.runner.left == ["deaf", "slow"]
    gate.open.set()


async def test_the_end_of_the_link_ends_the_runner_with_its_error() -> None:
    agent = new()
    agent.skill(name="skill")(deep)

    runner = Runner(skills_of(agent), concurrency=1, log=Lines())
    refused = ConfigurationError("the token has been revoked: create a new one")
    with pytest.raises(ConfigurationError, match="revoked"):
        async with asyncio.timeout(5):
            await runner.run(MemoryWire(), lambda: runner.finish(refused))


async def test_a_ping_is_answered_from_the_loop() -> None:
    agent = new()
    agent.skill(name="skill")(deep)

    async with network(agent) as net:
        await asyncio.to_thread(net.inbox.ping, 7)
        assert await net.wire.until(lambda: net.wire.pongs) == [7]


async def test_what_comes_after_the_end_is_ignored() -> None:
    agent = new()
    agent.skill(name="skill")(deep)
    kept: list[LoopInbox] = []

    async with network(agent) as net:
        kept.append(net.inbox)
    kept[0].ping("nobody")
    kept[0].deliver(Cancel("t1", 1))
    kept[0].connected(make_welcome())
    kept[0].ended(None)


async def test_the_link_can_ask_which_skills_may_block_the_loop() -> None:
    agent = new()

    @agent.skill
    async def asynchronous() -> None: ...

    @agent.skill
    def threaded() -> None: ...

    runner = Runner(skills_of(agent), concurrency=1, log=Lines())
    assert [runner.on_loop(name) for name in ("asynchronous", "threaded", "unknown")] == [True, False, False]


async def test_limits_and_clock_are_those_of_the_last_welcome() -> None:
    agent = new()

    @agent.skill
    async def left(ctx: Context) -> float | None:
        return ctx.time_left

    async with network(agent) as net:
        net.inbox.connected(make_welcome(Limits(payload_bytes=3), now=NOW + 3_600))
        result = await net.ask("left", deadline=NOW + 3_600.5)
        assert result.error is not None
        assert result.error.code == "payload_too_large"
