"""Nothing that a skill does ends its agent, loses a slot or leaves a task without an end.

Not even one that runs a loop of its own inside.
"""

import asyncio
import contextlib
import functools
import os
import signal
import sys
import threading
import types
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any, NoReturn

import anyio
import pytest

from agentic_atlas import Agent, Context, SyncContext
from agentic_atlas.protocol.messages import Accept, Cancel, Event, EventKind, Limits, Outcome, Result
from agentic_atlas.sdk.forks import EXIT_COPY
from agentic_atlas.sdk.skills.context import Rejected
from tests.unit.sdk.memory_wire import SECONDS, Gate, Network, events_of, network, read

Skill = Callable[..., Any]


def agent_with(*skills: Skill) -> Agent:
    """An agent with these skills and one that echoes."""
    agent = Agent("tester")
    for skill in skills:
        agent.skill(skill)

    @agent.skill
    async def echo(x: int) -> int:
        return x

    return agent


async def after(skills: Skill | list[Skill], use: Callable[[Network], Awaitable[None]], **options: Any) -> None:
    """Use an agent, and see that it is whole afterwards: the one slot is free, and tasks run."""

    agent = agent_with(*(skills if isinstance(skills, list) else [skills]))
    async with network(agent, concurrency=1, **options) as net:
        await use(net)
        net.inbox.ping("settled")
        await net.wire.until(lambda: net.wire.pongs)
        assert net.runner.running == []
        assert read((await net.ask("echo", {"x": 7}, task="after")).output) == 7
        assert len(net.wire.of(Result)) == len(net.wire.of(Accept))


async def ends(skill: Skill, outcome: Outcome, code: str, message: str = "") -> None:
    """See that a task of this skill ends so, and that the agent is whole afterwards."""

    async def use(net: Network) -> None:
        result = await net.ask("skill")
        assert result.error is not None
        assert (result.outcome, result.error.code) == (outcome, code)
        assert message in result.error.message

    skill.__name__ = "skill"
    await after(skill, use)


class Unreadable(Exception):
    """Whatever is asked of it fails, and in ways that are no Exception."""

    def __str__(self) -> str:
        raise SystemExit(3)

    def __repr__(self) -> str:
        raise KeyboardInterrupt

    def with_traceback(self, tb: types.TracebackType | None) -> "Unreadable":
        raise asyncio.CancelledError


class Halting(Rejected):
    """A rejection whose message cannot even be asked for."""

    @property
    def message(self) -> str:
        raise GeneratorExit

    @message.setter
    def message(self, _: str) -> None: ...


class Sly(str):
    """A text that is none when it is looked at."""

    __slots__ = ()

    def __getitem__(self, _: Any) -> str:
        raise IndexError("no")


def raised(error: BaseException) -> Skill:
    async def skill() -> None:
        raise error

    return skill


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (Unreadable(), "Unreadable"),
        (Halting("no"), "Halting, which cannot be told (GeneratorExit)"),
        (GeneratorExit(), "GeneratorExit"),
        (BaseExceptionGroup("many", [KeyboardInterrupt(), Unreadable()]), "KeyboardInterrupt; Unreadable"),
        (ValueError("half \ud800 of a pair"), "half ? of a pair"),
        (ValueError(Sly("sly")), "sly"),
        (ValueError("long " * 1_000_000), "ValueError: long"),
    ],
    ids=lambda given: type(given).__name__ if isinstance(given, BaseException) else "",
)
async def test_an_error_that_can_hardly_be_told_is_a_handler_error_with_its_types_name(
    error: BaseException, message: str
) -> None:
    await ends(raised(error), Outcome.FAILED, "handler_error", message)


@pytest.mark.parametrize(
    ("code", "told"),
    [
        (403, "403"),
        ("Not found!", "not_found"),
        (None, "rejected"),
        ("", "rejected"),
        (b"x", "b_x"),
        ("größe", "gr_e"),
        ("agent_lost", "rejected"),
        ("timeout", "rejected"),
        (Sly("sly"), "sly"),
        ("c" * 100, "c" * 64),
    ],
)
async def test_a_rejection_keeps_what_can_be_kept_of_its_code(code: Any, told: str) -> None:
    async def skill(ctx: Context) -> None:
        ctx.reject("not allowed", code=code)

    await ends(skill, Outcome.REJECTED, told, "not allowed")


