"""An agent's process: the SDK's runner, ledger and session over lines that may break, and skills on a string.

A skill does nothing by itself. The test tells each execution what to do next: to report, to call, to end in some way,
or never to end. `Book` has what the agents themselves know of what they started and were told; it outlives them all.
"""

from __future__ import annotations

import asyncio
from asyncio import Future
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace

from agentic_atlas.protocol.inside.messages import Identity
from agentic_atlas.protocol.messages import EventAck, Hello, InstanceInfo, Result, ResultAck, Welcome
from agentic_atlas.protocol.versions import PROTOCOL_VERSION
from agentic_atlas.router.connection import Connection
from agentic_atlas.sdk.ledger.ledger import Ledger
from agentic_atlas.sdk.link.link import ACCEPT_WITHIN
from agentic_atlas.sdk.link.session import AgentSession
from agentic_atlas.sdk.link.settings import Timeouts
from agentic_atlas.sdk.ports import Outgoing
from agentic_atlas.sdk.runner.runner import DRAIN_SECONDS, LoopInbox, Runner
from agentic_atlas.sdk.skills.context import Context
from agentic_atlas.sdk.skills.skill import Skill, declare
from tests.properties.delivery.disk import AGENTS, FOR_EVER, TOKENS
from tests.properties.delivery.line import Line
from tests.properties.delivery.server import Faults
from tests.still_loop import StillLoop

CONCURRENCY = 2
CALLED = "two"
"""The agent that others call."""
TIMEOUTS = Timeouts(tick=1.0)
FLUSH = 5.0
"""Seconds a process that was told to stop waits for what it said to be acknowledged."""

PATIENCE = DRAIN_SECONDS + 15.0
"""Seconds after which it is ended whatever its skills do (`sdk.program`)."""

Key = tuple[str, int]
"""Task and attempt."""


async def _work(ctx: Context, n: int, obstinate: bool = False) -> dict[str, object]:
    """Stand for the declaration of every skill."""
    raise NotImplementedError


SKILLS: dict[str, Skill] = {
    skill.name: skill
    for skill in (
        declare(_work, {"name": "often", "max_attempts": 2}),
        declare(_work, {"name": "once", "delivery": "at_most_once"}),
        declare(_work, {"name": "again", "retries": 2, "backoff": 3.0, "max_attempts": 2}),
        declare(_work, {"name": "timed", "timeout": 8.0}),
    )
}


class Execution:
    """A skill that runs, and does what it is told."""

    def __init__(self, context: Context, agent: str, instance_id: str, *, obstinate: bool) -> None:
        self.context = context
        self.agent = agent
        self.key: Key = (context.task_id, context.attempt)
        self.instance_id = instance_id
        self.said = 0
        self.calls = 0
        self._obstinate = obstinate
        self._forsaken = False
        self._told: Future[str] | None = None

    @property
    def idle(self) -> bool:
        """It waits to be told something."""
        return self._told is not None and not self._told.done()

    def do(self, what: str) -> None:
        """Tell it to `say`, `call`, `ask`, or to end: `complete`, `fail` or `reject`."""
        if self._told is not None and not self._told.done():
            self._told.set_result(what)

    def forsake(self) -> None:
        """Its process dies."""
        self._forsaken = True

    async def live(self) -> dict[str, object]:
        while True:
            match await self._next():
                case "say":
                    self.said += 1
                    self.context.log.info("said", number=self.said)
                case "call":
                    # An agent that calls itself may wait for its own slots: such a circle is found and ended.
                    self.calls += 1
                    await self.context.call(CALLED, "often", n=self.calls)
                case "ask":
                    await self.context.ask("Well?")
                case "fail":
                    raise ValueError("told to fail")
                case "reject":
                    self.context.reject("told to reject")
                case _:
                    return {"task": self.key[0], "attempt": self.key[1], "instance": self.instance_id}

    async def _next(self) -> str:
        while True:
            self._told = asyncio.get_running_loop().create_future()
            try:
                return await self._told
            except asyncio.CancelledError:
                if not self._obstinate or self._forsaken:
                    raise


class Book:
    """What all agents' processes together started and were told, in their own words."""

    def __init__(self) -> None:
        self.started: dict[str, list[Execution]] = {}
        """By task, in order."""
        self.recorded: dict[Key, Result] = {}
        """Results of which an agent was told that they count."""

    def start(self, execution: Execution) -> None:
        self.started.setdefault(execution.key[0], []).append(execution)


