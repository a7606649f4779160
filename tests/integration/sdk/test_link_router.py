"""The link against the product's own router, with a wire in between that is cut again and again."""

from __future__ import annotations

import asyncio
import contextlib
import random
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from msgspec import Raw

from agentic_atlas.protocol.messages import Accept, Event, EventKind, Outcome, Reaction, Result, Task, Welcome
from agentic_atlas.router.settings import RouterSettings
from agentic_atlas.sdk.link.link import LinkThread
from agentic_atlas.sdk.link.settings import Runtime, Timeouts
from tests.held_backend import Record
from tests.integration.router.doors import CALM, agent, door, until
from tests.integration.sdk.dialogues import PATIENCE, Lines, Recorder, linked

EVENTS = 5
TASKS = 200
CUTS = 40
TOKEN = "worker/token"


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, bool]]:
    """Run the tests on the loop that the product uses."""
    return "asyncio", {"use_uvloop": True}


class Echo(Recorder):
    """Runs each task at once: a few events, then its input as output. A task that comes twice is a fault."""

    def __init__(self) -> None:
        super().__init__()
        self.started: list[tuple[str, int]] = []

    def deliver(self, message: Any) -> None:
        assert isinstance(message, Task)
        assert self.link is not None
        key = (message.task, message.attempt)
        self.started.append(key)
        self.link.post(Accept(*key))
        for n in range(1, EVENTS + 1):
            self.link.post(Event(*key, n, EventKind.CHUNK, Raw(str(n).encode())))
        self.link.post(Result(*key, Outcome.COMPLETED, Raw(bytes(message.input))))


@dataclass
class Wire:
    """A proxy whose connections can be cut, with whatever is on its way in them, or go on without carrying anything."""

    port: int = 0
    ends: set[asyncio.StreamWriter] = field(default_factory=set)
    server: asyncio.Server | None = None
    swallowing: set[asyncio.StreamWriter] = field(default_factory=set)

    def cut(self) -> int:
        ends, self.ends = self.ends, set()
        for end in ends:
            end.transport.abort()
        return len(ends)

    async def close(self) -> None:
        """Cut, and let nobody in any more."""
        assert self.server is not None
        self.server.close()
        self.cut()
        await self.server.wait_closed()

    def swallow(self) -> None:
        """Carry nothing any more on the connections there are: each end believes that the other one is silent."""
        self.swallowing |= self.ends