@pytest.mark.parametrize("message", [42, None, b"bytes", ["a", "list"], Sly("sly")])
async def test_a_rejection_whose_message_is_no_text_is_a_rejection(message: Any) -> None:
    def skill(ctx: SyncContext) -> None:
        ctx.reject(message)

    await ends(skill, Outcome.REJECTED, "rejected", str(message))


async def test_what_is_reported_need_not_be_text_either() -> None:
    async def skill(ctx: Context) -> None:
        ctx.progress(0.5, message=42)  # type: ignore[arg-type]
        ctx.log.info(Unreadable())  # type: ignore[arg-type]
        try:
            raise Unreadable
        except Unreadable:
            ctx.log.exception("went on without")

    async def use(net: Network) -> None:
        assert (await net.ask("skill")).outcome is Outcome.COMPLETED
        events = net.wire.of(Event)
        assert events_of(events, EventKind.PROGRESS) == [{"fraction": 0.5, "message": "42"}]
        assert "Unreadable" in events_of(events, EventKind.LOG)[0]["event"]

    await after(skill, use)


async def cancels_itself_and_waits() -> None:
    me = asyncio.current_task()
    assert me is not None
    me.cancel()
    await asyncio.sleep(SECONDS)


async def is_cancelled_by_a_timer() -> None:
    me = asyncio.current_task()
    assert me is not None
    asyncio.get_running_loop().call_soon(me.cancel)
    await asyncio.sleep(SECONDS)


async def leaves_a_timeout_open() -> None:
    await asyncio.timeout(0).__aenter__()
    await asyncio.sleep(SECONDS)


async def leaves_a_cancel_scope_open() -> None:
    scope = anyio.CancelScope().__enter__()
    scope.cancel()
    await asyncio.sleep(SECONDS)


async def waits_for_what_was_cancelled() -> None:
    waiting = asyncio.ensure_future(asyncio.sleep(SECONDS))
    waiting.cancel()
    await waiting


@pytest.mark.parametrize(
    "skill",
    [
        cancels_itself_and_waits,
        is_cancelled_by_a_timer,
        leaves_a_timeout_open,
        leaves_a_cancel_scope_open,
        waits_for_what_was_cancelled,
    ],
)
async def test_a_cancellation_that_the_runner_did_not_begin_is_an_error_of_the_skill(skill: Skill) -> None:
    async def skill_of_its_own() -> None:
        await skill()

    await ends(skill_of_its_own, Outcome.FAILED, "handler_error", "CancelledError")


async def test_a_skill_that_cancels_its_own_task_and_returns_has_returned() -> None:
    async def skill() -> str:
        me = asyncio.current_task()
        assert me is not None
        me.cancel()
        return "done"

    async def use(net: Network) -> None:
        assert read((await net.ask("skill")).output) == "done"

    await after(skill, use)


async def test_a_task_that_is_cancelled_before_its_first_step_has_an_end_all_the_same() -> None:
    async def skill() -> None: ...

    async def use(net: Network) -> None:
        net.send("skill")

        def cancel_all() -> None:
            for task in asyncio.all_tasks():
                if task.get_name() == "skill skill":
                    task.cancel()

        # The task is made in the next turn of the loop, and takes its first step in the one after it.
        asyncio.get_running_loop().call_soon(cancel_all)
        result = await net.wire.result()
        assert result.error is not None
        assert (result.outcome, result.error.code) == (Outcome.FAILED, "handler_error")

    await after(skill, use)


@pytest.mark.parametrize("kind", ["thread", "generator"])
async def test_cancelling_what_waits_for_a_thread_does_not_make_its_slot_free_before_it_returns(kind: str) -> None:
    gate = Gate()

    def thread() -> list[str]:
        gate.wait()
        return ["done"]

    def generator() -> Iterator[str]:
        gate.wait()
        yield "done"

    async def use(net: Network) -> None:
        net.send(kind)
        await gate.reached()
        for task in asyncio.all_tasks():
            if task.get_name().startswith("skill "):
                task.cancel()
        net.inbox.ping("cancelled")
        await net.wire.until(lambda: net.wire.pongs)
        net.wire.pongs.clear()
        assert net.runner.running == [kind]
        gate.open.set()
        assert read((await net.wire.result()).output) == ["done"]

    await after([thread, generator], use)