class Process:
    """One process with a token; it keeps its memory from one connection to the next, and connects again by itself.

    Attributes:
        executions: what runs now.
        owed: results that were posted, until the router has said what became of them.
        line: the connection it believes to have.
        away: it has no network: it does not connect.
        dead: it has ended, one way or the other.
    """

    def __init__(
        self,
        loop: StillLoop,
        token: str,
        instance_id: str,
        skills: Sequence[str],
        book: Book,
        dial: Callable[[Identity, Line], Connection | None],
    ) -> None:
        """Take how to reach a router: it returns its end of the line, or None when there is none."""
        self.instance_id = instance_id
        self.identity = Identity(token, AGENTS[TOKENS[token]].id, FOR_EVER)
        self.executions: dict[Key, Execution] = {}
        self.owed: dict[Key, Result] = {}
        self.line: Line | None = None
        self.away = False
        self.dead = False
        self.clock = loop.time
        self.ledger = _Ledger(self)
        self._loop = loop
        self._book = book
        self._dial = dial
        self._told = asyncio.Event()
        self._session: AgentSession | None = None
        self.skills = {name: replace(SKILLS[name], function=self._start) for name in skills}
        self.life = loop.create_task(self._live())

    @property
    def agent(self) -> str:
        return TOKENS[self.identity.token_id]

    # -- its connections

    def connect(self) -> None:
        """Open a connection, and say hello; the last one is given up."""
        self.away = False
        if self.line is not None:
            self.line.abort("reconnect")
        session = AgentSession(
            self.ledger, self._inbox, timeouts=TIMEOUTS, clock=self._loop.time, welcomed=self._welcomed
        )
        line = Line(self._loop, session, self._line_ended)
        connection = self._dial(self.identity, line)
        if connection is not None:
            line.connection = connection
            self.line, self._session = line, session
            skills = [skill.spec() for skill in self.skills.values()]
            session.begin(line, Hello(PROTOCOL_VERSION, InstanceInfo(self.instance_id), skills, CONCURRENCY))

    def die(self) -> None:
        """kill -9: its memory is gone, and nothing is said any more."""
        self._forget()
        self.life.cancel()
        if self.line is not None:
            self.line.agent_loses_it()

    def drain(self) -> None:
        """SIGTERM: what runs may finish, then it leaves; as in a program, it is ended when a skill does not let go."""
        self.runner.drain()
        self._loop.call_later(PATIENCE, self._end)

    # -- `sdk.ports.ToLink`

    def post(self, message: Outgoing) -> None:
        if isinstance(message, Result) and not self.dead:
            self.owed.setdefault((message.task, message.attempt), message)
        self._loop.call_soon(self._say, message)

    def forget_call(self, call_id: str) -> None:
        self._loop.call_soon(self.ledger.calls.forget, call_id)

    def pong(self, token: object) -> None:
        """Nothing: the handlers' loop is never late."""

    # -- inside

    def _end(self) -> None:
        if not self.life.done():
            line = self.line
            self.die()
            if line is not None:
                line.to_router.send(line.router_loses_it)

    async def _live(self) -> None:
        self.runner = Runner(self.skills, concurrency=CONCURRENCY, log=Faults(), monotonic=self._loop.time)
        self._inbox = LoopInbox(self.runner, self._loop)
        try:
            async with asyncio.TaskGroup() as group:
                ticking = group.create_task(self._tick())
                await self.runner.run(self, lambda: None)
                await self._flush()
                ticking.cancel()
        finally:
            self._forget()
            if self._session is not None:
                self._session.finish()

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TIMEOUTS.tick)
            if self._session is not None:
                self._session.tick()
            elif not self.away:
                self.connect()

    async def _flush(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(FLUSH):
                while self.ledger.attempts.owes:
                    self._told.clear()
                    await self._told.wait()

    def _forget(self) -> None:
        if not self.dead:
            self.dead = True
            for execution in self.executions.values():
                execution.forsake()
            self.owed.clear()

    async def _start(self, ctx: Context, n: int, obstinate: bool = False) -> dict[str, object]:
        execution = Execution(ctx, self.agent, self.instance_id, obstinate=obstinate)
        self._book.start(execution)
        self.executions[execution.key] = execution
        try:
            return await execution.live()
        finally:
            del self.executions[execution.key]

    def _say(self, message: Outgoing) -> None:
        if not self.dead:
            self.ledger.say(message)
            self._flush_now()

    def _flush_now(self) -> None:
        if self._session is not None:
            self._session.flush()
        if self.ledger.queue.keeps_back:
            self._loop.call_later(ACCEPT_WITHIN, self._let_go)

    def _let_go(self) -> None:
        if not self.dead:
            self.ledger.let_go(ACCEPT_WITHIN)
            self._flush_now()

    def _welcomed(self, welcome: Welcome) -> None:
        self._inbox.connected(welcome)
        for verdict in welcome.attempts:
            if not verdict.keep:
                self.owed.pop((verdict.task, verdict.attempt), None)

    def told(self, ack: EventAck | ResultAck) -> None:
        """The router says what became of a report."""
        self._told.set()
        if isinstance(ack, ResultAck):
            result = self.owed.pop((ack.task, ack.attempt), None)
            if result is not None and ack.recorded:
                self._book.recorded[ack.task, ack.attempt] = result

    def _line_ended(self, line: Line) -> None:
        if self.line is line:
            self.line = self._session = None


class _Ledger(Ledger):
    """Lets its process see what becomes of results."""

    def __init__(self, process: Process) -> None:
        super().__init__(clock=process.clock, keep_back=True)
        self._process = process

    def acknowledged(self, ack: EventAck | ResultAck) -> None:
        super().acknowledged(ack)
        self._process.told(ack)
