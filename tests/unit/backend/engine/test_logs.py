"""Lines on their way into their store: together, as their agents' own, and refused when they can't be kept."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from agentic_atlas.backend.domain.logs import KeptBatch, LogBatch, LogFilter, LogLimits, LogSight
from agentic_atlas.backend.engine.logs import LogBook
from agentic_atlas.backend.inside import RouterRequests
from agentic_atlas.backend.store.memory_logs import MemoryLogs
from agentic_atlas.errors import Unavailable
from agentic_atlas.protocol.inside.messages import InstanceRef, Logged, LogsKept
from agentic_atlas.protocol.messages import LogLine, LogSource
from tests.unit.backend.network import NOW, Network


class HeldLogs(MemoryLogs):
    """Counts what it is asked for, and may fail or be held back."""

    def __init__(self) -> None:
        super().__init__()
        self.commits: list[int] = []
        self.failing: Exception | None = None
        self.free = asyncio.Event()
        self.free.set()
        self.forgot = asyncio.Event()

    async def append(self, batches: Sequence[LogBatch], now: float, limits: LogLimits) -> list[KeptBatch]:
        await self.free.wait()
        if self.failing is not None:
            raise self.failing
        self.commits.append(len(batches))
        return await super().append(batches, now, limits)

    async def forget(self, agent_id: str) -> None:
        if self.failing is not None:
            raise self.failing
        await super().forget(agent_id)
        self.forgot.set()


def book(network: Network, lines: HeldLogs) -> LogBook:
    engine = network.engine

    async def sleep(_: float) -> None:
        await asyncio.sleep(0)

    return LogBook(lines, network.store, engine.changes, network.clock, network.log, LogLimits(), sleep)


def line(message: str, task: str = "", source: LogSource = "task") -> LogLine:
    return LogLine(at=NOW, level="info", message=message, source=source, task=task)


async def said(lines: MemoryLogs, which: LogFilter | None = None) -> list[tuple[str, str]]:
    found = await lines.find(which or LogFilter(), LogSight(), limit=100)
    return [(one.line.message, one.line.task) for one in found.lines]


async def test_what_comes_while_others_are_kept_shares_the_next_commit() -> None:
    network, lines = Network(), HeldLogs()
    logs = book(network, lines)
    lines.free.clear()
    async with asyncio.TaskGroup() as group:
        kept = [group.create_task(logs.keep("agent_1", f"ins_{n}", 1, [line(f"{n}")], 0)) for n in range(10)]
        await asyncio.sleep(0)
        lines.free.set()
    assert [one.result() for one in kept] == [1] * 10
    assert lines.commits[0] == 1 or sum(lines.commits) == 10
    assert sum(lines.commits) == 10
    assert len(lines.commits) <= 2
    assert logs.kept == 10


async def test_an_agent_speaks_of_its_own_tasks_alone() -> None:
    network, lines = Network(), HeldLogs()
    logs, ada = book(network, lines), await network.user()
    hello, other = await network.agent(ada), await network.agent(ada, "other")
    task = await network.held(ada, hello)
    await logs.keep(hello.id, "ins_1", 1, [line("own", task.id), line("none", "task_none")], 0)
    await logs.keep(other.id, "ins_2", 1, [line("forged", task.id)], 0)
    assert sorted(await said(lines)) == [("forged", ""), ("none", ""), ("own", task.id)]
    (own,) = (await lines.find(LogFilter(tasks=(task.id,)), LogSight(), limit=9)).lines
    assert own.line.trace == task.trace_id


async def test_what_cannot_be_kept_is_refused_told_of_once_and_kept_when_it_comes_again() -> None:
    network, lines = Network(), HeldLogs()
    logs = book(network, lines)
    lines.failing = Unavailable("no", code="storage_full")
    for _ in range(3):
        with pytest.raises(Unavailable):
            await logs.keep("agent_1", "ins_1", 1, [line("a")], 0)
    assert logs.trouble == "storage_full"
    assert network.log.at("warning") == ["agent_logs_not_kept"]
    lines.failing = None
    assert await logs.keep("agent_1", "ins_1", 1, [line("a")], 0) == 1
    assert logs.trouble is None
    assert network.log.at("warning") == ["agent_logs_not_kept", "agent_logs_kept_again"]


async def test_who_is_cancelled_leaves_nobody_waiting() -> None:
    network, lines = Network(), HeldLogs()
    logs = book(network, lines)
    lines.free.clear()
    first = asyncio.ensure_future(logs.keep("agent_1", "ins_1", 1, [line("a")], 0))
    await asyncio.sleep(0)
    second = asyncio.ensure_future(logs.keep("agent_1", "ins_2", 1, [line("b")], 0))
    await asyncio.sleep(0)
    first.cancel()
    lines.free.set()
    assert await second == 1
    assert await said(lines) == [("b", "")]


async def test_of_an_agent_that_is_deleted_nothing_is_kept_any_more() -> None:
    network, lines = Network(), HeldLogs()
    logs = book(network, lines)
    await logs.keep("agent_1", "ins_1", 1, [line("before")], 0)
    await logs.forget("agent_1")
    assert await logs.keep("agent_1", "ins_1", 2, [line("late"), line("later")], 0) == 3
    assert await said(lines) == []


async def test_what_could_not_be_removed_is_when_it_is_looked_for_agents_that_are_gone() -> None:
    network, lines = Network(), HeldLogs()
    logs, ada = book(network, lines), await network.user()
    hello = await network.agent(ada)
    await logs.keep(hello.id, "ins_1", 1, [line("stays")], 0)
    await logs.keep("agent_gone", "ins_2", 1, [line("goes")], 0)
    lines.failing = Unavailable("no")
    await logs.forget("agent_gone")
    lines.failing = None
    running = asyncio.ensure_future(logs.run())
    await lines.forgot.wait()
    running.cancel()
    assert await said(lines) == [("stays", "")]


async def test_the_router_is_told_up_to_which_number_lines_are_kept() -> None:
    lines = HeldLogs()
    network = Network(logs=lines)
    instance = InstanceRef("agent_1", "ins_1", 1)
    asked = RouterRequests(network.engine, network.log)
    await asked.keep(Logged(instance, 1, (line("a"), line("b"))))
    lines.failing = Unavailable("no")
    await asked.keep(Logged(instance, 3, (line("c"),)))
    assert network.router.all(LogsKept) == [LogsKept(instance, 2), LogsKept(instance, 2)]


async def test_what_agents_say_that_they_dropped_is_counted_once() -> None:
    network, lines = Network(), HeldLogs()
    logs = book(network, lines)
    for instance, first, dropped in (
        ("ins_1", 1, 0),
        ("ins_1", 5, 3),
        ("ins_1", 5, 3),  # the same again, for its acknowledgement was lost
        ("ins_2", 8, 7),  # it has dropped all before
        ("ins_3", 900, 20),  # heard by another process before this one
        ("ins_3", 910, 25),
    ):
        await logs.keep("agent_1", instance, first, [line(f"{first}")], dropped)
    assert (logs.kept, logs.dropped) == (5, 3 + 7 + 5)