async def test_a_stream_that_yields_on_after_its_cancellation_ends() -> None:
    started = asyncio.Event()

    async def skill() -> AsyncIterator[int]:
        while True:
            started.set()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(SECONDS)
            yield 1

    async def use(net: Network) -> None:
        net.send("skill")
        await started.wait()
        net.inbox.deliver(Cancel("t1", 1))
        assert (await net.wire.result()).outcome is Outcome.CANCELED

    await after(skill, use)


@pytest.mark.parametrize("plain", [True, False])
async def test_a_generator_that_yields_after_it_was_closed_is_an_error_of_the_skill(plain: bool) -> None:
    def generator() -> Iterator[Any]:
        try:
            yield object()
        finally:
            yield "more"

    async def asynchronous() -> AsyncIterator[Any]:
        try:
            yield object()
        finally:
            yield "more"

    await ends(generator if plain else asynchronous, Outcome.FAILED, "handler_error", "GeneratorExit")


async def test_a_loop_without_its_threads_runs_skills_in_threads_and_describes_files() -> None:
    async def skill(ctx: Context) -> int:
        await asyncio.get_running_loop().shutdown_default_executor()
        return (await ctx.artifact(__file__)).size

    def threaded() -> str:
        return "fine"

    size = await asyncio.to_thread(os.path.getsize, __file__)

    async def use(net: Network) -> None:
        assert read((await net.ask("skill")).output) == size
        assert read((await net.ask("threaded", task="t2")).output) == "fine"

    await after([skill, threaded], use)


async def test_a_loop_that_makes_no_tasks_any_more_fails_its_tasks_and_goes_on_with_the_next() -> None:
    loops: list[asyncio.AbstractEventLoop] = []

    async def skill() -> None:
        def broken(*_: Any, **__: Any) -> NoReturn:
            raise RuntimeError("no tasks")

        loops.append(asyncio.get_running_loop())
        loops[0].set_task_factory(broken)

    async def use(net: Network) -> None:
        assert (await net.ask("skill")).outcome is Outcome.COMPLETED
        result = await net.ask("skill", task="t2")
        assert result.error is not None
        assert result.error.code == "handler_error"
        loops[0].set_task_factory(None)

    await after(skill, use)


COPIES: list[int] = []


def forks() -> bool:
    """Make a copy of the process; True in that one."""
    child = os.fork()
    if child:
        COPIES.append(child)
    return child == 0


async def forks_and_returns() -> str:
    return "copy" if forks() else "agent"


async def forks_and_waits() -> str:
    if forks():
        await asyncio.sleep(SECONDS)
    return "agent"


def forks_in_a_thread() -> str:
    return "copy" if forks() else "agent"


def forks_in_a_generator() -> Iterator[str]:
    yield "copy" if forks() else "agent"


def forks_and_calls(ctx: SyncContext) -> str:
    if forks():
        ctx.call("ann/other", "greet")
    return "agent"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:This process.*multi-threaded:DeprecationWarning")
@pytest.mark.parametrize(
    "skill", [forks_and_returns, forks_and_waits, forks_in_a_thread, forks_in_a_generator, forks_and_calls]
)
async def test_a_copy_of_the_agent_that_a_skill_has_forked_ends_where_it_comes_back(skill: Skill) -> None:
    async def use(net: Network) -> None:
        assert "agent" in read((await net.ask(skill.__name__)).output)
        _, status = await asyncio.to_thread(os.waitpid, COPIES.pop(), 0)
        assert os.waitstatus_to_exitcode(status) == EXIT_COPY

    await after(skill, use)


async def test_a_skill_may_close_what_it_prints_to_and_set_signal_handlers(monkeypatch: pytest.MonkeyPatch) -> None:
    before = signal.getsignal(signal.SIGUSR1)

    async def skill() -> None:
        monkeypatch.setattr(sys, "stdout", None)
        monkeypatch.setattr(sys, "stderr", None)
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
        raise ValueError("said to nobody")

    try:
        await ends(skill, Outcome.FAILED, "handler_error", "said to nobody")
    finally:
        signal.signal(signal.SIGUSR1, before)


