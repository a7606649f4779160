"""The machine: a rule for each thing that can happen, what must always hold, and an end at which all is done.

To add something: what a caller, an agent, the network or the server may do is a rule in the part of that name below;
what a skill may do is a word of `Execution.do`; what must hold of the store goes into `Truth`, of the server's memory
into `nothing_is_overbooked`; and what has to be over in the end into `teardown`.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from itertools import count
from typing import Any

import msgspec
from msgspec.structs import replace

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from agentic_atlas.backend.domain.records import Task
from agentic_atlas.backend.services import tasks
from agentic_atlas.backend.services.access import Principal
from agentic_atlas.backend.services.tasks import Ask
from agentic_atlas.errors import AtlasError
from agentic_atlas.protocol import messages
from agentic_atlas.protocol.messages import Outcome
from agentic_atlas.protocol.tasks import LEASED, TaskState
from agentic_atlas.router.connection import Connection
from agentic_atlas.router.placement import free as slots
from agentic_atlas.router.ports import Identity
from agentic_atlas.router.presence import Attempt
from tests.properties.delivery.disk import ADA, KEY, TOKENS, Disk, furnished
from tests.properties.delivery.line import Line
from tests.properties.delivery.loop import StillLoop
from tests.properties.delivery.process import CONCURRENCY, SKILLS, Book, Execution, Process
from tests.properties.delivery.server import Faults, Numbered, Server
from tests.properties.delivery.truth import Truth

PRINCIPAL = Principal(ADA, KEY)
HOURS = 3 * 3600.0
RECOVERY = 2.0
"""Seconds after which what failed has been tried again."""
TURNS = 60
"""Turns of connecting, ending what runs and waiting, after which everything must be over."""

tokens = st.sampled_from(tuple(TOKENS))
OLD = tuple(name for name in SKILLS if name != "timed")
WORDS = ("say", "say", "call", "complete", "complete", "fail", "reject")
keys = st.sampled_from(("key_1", "key_2"))
picks = st.integers(0, 7)
"""Which one of several; counted from the newest."""
seconds = st.sampled_from((0.3, 1.0, 4.0, 11.0, 25.0, 40.0))
asks = st.fixed_dictionaries(
    {
        "agent": st.sampled_from(("one", "one", "two")),
        "skill": st.sampled_from(tuple(SKILLS)),
        "obstinate": st.sampled_from((False, False, False, True)),
    },
    optional={
        "priority": st.integers(0, 9),
        "timeout": st.sampled_from((2.0, 20.0)),
        "deadline": st.sampled_from((3.0, 30.0, 600.0)),
        "queue_ttl": st.sampled_from((0.0, 5.0, 60.0)),
        "delivery": st.sampled_from(tuple(messages.Delivery)),
    },
)



class Delivery(RuleBasedStateMachine):
    """One run; `counts` adds up what was done over all of them."""

    def __init__(self, counts: Counter[str]) -> None:
        super().__init__()
        self.counts = counts
        self.loop = StillLoop()
        self.disk = Disk(self.loop, furnished())
        self.book = Book()
        self.truth = Truth(self.disk, self.book)
        self.log = Faults()
        self.ids = Numbered()
        self.numbers = count(1)
        self.asked: dict[str, Ask] = {}
        """What was asked for with each idempotency key first."""
        self.processes: dict[str, Process] = {}
        self.lines: list[Line] = []
        """All connections of which one end lives, oldest first."""
        self.wrong: list[str] = []
        self.distrust_until = 0.0
        """The disk failed: until then work may wait that could be done."""
        self.start_server()
        self.loop.settle()
        for token in TOKENS:
            self._connect(token)

    # -- callers

    @rule(wanted=asks, times=st.integers(1, 3))
    def submits(self, wanted: dict[str, Any], times: int) -> None:
        for _ in range(times):
            self._submit(self._ask(wanted))

    @rule(wanted=asks, key=keys)
    def submits_with_a_key(self, wanted: dict[str, Any], key: str) -> None:
        """The first time; a second one has another body, which is a conflict."""
        ask = replace(self._ask(wanted), idempotency_key=key)
        self.asked.setdefault(key, ask)
        self._submit(ask)

    @precondition(lambda self: self.asked)
    @rule(which=picks)
    def submits_again(self, which: int) -> None:
        asks = list(self.asked.values())
        self._submit(asks[which % len(asks)])

    @precondition(lambda self: self.truth.acknowledged)
    @rule(which=picks)
    def cancels(self, which: int) -> None:
        self.server.ask(self._cancel(self._task(which)))

    @precondition(lambda self: self.truth.acknowledged)
    @rule(which=picks)
    def retries_by_hand(self, which: int) -> None:
        self.server.ask(self._retry(self._task(which)))

    # -- agents

    @rule(token=tokens)
    def connects(self, token: str) -> None:
        """A process that is there connects (again), or a new one is started."""
        self._connect(token)

    @precondition(lambda self: len(self.processes) < len(TOKENS))
    @rule()
    def an_old_version_is_started(self) -> None:
        """It does not know every skill."""
        token = next(token for token in TOKENS if token not in self.processes)
        self._connect(token, skills=OLD)

    @rule(token=tokens, silently=st.booleans())
    def dies(self, token: str, silently: bool) -> None:
        """Killed; silently: with its machine, so that the router hears nothing of it."""
        if token in self.processes:
            process = self.processes.pop(token)
            line = process.line
            process.die()
            if line is not None and not silently:
                line.to_router.send(line.router_loses_it)
            self.counts["deaths"] += 1

    @rule(token=tokens)
    def is_told_to_stop(self, token: str) -> None:
        if token in self.processes:
            self.loop.call_soon(self.processes[token].drain)

    @precondition(lambda self: self._idle())
    @rule(which=picks, what=st.sampled_from(WORDS))
    def does(self, which: int, what: str) -> None:
        idle = self._idle()
        self.loop.call_soon(idle[which % len(idle)].do, what)

    # -- the network

    @rule(token=tokens)
    def stalls(self, token: str) -> None:
        """What is sent from now on stays on its way."""
        if line := self._line(token):
            line.hold()

    @rule(token=tokens, most=st.none() | st.integers(1, 4))
    def flows(self, token: str, most: int | None) -> None:
        """What is on its way arrives, or the first of it."""
        if line := self._line(token):
            line.to_router.release(most)
            line.to_agent.release(most)

    @rule(token=tokens, what=st.sampled_from((None, *WORDS)), lost=st.booleans(), away=st.booleans())
    def is_cut(self, token: str, what: str | None, lost: bool, away: bool) -> None:
        """Both sides know it; what was on its way is lost, or what went to the router arrives before."""
        if line := self._interrupted(token, what):
            self.processes[token].away = away
            if lost:
                line.to_router.lose()
            line.to_router.release()
            line.to_router.send(line.router_loses_it)
            line.agent_loses_it()

    @rule(token=tokens, what=st.sampled_from((None, *WORDS)), away=st.booleans())
    def the_agent_gives_up(self, token: str, what: str | None, away: bool) -> None:
        """Only the agent knows that the connection is dead; what it has sent may come late."""
        if line := self._interrupted(token, what):
            self.processes[token].away = away
            line.agent_loses_it()

    @rule(token=tokens, what=st.sampled_from((None, *WORDS)))
    def the_router_gives_up(self, token: str, what: str | None) -> None:
        """Only the router knows that the connection is dead; what the agent has sent is lost."""
        if line := self._interrupted(token, what):
            self.loop.call_soon(line.router_loses_it)

    @precondition(lambda self: any(len(line.to_router) for line in self._old()))
    @rule(which=picks, most=st.integers(1, 6))
    def an_old_connection_speaks(self, which: int, most: int) -> None:
        """Frames of a connection that the agent has given up arrive."""
        old = [line for line in self._old() if len(line.to_router)]
        old[which % len(old)].to_router.release(most)
        self.counts["late frames"] += 1

    @precondition(lambda self: self._old())
    @rule(which=picks)
    def an_old_connection_ends(self, which: int) -> None:
        old = self._old()
        self.loop.call_soon(old[which % len(old)].router_loses_it)

    # -- the server and its disk

    @rule(committed=st.none() | st.integers(0, 3), known=st.booleans(), down=seconds)
    def the_server_ends(self, committed: int | None, known: bool, down: float) -> None:
        """SIGTERM with None; else it is killed after the commit of so many writes, of which nobody hears any more.

        Agents learn of it at once (`known`), or from the silence.
        """
        if committed is None:
            self.server.stop()
        else:
            self.disk.commit(committed, tell=False)
            for line in self.lines:
                line.router_over = True
                if known:
                    line.agent_loses_it()
            self.server.kill()
        self.counts["restarts"] += 1
        self.disk.release()
        self.loop.passes(down)
        self.start_server()

    @precondition(lambda self: not self.disk.holding)
    @rule()
    def the_disk_is_slow(self) -> None:
        self.disk.hold()

    @precondition(lambda self: self.disk.holding)
    @rule(most=st.none() | st.integers(1, 4))
    def the_disk_goes_on(self, most: int | None) -> None:
        if most is None:
            self.disk.release()
        else:
            self.disk.commit(most)

    @precondition(lambda self: self.disk.waiting)
    @rule()
    def the_disk_fails(self) -> None:
        self.disk.fail()
        self.distrust_until = self.loop.time() + RECOVERY

    # -- time

    @rule(passed=seconds)
    def time_passes(self, passed: float) -> None:
        self.loop.passes(passed)

    @rule(stopped=seconds)
    def nothing_runs(self, stopped: float) -> None:
        """The machine is busy with something else, for all of us."""
        self.loop.stands_still(stopped)

    @rule(by=st.sampled_from((-HOURS, -60.0, -7.0, 7.0, 60.0, HOURS)))
    def the_clock_is_set(self, by: float) -> None:
        self.loop.stepped += by

    # -- always

    @invariant()
    def all_is_well(self) -> None:
        self.loop.settle()
        self.counts["steps"] += 1
        self.lines = [line for line in self.lines if not (line.agent_over and line.router_over)]
        assert not self.wrong, self.wrong
        assert not self.loop.faults, self.loop.faults
        assert not self.log.errors, self.log.errors
        if self.server.life.done():
            self.server.life.result()
        self._reap()
        self.truth.check()
        self._nothing_is_overbooked()
        self._nothing_is_forgotten()

    def _nothing_is_overbooked(self) -> None:
        for connection in self.server.router._connections.values():
            assert 0 <= connection.in_flight <= CONCURRENCY
        for process in self.processes.values():
            assert len(process.executions) <= CONCURRENCY

    def _nothing_is_forgotten(self) -> None:
        """Once the disk has stored all: what runs has a lease, and what could run does."""
        if self.disk.waiting or self.disk.holding or self.loop.time() < self.distrust_until:
            return
        router = self.server.router
        for task in self.truth.tasks.values():
            if task.state in LEASED:
                assert router._leases.instance(Attempt(task.id, task.attempt)) is not None, "it runs without a lease"
            elif task.state is TaskState.SUBMITTED and (task.not_before or 0.0) <= self.loop.wall() - RECOVERY:
                free = sum(map(slots, router._hub.ready(task.agent_id)))
                assert not free, "it waits although there is a free slot"

    # -- the end

    def teardown(self) -> None:
        try:
            if sys.exc_info()[0] is None:
                self._comes_to_an_end()
        finally:
            self._close()

    def _comes_to_an_end(self) -> None:
        """All is whole again, and time passes: every task has to end, and nothing may be left of it."""
        self.disk.release()
        for token, process in list(self.processes.items()):
            if process.skills.keys() < SKILLS.keys():
                self.dies(token, silently=False)
        for line in self.lines:
            line.release()
            if line.agent_over:
                self.loop.call_soon(line.router_loses_it)
        for turn in range(TURNS):
            for token in TOKENS:
                if token not in self.processes or self.processes[token].line is None:
                    self._connect(token)
            self.loop.settle()
            for execution in self._idle():
                execution.do("complete")
            if turn % 8 == 7:
                self.loop.stands_still(HOURS)
            self.loop.passes(4.0)
            self.all_is_well()
            if self._done():
                break
        self._check_end()

    def _done(self) -> bool:
        ready = sum(connection.ready for connection in self.server.router._connections.values())
        return ready == len(TOKENS) and all(task.terminal for task in self.truth.tasks.values())

    def _check_end(self) -> None:
        stuck = [task for task in self.truth.tasks.values() if not task.terminal]
        assert not stuck, f"stuck: {stuck}"
        self.loop.passes(RECOVERY)
        router, dispatcher = self.server.router, self.server.backend.dispatcher
        assert len(router._leases) == 0
        assert len(dispatcher._alarms) == 0
        assert all(connection.in_flight == 0 for connection in router._connections.values())
        assert len(router._connections) == len(TOKENS)
        for process in self.processes.values():
            assert not process.owed, "a result was never answered"
            assert not process.ledger.owes
            assert not process.ledger.running
            assert not process.executions
        for (task_id, attempt), result in self.book.recorded.items():
            task = self.truth.tasks[task_id]
            if result.outcome is Outcome.COMPLETED:
                assert (task.attempt, task.output) == (attempt, bytes(result.output)), "told to count, and did not"

    def _close(self) -> None:
        for task in self.truth.tasks.values():
            self.counts[f"ended {task.error.code if task.error else task.state}"] += 1
        for process in self.processes.values():
            process.die()
        self.server.kill()
        self.loop.close()
        self.disk.close()

    # -- inside

    def start_server(self) -> None:
        self.server = Server(self.loop, self.disk, self.ids, self.log)

    def _connect(self, token: str, skills: Sequence[str] = tuple(SKILLS)) -> None:
        if token not in self.processes:
            self.processes[token] = Process(self.loop, token, self.ids("inst"), skills, self.book, self._dial)
            self.loop.settle()
        self.processes[token].connect()

    def _dial(self, identity: Identity, line: Line) -> Connection | None:
        if not self.server.up:
            return None
        self.lines.append(line)
        self.counts["connects"] += 1
        return self.server.router.connect(identity, line.router_end)

    def _reap(self) -> None:
        """Let processes go that have ended by themselves; none ends with an error."""
        for token, process in list(self.processes.items()):
            if process.life.done():
                process.life.result()
                del self.processes[token]

    def _interrupted(self, token: str, what: str | None) -> Line | None:
        """Return the connection with all that is said from now on still on its way; an execution does `what` just then."""
        line = self._line(token)
        if line is None:
            return None
        line.hold()
        executions = [one for one in self.processes[token].executions.values() if one.idle]
        if what is not None and executions:
            self.loop.call_soon(executions[0].do, what)
            self.loop.settle()
        self.counts["cuts"] += 1
        return line

    def _old(self) -> list[Line]:
        """Return the connections that only the router still believes in."""
        return [line for line in self.lines if line.agent_over]

    def _line(self, token: str) -> Line | None:
        process = self.processes.get(token)
        return None if process is None else process.line

    def _idle(self) -> list[Execution]:
        """Return the executions that wait to be told what to do."""
        running = [one for process in self.processes.values() for one in process.executions.values()]
        return [execution for execution in running if execution.idle]

    def _task(self, which: int) -> str:
        newest = sorted(self.truth.acknowledged, reverse=True)
        return newest[which % len(newest)]

    def _ask(self, wanted: dict[str, Any]) -> Ask:
        options = dict(wanted)
        given = msgspec.json.encode({"n": next(self.numbers), "obstinate": options.pop("obstinate")})
        if "deadline" in options:
            options["deadline"] += self.loop.wall()
        return Ask(input=given, **options)

    def _submit(self, ask: Ask) -> None:
        self.counts["submits"] += 1
        self.server.ask(self._submitted(ask))

    async def _submitted(self, ask: Ask) -> None:
        with suppress(AtlasError):
            done = await tasks.submit(self.server.backend, ADA, PRINCIPAL.caller, ask)
            self._acknowledged(done.task, ask)

    async def _retry(self, task_id: str) -> None:
        with suppress(AtlasError):
            done = await tasks.retry(self.server.backend, PRINCIPAL, task_id)
            self._acknowledged(done.task, None)

    async def _cancel(self, task_id: str) -> None:
        with suppress(AtlasError):
            await tasks.cancel(self.server.backend, task_id, "enough")

    def _acknowledged(self, task: Task, ask: Ask | None) -> None:
        self.truth.acknowledged.add(task.id)
        if ask is not None and task.input != ask.input:
            self.wrong.append(f"{task.id} was taken for another request")
