"""The network of a test, seen from its own loop and from a loop of its own on another thread."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from agentic_atlas import Agent, ConfigurationError, InvalidInput, TaskError
from agentic_atlas.backend.usecases import agents
from agentic_atlas.sdk.client.errors import NotFinished
from agentic_atlas.testing import AsyncCaller, serving
from agentic_atlas.testing.network import MemoryNetwork
from tests.integration.testing.agents import Flaky, Gated, new_worker, worker


@pytest.fixture(autouse=True)
async def nothing_left() -> AsyncIterator[None]:
    """See that no task of a test is left, and that it takes no time to speak of."""
    began = time.monotonic()
    yield
    # The runner's own tasks, of which the test is a part, are not the test's.
    assert not [task for task in asyncio.all_tasks() if "TestRunner." not in repr(task.get_coro())]
    assert time.monotonic() - began < 5


async def test_an_asynchronous_test_has_the_agent_in_its_own_loop() -> None:
    agent, gate = Agent("gated"), asyncio.Event()

    @agent.skill
    async def work() -> str:
        await gate.wait()
        return "open"

    async with serving(agent) as gated:
        task = await gated.submit("work")
        async for event in task.events():
            if event.data.get("accepted"):
                gate.set()
        assert await task.result() == "open"


async def test_all_kinds_of_skills_run() -> None:
    async with serving(worker("front"), worker("back")) as front:
        assert await front.call("greet", name="Ada") == "Hello, Ada!"
        assert await front.call("add", a=1, b=2) == 3
        assert await front.call("count", to=3) == [0, 1, 2]
        assert await front.call("ask", agent="back", skill="add", input={"a": 1, "b": 2}) == 3
        assert await front.call("ask_in_thread", agent="back", skill="add", input={"a": 1, "b": 2}) == 3
        assert await front.of("back").call("add", a=1, b=2) == 3


async def test_calls_may_be_made_at_once() -> None:
    async with serving(worker()) as hello, asyncio.TaskGroup() as group:
        sums = [group.create_task(hello.call("add", a=n, b=1)) for n in range(20)]
    assert [one.result() for one in sums] == list(range(1, 21))


async def test_a_retry_does_not_wait_for_its_back_off() -> None:
    async with serving(worker(), Flaky(2).agent) as hello:
        assert await hello.call("ask", agent="flaky", skill="work", input={}) == 3
    async with serving(Flaky(2).agent) as flaky:
        assert await flaky.call("work") == 3


async def test_a_back_off_is_not_skipped_while_something_else_runs() -> None:
    flaky, gated = Flaky(1), Gated()

    async with serving(flaky.agent, gated.agent) as caller:
        slow = await caller.of(gated.agent).submit("work")
        assert await asyncio.to_thread(gated.entered.acquire, timeout=5)
        task = await caller.submit("work")
        with pytest.raises(NotFinished):
            await task.result(timeout=0.05)
        assert task.info.state == "submitted"
        gated.open.set()
        assert await slow.result() is False
        assert await task.result() == 2


async def test_a_timeout_is_kept() -> None:
    async with serving(worker()) as hello:
        task = await hello.submit("hang", timeout=0.02)
        with pytest.raises(TaskError) as caught:
            await task.result()
        assert caught.value.code == "timeout"
        with pytest.raises(NotFinished):
            await hello.call("hang", timeout=0.02)


async def test_errors_are_those_of_a_client() -> None:
    async with serving(worker()) as hello:
        with pytest.raises(InvalidInput):
            await hello.call("add", a=1)
        with pytest.raises(TaskError, match="ZeroDivisionError"):
            await hello.call("divide", a=1, by=0)
    with pytest.raises(ConfigurationError, match="inside of the `with` block"):
        await hello.call("add", a=1, b=2)


@pytest.mark.parametrize("when", ["before", "after"])
async def test_an_error_of_a_lifespan_is_the_users_own(when: str) -> None:
    failure = LookupError("no model")

    @asynccontextmanager
    async def lifespan(agent: Agent) -> AsyncIterator[None]:
        if when == "after":
            yield
        raise failure

    with pytest.raises(LookupError) as caught:
        async with serving(new_worker(lifespan=lifespan), worker("other")) as hello:
            assert await hello.call("add", a=1, b=2) == 3
    assert caught.value is failure


async def test_a_test_that_is_cancelled_leaves_nothing() -> None:
    async def test(entered: asyncio.Event) -> None:
        async with serving(worker()) as hello:
            await hello.submit("hang")
            entered.set()
            await hello.call("hang")

    entered = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        running = group.create_task(test(entered))
        await entered.wait()
        running.cancel()
    assert running.cancelled()


async def test_a_lifespan_that_takes_too_long_for_the_test_is_cancelled() -> None:
    left: list[str] = []

    @asynccontextmanager
    async def lifespan(agent: Agent) -> AsyncIterator[None]:
        try:
            await asyncio.Event().wait()
            yield
        finally:
            left.append("left")

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.02), serving(new_worker(lifespan=lifespan), worker("other")):
            pass
    assert left == ["left"]


async def test_a_fixture_may_be_entered_and_left_by_two_tasks() -> None:
    async def fixture() -> AsyncGenerator[AsyncCaller, None]:
        async with serving(worker()) as hello:
            yield hello

    made = fixture()

    async def enter() -> AsyncCaller:
        return await anext(made)

    async def leave() -> None:
        with pytest.raises(StopAsyncIteration):
            await anext(made)

    async with asyncio.TaskGroup() as group:
        hello = await group.create_task(enter())
        assert await group.create_task(hello.call("add", a=1, b=2)) == 3
        await group.create_task(leave())


async def test_an_agent_that_the_router_sends_away_says_why_to_whoever_waits() -> None:
    network = MemoryNetwork([worker()])
    await network.start()
    task = await AsyncCaller(network, "worker").submit("hang")
    await agents.update(network.tester, network.application, "worker", description=None, disabled=True)
    with pytest.raises(ConfigurationError, match="disabled"):
        await task.result()
    with pytest.raises(ConfigurationError, match="disabled"):
        await network.stop()


async def test_a_caller_can_be_used_from_another_loop_in_another_thread() -> None:
    async def elsewhere(hello: AsyncCaller) -> tuple[Any, list[str], str]:
        task = await hello.submit("greet", name="Bo")
        kinds = [event.kind async for event in task.events()]
        return await hello.call("greet", name="Ada"), kinds[:1], (await task.cancel()).state

    async with asyncio.timeout(5), serving(worker()) as hello:
        called = await asyncio.to_thread(lambda: asyncio.run(elsewhere(hello)))
        assert called == ("Hello, Ada!", ["state"], "completed")
