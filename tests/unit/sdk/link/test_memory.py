"""The link in memory: an agent is let in and works, and is told why it was sent away."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from agentic_atlas import Agent, AtlasError, ConfigurationError
from agentic_atlas.protocol.closing import CloseCode, encode_reason
from agentic_atlas.protocol.messages import Beat, Hello, InstanceInfo, Message, Result, ResultAck, Side
from agentic_atlas.protocol.session import Session
from agentic_atlas.sdk.agent import skills_of
from agentic_atlas.sdk.link.memory import MemoryLink
from agentic_atlas.sdk.runner.runner import Runner
from agentic_atlas.transport.memory import MemorySocket
from agentic_atlas.transport.receiver import Receiver
from tests.unit.sdk.memory_wire import SECONDS, Lines, make_task, make_welcome, read

pytestmark = pytest.mark.anyio


class RouterSide(Receiver):
    """Lets in whoever says hello, answers beats, and acknowledges results."""

    def __init__(self, socket: MemorySocket) -> None:
        self.socket = socket
        self.results: list[Result] = []
        self.done = asyncio.Event()
        self._session = Session(Side.ROUTER)

    def say(self, message: Message) -> None:
        self.socket.send(self._session.send(message))

    def received(self, data: bytes) -> None:
        match self._session.receive(data):
            case Hello():
                self.say(make_welcome())
            case Beat(n=number):
                self.say(Beat(number))
            case Result() as result:
                self.say(ResultAck(result.task, result.attempt))
                self.results.append(result)
                self.done.set()


async def served(begin: Callable[[RouterSide], object], *, ends: bool = False) -> RouterSide:
    """Run an agent over the link, do this once it is let in, and leave unless that ends it."""
    agent, sides = Agent("greeter"), list[RouterSide]()

    @agent.skill
    async def greet(name: str) -> str:
        return f"Hello, {name}!"

    def dial(socket: MemorySocket) -> RouterSide:
        sides.append(RouterSide(socket))
        return sides[0]

    runner = Runner(skills_of(agent), concurrency=1, log=Lines(), stop_grace=SECONDS)
    hello = Hello(1, InstanceInfo("i1"), [skill.spec() for skill in skills_of(agent).values()], 1)
    welcomed = asyncio.Event()
    link = MemoryLink(hello, runner, dial, welcomed.set)
    async with asyncio.timeout(SECONDS):
        running = asyncio.create_task(runner.run(link, link.start))
        await welcomed.wait()
        begin(sides[0])
        if not ends:
            await sides[0].done.wait()
            runner.drain(SECONDS)
            await link.stop()
        await running
    return sides[0]


async def test_a_task_is_run_and_its_result_is_acknowledged_before_the_agent_leaves() -> None:
    side = await served(lambda side: side.say(make_task("greet", {"name": "Ada"})))
    assert [read(result.output) for result in side.results] == ["Hello, Ada!"]
    assert await side.socket.over == (CloseCode.NORMAL, encode_reason("done"))


@pytest.mark.parametrize(
    ("code", "kind"), [(CloseCode.AGENT_DISABLED, ConfigurationError), (CloseCode.OVERLOAD, AtlasError)]
)
async def test_an_agent_that_is_sent_away_is_told_why(code: CloseCode, kind: type[AtlasError]) -> None:
    with pytest.raises(kind) as told:
        await served(lambda side: side.socket.close(code, encode_reason("because")), ends=True)
    assert type(told.value) is kind
    assert "because" in told.value.message
