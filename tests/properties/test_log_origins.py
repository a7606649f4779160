"""Whatever overlapping tasks do with loggers, prints, threads and pools, no line is told as another task's.

Each example has a loop of its own, and so has a skill in a thread.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from logging.handlers import QueueHandler
from typing import Any, Final

from hypothesis import given, settings
from hypothesis import strategies as st

from agentic_atlas import Agent
from agentic_atlas.protocol.messages import LogLine
from agentic_atlas.sdk.lines.capture import Wanted, captured
from agentic_atlas.sdk.lines.outlet import Outlet
from tests.unit.sdk.memory_wire import network

LIBRARY: Final = logging.getLogger("third.party")
QUEUED: Final = logging.getLogger("third.party.queued")

CERTAIN: Final = ("log", "print", "child", "to_thread")
"""What is done in the skill's own context: its lines have its task."""
UNCERTAIN: Final = ("thread", "pool", "queued", "left_behind")
"""What is done by a thread that works for others too, or after the task: its lines have none."""


class Shared:
    """What all tasks of the agent use: a pool of threads, and a listener that handles records for everybody."""

    def __init__(self) -> None:
        self.pool = ThreadPoolExecutor(2)
        self.records: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.ended = asyncio.Event()
        self.left: list[asyncio.Task[None]] = []
        self.listener: threading.Thread | None = None

    def listen(self) -> None:
        """Start the listener with the first who needs it, as libraries do."""
        if self.listener is None:
            self.listener = threading.Thread(target=self._handle)
            self.listener.start()

    def _handle(self) -> None:
        while (record := self.records.get()) is not None:
            LIBRARY.handle(record)

    async def close(self) -> None:
        self.ended.set()
        await asyncio.gather(*self.left)
        self.records.put(None)
        if self.listener is not None:
            await asyncio.to_thread(self.listener.join)
        self.pool.shutdown()


async def _print(said: str, _: Shared) -> None:
    print(said, end="")
    await asyncio.sleep(0)
    print()


async def _log(said: str, _: Shared) -> None:
    LIBRARY.info(said)


async def _child(said: str, shared: Shared) -> None:
    await asyncio.gather(_log(said, shared), _log(said, shared))


async def _to_thread(said: str, _: Shared) -> None:
    await asyncio.to_thread(LIBRARY.info, said)


async def _thread(said: str, _: Shared) -> None:
    thread = threading.Thread(target=LIBRARY.info, args=(said,))
    thread.start()
    await asyncio.to_thread(thread.join)


async def _pool(said: str, shared: Shared) -> None:
    await asyncio.get_running_loop().run_in_executor(shared.pool, LIBRARY.info, said)


async def _queued(said: str, shared: Shared) -> None:
    shared.listen()
    QUEUED.info(said)


async def _left_behind(said: str, shared: Shared) -> None:
    shared.left.append(asyncio.create_task(_later(said, shared)))


async def _later(said: str, shared: Shared) -> None:
    await shared.ended.wait()
    LIBRARY.info(said)


ACTS: Final[dict[str, Callable[[str, Shared], Awaitable[None]]]] = {
    "log": _log,
    "print": _print,
    "child": _child,
    "to_thread": _to_thread,
    "thread": _thread,
    "pool": _pool,
    "queued": _queued,
    "left_behind": _left_behind,
}


async def act(steps: list[str], name: str, shared: Shared) -> None:
    """Have lines logged that begin with the name of the task that says them."""
    for step in steps:
        await ACTS[step](f"{name} {step}", shared)
        await asyncio.sleep(0)


@contextmanager
def loggers(shared: Shared) -> Iterator[None]:
    handler = QueueHandler(shared.records)
    LIBRARY.setLevel(logging.INFO)
    QUEUED.addHandler(handler)
    QUEUED.propagate = False
    try:
        yield
    finally:
        QUEUED.removeHandler(handler)
        LIBRARY.setLevel(logging.NOTSET)


def agent_of(programs: list[list[str]], shared: Shared) -> Agent:
    """Return an agent that does these things, on its loop or in a thread."""
    agent = Agent("tester")

    @agent.skill
    async def on_loop(number: int) -> None:
        await act(programs[number], f"t{number}", shared)

    @agent.skill
    def in_thread(number: int) -> None:
        # This loop is the attempt's own, and ends with it: nothing is left behind on it.
        steps = [step for step in programs[number] if step != "left_behind"]
        asyncio.run(act(steps, f"t{number}", shared))

    return agent


async def told(programs: list[list[str]], blocking: list[bool]) -> list[LogLine]:
    """Run a task for each of these programs, all at once; return what the agent told."""
    outlet, shared = Outlet(), Shared()
    agent = agent_of(programs, shared)
    with captured(outlet, Wanted(logging.DEBUG, output=True)), loggers(shared):
        async with network(agent, concurrency=len(programs), outlet=outlet) as net:
            for number, blocks in enumerate(blocking):
                net.send("in_thread" if blocks else "on_loop", {"number": number}, task=f"t{number}")
            for number in range(len(programs)):
                result = await net.wire.result(f"t{number}")
                assert result.error is None
            await shared.close()
    return _taken(outlet)


def _taken(outlet: Outlet) -> list[LogLine]:
    found: list[LogLine] = []
    while (logs := outlet.ring.next(1024 * 1024)) is not None:
        found += logs.lines
        outlet.ring.kept(logs.first + len(logs.lines) - 1)
    return found


PROGRAMS = st.lists(
    st.tuples(st.lists(st.sampled_from((*CERTAIN, *UNCERTAIN)), min_size=1, max_size=6), st.booleans()),
    min_size=2,
    max_size=5,
)


@settings(max_examples=40, deadline=None)
@given(PROGRAMS)
def test_no_line_is_told_as_another_tasks_and_what_a_skill_says_itself_is_told_as_its_own(
    programs: list[tuple[list[str], bool]],
) -> None:
    lines = asyncio.run(told([steps for steps, _ in programs], [blocks for _, blocks in programs]))
    count: Callable[[str], int] = [line.message for line in lines].count
    for line in lines:
        whose, step = line.message.split(" ")
        assert line.task in ("", whose)
        assert bool(line.task) == (step in CERTAIN)
        assert (line.attempt, bool(line.trace)) == ((1, True) if line.task else (0, False))
    for number, (steps, blocks) in enumerate(programs):
        for step in set(steps):
            times = steps.count(step) * (2 if step == "child" else 1) * (not (blocks and step == "left_behind"))
            assert count(f"t{number} {step}") == times
