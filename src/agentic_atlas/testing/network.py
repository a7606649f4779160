"""A router, a backend and some agents in one loop: what both `running` and `serving` run."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial

from agentic_atlas.errors import ConfigurationError
from agentic_atlas.protocol.messages import Hello, Limits
from agentic_atlas.router.router import Router
from agentic_atlas.router.settings import RouterSettings
from agentic_atlas.sdk import logs
from agentic_atlas.sdk.agent import Agent
from agentic_atlas.sdk.link.settings import Runtime
from agentic_atlas.sdk.runner.attempt import STOP_GRACE
from agentic_atlas.sdk.runner.runner import Runner
from agentic_atlas.sdk.skills.skill import Kind
from agentic_atlas.testing.backend import MemoryBackend
from agentic_atlas.testing.clock import Clock
from agentic_atlas.testing.directory import Directory
from agentic_atlas.testing.link import MemoryLink, connect
from agentic_atlas.testing.loop import JumpingLoop

_NEVER = 1e9
"""Seconds between two beats: a connection in memory cannot be lost."""
_TICK, _LONG_TICK = 0.5, 60.0
"""Seconds between two looks of the router; where time jumps, a long one costs nobody anything."""


class Network:
    """Lives in the loop it is made in, from `start` to `stop`.

    Attributes:
        backend: takes tasks while it lives.
    """

    def __init__(self, agents: Sequence[Agent]) -> None:
        """Prepare.

        Raises:
            ConfigurationError: there are no agents, or two with one name.
        """
        loop = asyncio.get_running_loop()
        jumps = isinstance(loop, JumpingLoop)
        self._agents = agents
        self._clock = Clock(loop.time, Runtime().wall)
        self._directory = Directory(agents)
        self.backend = MemoryBackend(self._directory, self._clock)
        self._router = self.backend.router = Router(
            self.backend,
            clock=self._clock,
            wall=self._clock.wall,
            limits=Limits(),
            settings=RouterSettings(beat_every=_NEVER, tick=_LONG_TICK if jumps else _TICK),
            log=logs.logger("warning", "console"),
        )
        if isinstance(loop, JumpingLoop):
            loop.may_jump = partial(self.backend.idle, _off_loop)
        self._absent = {agent.name for agent in agents}
        self._begun: asyncio.Future[None] = loop.create_future()
        self._leaving = asyncio.Event()
        self._life: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Return when all agents are connected; raises what any of them fails with before."""
        # Not in a TaskGroup: a fixture may be entered by one task and left by another, and an agent that fails in
        # between is to fail the calls that wait for it, not to cancel the test.
        self._life = asyncio.get_running_loop().create_task(self._live(), name="atlas-testing")
        try:
            with self.backend.awaited():
                await self._begun
        except BaseException:
            await self._end()
            raise

    async def stop(self) -> None:
        """Cancel what still runs, let the agents leave, and return when nothing is left; raises what has failed."""
        life = await self._end()
        life.result()

    async def _end(self) -> "asyncio.Task[None]":
        assert self._life is not None
        self._leaving.set()
        with self.backend.awaited():
            await asyncio.wait({self._life})
        if not self._life.cancelled():
            # Looked at here, so that it does not count as overlooked when `start` raises it in its own way.
            self._life.exception()
        return self._life

    async def _live(self) -> None:
        error: BaseException | None = None
        try:
            async with asyncio.TaskGroup() as group:
                own = [group.create_task(self._router.run()), group.create_task(self.backend.run())]
                await self._serve_all()
                for task in own:
                    task.cancel()
        except BaseExceptionGroup as failed:
            error = _only(failed)
        finally:
            self._over(error or ConfigurationError("the agents have ended: call them inside of the `with` block"))
        if error is not None:
            raise error

    async def _serve_all(self) -> None:
        async with asyncio.TaskGroup() as group:
            serving = {agent.name: group.create_task(self._serve(agent)) for agent in self._agents}
            await self._leaving.wait()
            self.backend.cancel_all()
            for name in self._absent:
                serving[name].cancel()
            for runner in self._directory.runners.values():
                runner.drain(STOP_GRACE)

    async def _serve(self, agent: Agent) -> None:
        log = logs.logger("info", "console")
        await agent.serve_over(partial(self._connect, agent.name), log, monotonic=self._clock)
        # One that has stopped before it was connected is not waited for.
        self._present(agent.name)

    @asynccontextmanager
    async def _connect(self, name: str, hello: Hello, runner: Runner) -> AsyncIterator[MemoryLink]:
        runners = self._directory.runners
        runners[name] = runner
        try:
            async with connect(name, hello, runner, self._router, partial(self._present, name)) as link:
                yield link
        finally:
            del runners[name]

    def _present(self, name: str) -> None:
        self._absent.discard(name)
        if not self._absent and not self._begun.done():
            self._begun.set_result(None)

    def _over(self, why: BaseException) -> None:
        self.backend.end(why)
        if not self._begun.done():
            self._begun.set_exception(why)


def _off_loop(kind: Kind) -> bool:
    return kind.off_loop


def _only(failed: BaseException) -> BaseException:
    """Return the error that a group is about, without the groups around it."""
    while isinstance(failed, BaseExceptionGroup) and len(failed.exceptions) == 1:
        failed = failed.exceptions[0]
    return failed
