"""Agents for the tests of `agentic_atlas.testing`."""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import AsyncIterator
from typing import Any

from agentic_atlas import Agent, Context, SyncContext

HOUR = 3_600.0


@functools.cache
def worker(name: str = "worker") -> Agent:
    """Return an agent with skills of each kind; the same one each time, for most of a test's time is its schemas'."""
    return new_worker(name)


def new_worker(name: str = "worker", **options: Any) -> Agent:
    """Return one of its own."""
    agent = Agent(name, **options)
    _add_plain(agent)
    _add_endless_or_failing(agent)
    _add_asking(agent)
    return agent


def _add_plain(agent: Agent) -> None:

    @agent.skill
    async def greet(ctx: Context, name: str, times: int = 1) -> str:
        ctx.log.info("greeting", name=name)
        await ctx.progress(0.5, "half way")
        return " ".join([f"Hello, {name}!"] * times)

    @agent.skill
    def add(a: int, b: int) -> int:
        return a + b

    @agent.skill
    async def count(to: int) -> AsyncIterator[int]:
        for number in range(to):
            yield number


def _add_endless_or_failing(agent: Agent) -> None:
    @agent.skill
    async def sleep(seconds: float) -> float:
        await asyncio.sleep(seconds)
        return seconds

    @agent.skill
    async def divide(a: float, by: float) -> float:
        return a / by

    @agent.skill(timeout=HOUR)
    async def hang() -> None:
        await asyncio.Event().wait()

    @agent.skill
    async def decline(ctx: Context) -> None:
        ctx.reject("not today", code="closed")


def _add_asking(agent: Agent) -> None:
    @agent.skill
    async def who(ctx: Context) -> dict[str, Any]:
        return {
            "attempt": ctx.attempt,
            "task": ctx.task_id,
            "trace": ctx.trace,
            "caller": [ctx.caller.kind, ctx.caller.name],
            "time_left": ctx.time_left,
        }

    @agent.skill
    async def ask(ctx: Context, agent: str, skill: str, input: dict[str, Any]) -> Any:
        return await ctx.call(agent, skill, **input)

    @agent.skill
    def ask_in_thread(ctx: SyncContext, agent: str, skill: str, input: dict[str, Any]) -> Any:
        return ctx.call(agent, skill, **input)

    @agent.skill
    async def follow(ctx: Context, agent: str, skill: str, input: dict[str, Any]) -> list[Any]:
        return [[event.kind, event.data] async for event in ctx.stream(agent, skill, **input)]


class Flaky:
    """An agent whose skill fails a number of times first."""

    def __init__(self, failures: int, *, backoff: float = HOUR, retries: int = 3) -> None:
        self.left = failures
        self.agent = Agent("flaky")

        @self.agent.skill(retries=retries, backoff=backoff)
        async def work(ctx: Context) -> int:
            if self.left:
                self.left -= 1
                raise ConnectionError("the model is not there")
            return ctx.attempt


class Gated:
    """An agent whose skill, in a thread, goes on when the test lets it; and how many of it ran at once."""

    def __init__(self, **options: Any) -> None:
        self.entered = threading.Semaphore(0)
        self.open = threading.Event()
        self.agent = Agent("gated", **options)
        self.most = self.now = 0

        @self.agent.skill
        def work(ctx: SyncContext) -> bool:
            self.now += 1
            self.most = max(self.most, self.now)
            self.entered.release()
            while not self.open.wait(0.01) and not ctx.cancelled:
                pass
            self.now -= 1
            return ctx.cancelled