def blocking(function: Callable[..., Awaitable[Any]]) -> Skill:
    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return asyncio.run(function(*args, **kwargs))  # type: ignore[arg-type]

    return wrapper


def passing_on(function: Skill) -> Skill:
    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return wrapper


def collecting(function: Callable[..., AsyncIterator[Any]]) -> Skill:
    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        async def collect() -> list[Any]:
            return [item async for item in function(*args, **kwargs)]

        return asyncio.run(collect())

    return wrapper


async def greet(name: str) -> str:
    await asyncio.sleep(0)
    return f"Hello {name} in {threading.current_thread().name}"


async def letters(name: str) -> AsyncIterator[str]:
    for letter in name:
        yield letter


@pytest.mark.parametrize(
    ("skill", "output", "chunks"),
    [
        (blocking(greet), "Hello Ada in atlas-skill-greet", 0),
        (passing_on(greet), "Hello Ada in MainThread", 0),
        (passing_on(passing_on(greet)), "Hello Ada in MainThread", 0),
        (passing_on(letters), ["A", "d", "a"], 3),
        (collecting(letters), ["A", "d", "a"], 0),
    ],
)
async def test_a_decorator_that_changes_a_functions_kind_changes_how_it_is_called(
    skill: Skill, output: Any, chunks: int
) -> None:
    async def use(net: Network) -> None:
        assert read((await net.ask(skill.__name__, {"name": "Ada"})).output) == output
        assert len(net.wire.of(Event)) == chunks

    await after(skill, use)


async def test_a_wrapped_skill_that_is_cancelled_while_its_thread_runs_ends_when_that_returns() -> None:
    gate = Gate()

    def slow(function: Skill) -> Skill:
        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            gate.wait()
            return function(*args, **kwargs)

        return wrapper

    async def use(net: Network) -> None:
        net.send("greet", {"name": "Ada"})
        await gate.reached()
        net.inbox.deliver(Cancel("t1", 1))
        gate.open.set()
        assert (await net.wire.result()).outcome is Outcome.CANCELED

    await after(slow(greet), use)


def counting(to: int) -> Iterator[int]:
    """Count."""
    yield from range(to)


async def test_a_plain_generator_streams_from_a_thread() -> None:
    async def use(net: Network) -> None:
        result = await net.ask("counting", {"to": 300})
        assert read(result.output) == list(range(300))
        assert events_of(net.wire.of(Event), EventKind.CHUNK) == [{"value": number} for number in range(300)]

    await after([counting], use)


async def test_a_plain_generator_that_waits_for_room_can_be_cancelled_and_is_closed() -> None:
    closed = threading.Event()

    def skill() -> Iterator[int]:
        try:
            while True:
                yield 1
        finally:
            closed.set()

    async def use(net: Network) -> None:
        net.send("skill")
        await net.wire.events(1)
        net.inbox.deliver(Cancel("t1", 1))
        assert (await net.wire.result()).outcome is Outcome.CANCELED
        assert closed.wait(SECONDS)

    await after(skill, use, limits=Limits(unacknowledged=2), acknowledge=False)


async def test_each_task_is_told_in_the_agents_own_log() -> None:
    async def fine() -> None: ...

    async def wrong() -> None:
        raise ValueError("no")

    async def declined(ctx: Context) -> None:
        ctx.reject("no", code="closed")

    async def endless() -> None:
        await asyncio.Event().wait()

    async def use(net: Network) -> None:
        for number, skill in enumerate(("fine", "wrong", "declined")):
            await net.ask(skill, task=f"t{number}")
        net.send("endless", task="t3")
        await net.wire.accepted("t3")
        net.inbox.deliver(Cancel("t3", 1))
        await net.wire.result("t3")
        told = [(level, event, fields["task"], fields.get("code")) for level, event, fields in net.log.lines]
        received = [("info", "task received", f"t{number}", None) for number in range(4)]
        ended = [
            ("info", "task completed", "t0", None),
            ("error", "task failed", "t1", "handler_error"),
            ("info", "task rejected", "t2", "closed"),
            ("info", "task canceled", "t3", "canceled"),
        ]
        assert told == [line for pair in zip(received, ended, strict=True) for line in pair]
        assert all(fields["took"] >= 0 for _, event, fields in net.log.lines if event != "task received")

    await after([fine, wrong, declined, endless], use)
