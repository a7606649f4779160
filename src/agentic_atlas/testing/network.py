"""The network of a test: the real use cases, engine and router, over a store in memory and in one loop."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import partial
from itertools import count
from operator import attrgetter
from typing import Any

from agentic_atlas.auth import Scope
from agentic_atlas.backend.domain.people import BrowserSession
from agentic_atlas.backend.domain.records import AgentRecord, Role, Token, User
from agentic_atlas.backend.engine.circles import PATIENCE
from agentic_atlas.backend.engine.engine import Engine, World
from agentic_atlas.backend.inside import RouterDoor
from agentic_atlas.backend.rights import Principal
from agentic_atlas.backend.store.memory import MemoryStore
from agentic_atlas.backend.usecases import tasks
from agentic_atlas.backend.usecases.application import Application
from agentic_atlas.bus.local import Bus
from agentic_atlas.errors import ConfigurationError
from agentic_atlas.observe import logs
from agentic_atlas.protocol.inside.messages import Identity
from agentic_atlas.protocol.messages import Hello, Limits
from agentic_atlas.protocol.tasks import LEASED, TaskState
from agentic_atlas.router.router import Router
from agentic_atlas.router.settings import RouterSettings
from agentic_atlas.sdk.agent import Agent, serve_over, skills_of
from agentic_atlas.sdk.link.memory import MemoryLink
from agentic_atlas.sdk.link.settings import Runtime
from agentic_atlas.sdk.runner.attempt import STOP_GRACE
from agentic_atlas.sdk.runner.runner import Runner
from agentic_atlas.sdk.skills.skill import Kind
from agentic_atlas.testing.loop import JumpingLoop
from agentic_atlas.testing.schemas import SkillSchemas

OVER = "the agents have ended: call them inside of the `with` block"
_NEVER = 1e9
"""Seconds between two beats: a connection in memory cannot be lost. Tokens expire so long after their issue."""
_TICK, _LONG_TICK = 0.5, 60.0
"""Seconds between two looks of the router; where time jumps, a long one costs nobody anything."""
_LOOK, _LONG_LOOK = 0.01, 1.0
"""Seconds between two looks at whether those that wait could be helped, while nothing happens."""


class MemoryNetwork:
    """Lives in the loop it is made in, from `start` to `stop`.

    Attributes:
        loop: where it lives.
        agents: those that run, by name.
        engine: takes tasks while it lives.
        application: what is asked of it.
        tester: who owns all agents, and asks for all tasks of a test.
        over: why nothing more will happen, once that is so.
    """

    def __init__(self, agents: Sequence[Agent]) -> None:
        """Prepare.

        Raises:
            ConfigurationError: there are no agents, or two with one name.
        """
        self.agents = {agent.name: agent for agent in agents}
        if not agents:
            raise ConfigurationError("there is no agent to run: running(agent)")
        if len(self.agents) < len(agents):
            raise ConfigurationError("two agents have the same name: each needs one of its own")
        self.loop = asyncio.get_running_loop()
        self._skipped = 0.0
        self._epoch = Runtime().wall() - self.loop.time()
        numbers = count(1)

        def ids(prefix: str) -> str:
            return f"{prefix}_{next(numbers):08}"

        self.store = MemoryStore(ids)
        user = User("usr_tester", "tester", Role.MEMBER, self._wall())
        self.tester = Principal(user, BrowserSession("ses_test"), (Scope.EVERYTHING,))
        self.over: BaseException | None = None
        self._runners: dict[str, Runner] = {}
        self._waiting = 0
        self._news = asyncio.Event()
        self._absent = set(self.agents)
        self._begun: asyncio.Future[None] = self.loop.create_future()
        self._leaving = asyncio.Event()
        self._life: asyncio.Task[None] | None = None
        log = logs.logger("warning", "console")
        nothing: Any = None  # no token is signed here, and no backup made
        world = World(
            keys=nothing,
            clock=self._wall,
            monotonic=self._clock,
            ids=ids,
            entropy=secrets.token_bytes,
            log=log,
            bus=Bus(self._news.set),
            schemas=SkillSchemas(skill for agent in agents for skill in skills_of(agent).values()),
            backups=nothing,
            passwords=nothing,
        )
        tick, self._pace = (_LONG_TICK, _LONG_LOOK) if isinstance(self.loop, JumpingLoop) else (_TICK, _LOOK)
        self._router = Router(
            clock=self._clock,
            wall=self._wall,
            limits=Limits(),
            settings=RouterSettings(beat_every=_NEVER, tick=tick),
            log=log,
        )
        self.engine = Engine.over(self.store, self._router, "net_test", world)
        self.application = Application(self.engine)
        self._door = RouterDoor(self.engine, log)
        self._router.join(self._door.say)
        if isinstance(self.loop, JumpingLoop):
            self.loop.may_jump = partial(self.idle, attrgetter("off_loop"))

    async def start(self) -> None:
        """Return when all agents are connected; raises what any of them fails with before."""
        user, now = self.tester.user, self._wall()
        await self.store.users.add(user)
        for name in self.agents:
            await self.store.agents.add(AgentRecord(name, user.id, user.name, name, now))
            await self.store.tokens.add(Token(f"tok_{name}", name, name, now, now + _NEVER))
        # Not in a TaskGroup: a fixture may be entered by one task and left by another, and an agent that fails in
        # between is to fail the calls that wait for it, not to cancel the test.
        self._life = self.loop.create_task(self._live(), name="atlas-testing")
        try:
            with self.awaited():
                await self._begun
        except BaseException:
            with suppress(Exception):  # what has failed is raised already
                await self.stop()
            raise

    async def stop(self) -> None:
        """Cancel what still runs, let the agents leave, and return when nothing is left; raises what has failed."""
        assert self._life is not None
        self._leaving.set()
        with self.awaited():
            await asyncio.wait({self._life})
        self._life.result()

    def check(self) -> None:
        """Raise what the network has ended with, once it has."""
        if self.over is not None:
            raise self.over

    # -- time

    def _clock(self) -> float:
        """Return seconds of the loop, put forward where nobody would notice."""
        return self.loop.time() + self._skipped

    def _wall(self) -> float:
        """Return the same time in seconds since the epoch."""
        return self._clock() + self._epoch

    def idle(self, working: Callable[[Kind], bool] = lambda _kind: True) -> bool:
        """Tell whether somebody waits and nobody works: handlers of these kinds that run wait for a call or a person.

        A handler counts from the claim of its task until it has returned.
        """
        census = self.engine.dispatcher.census
        held = [task for task in census if task.state in LEASED and working(self._kind(task.agent_id, task.skill))]
        if not self._waiting or any(task.state is TaskState.WORKING and not census.called(task.id) for task in held):
            return False
        running = [self._kind(name, skill) for name, runner in self._runners.items() for skill in runner.running]
        return sum(map(working, running)) <= len(held)

    async def _hasten(self) -> None:
        """Have come at once what everybody waits for: the end of a back-off, or of a circle of calls."""
        census = self.engine.dispatcher.census
        while True:
            self._news.clear()
            waiting = [task for task in census if task.state is TaskState.SUBMITTED]
            if waiting and self.idle():
                for _ in range(PATIENCE):
                    self.engine.circles.look()
                self._skip([task.not_before for task in waiting if task.not_before is not None])
            with suppress(TimeoutError):
                async with asyncio.timeout(self._pace if waiting else None):
                    await self._news.wait()

    def _skip(self, moments: Sequence[float]) -> None:
        """Put the clock forward to the first of these moments that is to come."""
        now = self._wall()
        ahead = [moment - now for moment in moments if moment > now]
        if ahead:
            self._skipped += min(ahead)
            # Nothing moves with it, as it would if the clock had been set: it is only looked at again.
            self.engine.forgive(0.0)

    def _kind(self, agent: str, skill: str) -> Kind:
        return skills_of(self.agents[agent])[skill].kind

    @contextmanager
    def awaited(self) -> Iterator[None]:
        """Somebody waits meanwhile, and does nothing else: time may jump."""
        self._waiting += 1
        self._news.set()
        try:
            yield
        finally:
            self._waiting -= 1

    # -- its life

    async def _live(self) -> None:
        error: BaseException | None = None
        lives = (self._door.run(), self._router.run(), self.engine.dispatcher.deadlines.run(), self._hasten())
        try:
            async with asyncio.TaskGroup() as group:
                own = [group.create_task(life) for life in lives]
                await self._serve_all()
                for task in own:
                    task.cancel()
        except BaseExceptionGroup as failed:
            error = _only(failed)
        finally:
            self.over = error or ConfigurationError(OVER)
            self.engine.feed.close()
            if not self._begun.done():
                self._begun.set_exception(self.over)
        if error is not None:
            raise error

    async def _serve_all(self) -> None:
        async with asyncio.TaskGroup() as group:
            serving = {name: group.create_task(self._serve(agent)) for name, agent in self.agents.items()}
            await self._leaving.wait()
            for task in list(self.engine.dispatcher.census):
                await tasks.cancel(self.tester, self.application, task.id, "the test has ended")
            for name in self._absent:
                serving[name].cancel()
            for runner in self._runners.values():
                runner.drain(STOP_GRACE)

    async def _serve(self, agent: Agent) -> None:
        connect = partial(self._connect, agent.name)
        await serve_over(agent, connect, logs.logger("info", "console"), monotonic=self._clock)
        # One that has stopped before it was connected is not waited for.
        self._present(agent.name)

    @asynccontextmanager
    async def _connect(
        self, name: str, hello: Hello, runner: Runner
    ) -> AsyncIterator[tuple[MemoryLink, Callable[[], None]]]:
        self._runners[name] = runner
        identity = Identity(f"tok_{name}", name, self._wall() + _NEVER)
        link = MemoryLink(hello, runner, partial(self._router.connect, identity), partial(self._present, name))
        try:
            yield link, link.start
        finally:
            await link.stop()
            del self._runners[name]

    def _present(self, name: str) -> None:
        self._absent.discard(name)
        if not self._absent and not self._begun.done():
            self._begun.set_result(None)


def _only(failed: BaseException) -> BaseException:
    """Return the error that a group is about, without the groups around it."""
    while isinstance(failed, BaseExceptionGroup) and len(failed.exceptions) == 1:
        failed = failed.exceptions[0]
    return failed