@asynccontextmanager
async def wire(to: int) -> AsyncIterator[Wire]:
    proxy = Wire()

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(1_000):
                if writer not in proxy.swallowing:
                    writer.write(data)
                    await writer.drain()
        writer.transport.abort()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        onwards_reader, onwards = await asyncio.open_connection("127.0.0.1", to)
        proxy.ends |= {writer, onwards}
        async with asyncio.TaskGroup() as group:
            group.create_task(carry(reader, onwards))
            group.create_task(carry(onwards_reader, writer))
        proxy.ends -= {writer, onwards}

    server = proxy.server = await asyncio.start_server(accept, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        await proxy.close()


async def ended(link: LinkThread) -> None:
    link.stop_soon(PATIENCE)
    assert await asyncio.to_thread(link.join, PATIENCE)


def check(task: Record, payload: bytes) -> None:
    assert bytes(task.ended.result().output) == payload
    assert [event.n for event in task.events] == list(range(1, EVENTS + 1))
    assert task.attempt == 1


async def test_an_agent_works_for_the_products_own_router() -> None:
    async with door() as at:
        inbox, log = Echo(), Lines()
        with linked(f"ws://127.0.0.1:{at.port}/ws", inbox=inbox, log=log, token=TOKEN) as (
            link,
            _,
        ):
            tasks = [at.backend.submit("worker", "work", str(number).encode()) for number in range(TASKS)]
            async with asyncio.timeout(PATIENCE):
                for number, task in enumerate(tasks):
                    await task.ended
                    check(task, str(number).encode())
            await ended(link)
        assert not log.having("lost")


async def test_no_cut_loses_or_repeats_anything() -> None:
    chance = random.Random(7)

    async with door() as at, wire(at.port) as between:
        inbox, log = Echo(), Lines()
        at_once = Runtime(random=lambda: 0.0)
        url = f"ws://127.0.0.1:{between.port}/ws"
        with linked(url, inbox=inbox, log=log, token=TOKEN, runtime=at_once) as (link, _):
            tasks: list[Record] = []
            cuts = 0
            async with asyncio.timeout(4 * PATIENCE):
                while cuts < CUTS:
                    first = len(tasks)
                    tasks += [at.backend.submit("worker", "work", str(first + n).encode()) for n in range(10)]
                    await tasks[first + chance.randrange(10)].ended
                    for _ in range(chance.randrange(20)):
                        await asyncio.sleep(0)
                    cuts += between.cut() > 0
                for number, task in enumerate(tasks):
                    await task.ended
                    check(task, str(number).encode())
            await ended(link)
        assert len(inbox.started) == len(set(inbox.started)) == len(tasks)
        assert not [line for level, line in log.lines if level == "error"]


class Asker(Recorder):
    """Asks a question for each task and returns the answer. An answer may come twice, and counts once."""

    def __init__(self) -> None:
        super().__init__()
        self.answered: list[str] = []
        self.asked = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def deliver(self, message: Any) -> None:
        assert self.link is not None
        if isinstance(message, Task):
            self.link.post(Accept(message.task, 1))
            self.link.post(Event(message.task, 1, 1, EventKind.QUESTION, Raw(b'{"number":1,"question":"?"}')))
            self._loop.call_soon_threadsafe(self.asked.set)
        elif message.task not in self.answered:
            self.answered.append(message.task)
            self.link.post(Result(message.task, 1, Outcome.COMPLETED, message.reaction.data))


async def test_no_cut_between_question_and_answer_loses_either() -> None:
    chance = random.Random(11)

    async with door() as at, wire(at.port) as between:
        inbox, at_once = Asker(), Runtime(random=lambda: 0.0)
        url = f"ws://127.0.0.1:{between.port}/ws"
        with linked(url, inbox=inbox, token=TOKEN, runtime=at_once) as (link, _):
            async with asyncio.timeout(4 * PATIENCE):
                for number in range(CUTS):
                    task = at.backend.submit("worker", "work", b"1")
                    await inbox.asked.wait()
                    inbox.asked.clear()
                    if number % 2:
                        between.cut()
                    await until(lambda task=task: task.events)
                    at.backend.answer(task, Reaction(1, Raw(str(number).encode())))
                    for _ in range(chance.randrange(20)):
                        await asyncio.sleep(0)
                    between.cut()
                    assert bytes((await task.ended).output) == str(number).encode()
                    assert [event.kind for event in task.events] == [EventKind.QUESTION]
            await ended(link)
        assert len(inbox.answered) == CUTS


async def test_a_revoked_token_has_the_agent_say_what_to_do_and_wait_for_another() -> None:
    async with door() as at:
        inbox, log = Echo(), Lines()
        with linked(f"ws://127.0.0.1:{at.port}/ws", inbox=inbox, log=log, token=TOKEN) as (link, _):
            await asyncio.to_thread(inbox.expect, Welcome)
            at.backend.revoke("token")
            await until(lambda: log.having("the token has been revoked: create a new one"))
            await asyncio.to_thread(link.stop)
            assert inbox.next() == ("ended", None)


async def test_a_refused_handshake_carries_the_routers_message() -> None:
    async with door() as at:
        inbox = Echo()
        with linked(f"ws://127.0.0.1:{at.port}/ws", inbox=inbox, token="forbidden"):
            error = await asyncio.to_thread(inbox.end)
        assert "this agent is not allowed here" in error.message


async def test_many_threads_may_post_while_the_wire_is_cut() -> None:
    async with door() as at, wire(at.port) as between:
        inbox = Recorder()
        delivered = asyncio.Event()
        loop = asyncio.get_running_loop()
        inbox.deliver = lambda _: loop.call_soon_threadsafe(delivered.set)  # type: ignore[method-assign]
        with linked(f"ws://127.0.0.1:{between.port}/ws", inbox=inbox, token=TOKEN) as (
            link,
            _,
        ):
            task = at.backend.submit("worker", "work", b"1")
            async with asyncio.timeout(PATIENCE):
                await delivered.wait()
            link.post(Accept(task.id, 1))

            def talk() -> None:
                for _ in range(100):
                    link.post(Event(task.id, 1, 1, EventKind.LOG, Raw(b"{}")))

            threads = [threading.Thread(target=talk) for _ in range(4)]
            for thread in threads:
                thread.start()
                between.cut()
            for thread in threads:
                await asyncio.to_thread(thread.join)
            link.post(Result(task.id, 1, Outcome.COMPLETED, Raw(b"2")))
            async with asyncio.timeout(PATIENCE):
                await task.ended
            await ended(link)
        assert [event.n for event in task.events] == list(range(1, 401))


BEAT, TICK = 0.4, 0.05
BEATING = replace(CALM, beat_every=BEAT, silent_beats=RouterSettings().silent_beats, tick=TICK)


async def test_an_agent_finds_a_connection_that_carries_nothing_and_loses_no_task() -> None:
    async with door(BEATING) as at, wire(at.port) as between:
        inbox, log = Recorder(), Lines()
        url = f"ws://127.0.0.1:{between.port}/ws"
        with linked(url, inbox=inbox, log=log, token=TOKEN, timeouts=Timeouts(tick=TICK, close=0.1)) as (
            link,
            _,
        ):
            await asyncio.to_thread(inbox.expect, Welcome)
            task = at.backend.submit("worker", "work", b"1")
            await asyncio.to_thread(inbox.expect, Task)
            link.post(Accept(task.id, 1))
            await until(lambda: task.accepted)
            between.swallow()
            await asyncio.to_thread(log.wait, "the router has not answered")
            await asyncio.to_thread(inbox.expect, Welcome)
            link.post(Result(task.id, 1, Outcome.COMPLETED, Raw(b"2")))
            async with asyncio.timeout(PATIENCE):
                await task.ended
            await ended(link)
        assert (task.attempt, at.backend.losses) == (1, [])


async def test_a_router_finds_a_connection_that_carries_nothing() -> None:
    async with door(BEATING) as at, wire(at.port) as between, agent(between.port):
        between.swallow()
        await until(lambda: "no_beat" in [facts.get("reason") for _, _, facts in at.log.lines])
