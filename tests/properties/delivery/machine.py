"""The machine: a rule for each thing that can happen, what must always hold, and an end at which all is done.

To add something: what a caller, an agent, the network or the server may do is a rule in the part of that name below;
what a skill may do is a word of `Execution.do`; what must hold of the store goes into `Truth`, of the server's memory
into `nothing_is_overbooked`; and what has to be over in the end into `teardown`.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from itertools import count
from typing import Any

import msgspec
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from msgspec.structs import replace

from agentic_atlas.backend.domain.records import Task
from agentic_atlas.backend.domain.terms import due_at
from agentic_atlas.backend.rights import Principal
from agentic_atlas.backend.usecases import tasks
from agentic_atlas.errors import AtlasError
from agentic_atlas.protocol import messages
from agentic_atlas.protocol.caller.tasks import SubmitRequest, TaskInfo
from agentic_atlas.protocol.inside.messages import Identity, InstanceRef
from agentic_atlas.protocol.messages import Outcome, RunningAttempt
from agentic_atlas.protocol.tasks import LEASED, TaskState
from agentic_atlas.router.agent import RegisteredAgent
from agentic_atlas.router.connection import Connection
from tests.properties.delivery.disk import ADA, KEY, TOKENS, Disk, furnished
from tests.properties.delivery.line import Line
from tests.properties.delivery.process import CONCURRENCY, SKILLS, Book, Execution, Process
from tests.properties.delivery.server import SETTINGS, Faults, Numbered, Server
from tests.properties.delivery.truth import Truth
from tests.properties.delivery.way import Way
from tests.still_loop import StillLoop

PRINCIPAL = Principal(ADA, KEY, ("*",))
HOURS = 3 * 3600.0
RECOVERY = 2.0
"""Seconds after which what failed has been tried again."""
CLOCK_STEPS = (0.0, 0.0, 7.0, 60.0, HOURS, -7.0, -HOURS)
"""Seconds by which the wall clock is set."""
LONGEST_REST = 60.0
"""Seconds between two tries of a task that failed, or that nobody wanted."""
TURNS = 60
"""Turns of connecting, ending what runs and waiting, after which everything must be over."""

tokens = st.sampled_from(tuple(TOKENS))
OLD = tuple(name for name in SKILLS if name != "timed")
WORDS = ("say", "say", "call", "ask", "complete", "complete", "fail", "reject")
words = st.sampled_from(WORDS)
keys = st.sampled_from(("key_1", "key_2"))
picks = st.integers(0, 7)
"""Which one of several; counted from the newest."""
seconds = st.sampled_from((0.3, 1.0, 4.0, 11.0, 25.0, 40.0))
asks = st.fixed_dictionaries(
    {
        "agent": st.sampled_from(("one", "one", "two")),
        "skill": st.sampled_from(tuple(SKILLS)),
        "obstinate": st.sampled_from((False, False, False, True)),
        "priority": st.sampled_from((0, 0, 5)),
        "delivery": st.sampled_from((None, None, *messages.Delivery)),
        "timeout": st.sampled_from((None, None, 2.0, 20.0)),
        "deadline": st.sampled_from((None, None, None, 3.0, 30.0, 600.0)),
        "queue_ttl": st.sampled_from((None, None, None, 0.0, 5.0, 60.0)),
    }
)


class Delivery(RuleBasedStateMachine):
    """One run; `counts` adds up what was done over all of them, `way` is how router and backend hear each other."""

    def __init__(self, counts: Counter[str], way: Callable[[StillLoop], Way]) -> None:
        super().__init__()
        self.counts = counts
        self.loop = StillLoop()
        self.way = way(self.loop)
        self.disk = Disk(self.loop, furnished())
        self.book = Book()
        self.truth = Truth(self.disk, self.book)
        self.log = Faults()
        self.ids = Numbered()
        self.numbers = count(1)
        self.asked: dict[str, SubmitRequest] = {}
        """What was asked for with each idempotency key first."""
        self.processes: dict[str, Process] = {}
        self.lines: list[Line] = []
        """All connections of which one end lives, oldest first."""
        self.instances: dict[str, Process] = {}
        """All processes that there were."""
        self.given: dict[InstanceRef, RegisteredAgent] = {}
        """Whose each generation of an instance is."""
        self.seen: dict[str, float] = {}
        """When each was connected last, while the server ran."""
        self.wrong: list[str] = []
        self.distrust_until = 0.0
        """The disk failed, or the clock was set: until then work may wait that could be done."""
        self.start_server()
        self.loop.settle()
        for token in TOKENS:
            self._connect(token)

    # -- callers

    @rule(wanted=asks, times=st.integers(1, 4), then=st.lists(words, max_size=4))
    def submits(self, wanted: dict[str, Any], times: int, then: list[str]) -> None:
        """And what the skills do next."""
        for _ in range(times):
            self._submit(self._ask(wanted))
        self.loop.settle()
        self._go_on(then)

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

    @precondition(lambda self: self._asking())
    @rule(which=picks)
    def answers(self, which: int) -> None:
        asking = self._asking()
        self.server.ask(self._answer(asking[which % len(asking)]))

    # -- agents

    @rule(token=tokens)
    def connects(self, token: str) -> None:
        """A process that is there connects (again), or a new one is started."""
        self._connect(token)

    @rule(token=tokens, how=st.sampled_from(("killed", "vanishes", "told to stop")))
    def a_process_ends(self, token: str, how: str) -> None:
        """When it vanishes, with its machine, the router hears nothing of it."""
        if token not in self.processes:
            return
        process = self.processes[token]
        if how == "told to stop":
            self.loop.call_soon(process.drain)
        else:
            self._kill(token, silently=how == "vanishes")
        self.counts["deaths"] += 1

    @precondition(lambda self: len(self.processes) < len(TOKENS))
    @rule()
    def an_old_version_is_started(self) -> None:
        """It does not know every skill."""
        token = next(token for token in TOKENS if token not in self.processes)
        self._connect(token, skills=OLD)

    @precondition(lambda self: self._idle())
    @rule(then=st.lists(words, min_size=1, max_size=6))
    def skills_go_on(self, then: list[str]) -> None:
        """Each does one thing, those that began last first."""
        self._go_on(then)

    # -- the network

    @rule(token=tokens)
    def the_connection_stalls(self, token: str) -> None:
        """What is sent from now on stays on its way."""
        if line := self._line(token):
            line.hold()

    @precondition(lambda self: self._held())
    @rule(which=picks, most=st.none() | st.integers(1, 4))
    def the_connection_flows(self, which: int, most: int | None) -> None:
        """What is on its way arrives, or the first of it."""
        held = self._held()
        held[which % len(held)].release(most)

    @rule(token=tokens, what=st.none() | words, lost=st.booleans(), away=st.booleans())
    def the_connection_dies(self, token: str, what: str | None, lost: bool, away: bool) -> None:
        """Both ends know it, while an execution does `what`; what the agent has said arrives before, or is lost."""
        if line := self._interrupted(token, what, away=away):
            if lost:
                line.to_router.lose()
            line.to_router.release()
            line.to_router.send(line.router_loses_it)
            line.agent_loses_it()

    @rule(token=tokens, what=st.none() | words, away=st.booleans())
    def the_agent_gives_up(self, token: str, what: str | None, away: bool) -> None:
        """The agent alone finds out that the connection is dead; what it has said may come late."""
        if line := self._interrupted(token, what, away=away):
            line.agent_loses_it()

    @rule(token=tokens, what=st.none() | words)
    def the_router_gives_up(self, token: str, what: str | None) -> None:
        """The router alone finds out; what the agent has said is lost."""
        if line := self._interrupted(token, what, away=False):
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

    @precondition(lambda self: self.truth.acknowledged)
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
        # What was lost until now; from now on everybody has a new grace period.
        self.truth.check()
        self._nothing_is_lost_that_is_there()
        self.disk.release()
        self.loop.passes(down)
        self.seen = dict.fromkeys(self.seen, self.loop.running())
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
    @rule(most=st.none() | st.integers(1, 4))
    def the_disk_fails(self, most: int | None) -> None:
        self.disk.fail(most)
        self._distrust(RECOVERY)

    @precondition(lambda self: not self.disk.holding)
    @rule(down=seconds)
    def the_disk_is_away(self, down: float) -> None:
        """For so long; what was asked of it meanwhile has failed."""
        self.disk.hold()
        self.loop.passes(down)
        self.disk.fail()
        self.disk.release()
        self._distrust(RECOVERY)

    # -- time

    @rule(passed=seconds)
    def time_passes(self, passed: float) -> None:
        self.loop.passes(passed)

    @rule(stopped=st.sampled_from((0.0, 1.5, 40.0)), by=st.sampled_from(CLOCK_STEPS))
    def clocks_jump(self, stopped: float, by: float) -> None:
        """The machine does nothing for so long, for all of us; and its wall clock is set."""
        self.loop.stands_still(stopped)
        self.loop.stepped += by
        # A timer that runs already does not know of it.
        self._distrust(LONGEST_REST)

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
        self._no_generation_is_given_twice()
        self._nothing_is_overbooked()
        self._nothing_is_forgotten()
        self._nothing_is_lost_that_is_there()

    def _no_generation_is_given_twice(self) -> None:
        """Whatever was stored of it when the server was killed (guarantee 6)."""
        for agent in self._registered():
            assert self.given.setdefault(agent.instance, agent) is agent

    def _nothing_is_overbooked(self) -> None:
        for agent in self._registered():
            assert len(agent.deliveries) <= CONCURRENCY
        for process in self.processes.values():
            assert len(process.executions) <= CONCURRENCY

    def _nothing_is_forgotten(self) -> None:
        """Once the disk has stored all: what runs has a lease, and what could run does."""
        if self.disk.waiting or self.disk.holding or self.loop.time() < self.distrust_until:
            return
        router = self.server.router
        for task in self.truth.tasks.values():
            if task.state in LEASED:
                assert router.leases.instance(RunningAttempt(task.id, task.attempt)) is not None, (
                    "it runs without a lease"
                )
            elif task.state is TaskState.SUBMITTED and (task.not_before or 0.0) <= self.loop.wall() - RECOVERY:
                able = self.server.engine.dispatcher.offers.able(task.agent_id, task.skill)
                there = [one for one in self._registered() if one.instance.agent_id == task.agent_id]
                free = sum(_free(one) for one in there if able is None or one.instance.instance_id in able)
                assert not free, "it waits although there is a free slot"
            due = due_at(task, self.loop.wall())
            assert due is None or due > self.loop.wall() - RECOVERY, "its time is over, and nobody looked"

    def _registered(self) -> list[RegisteredAgent]:
        connections = self.server.router._connections.values()
        return [connection.agent for connection in connections if connection.agent is not None]

    def _nothing_is_lost_that_is_there(self) -> None:
        """An attempt is lost only with its process, or when that one was away for the grace period (guarantee 4)."""
        now = self.loop.running()
        for instance_id in self.truth.losses_found():
            away = now - self.seen.get(instance_id, -SETTINGS.grace)
            assert self.instances[instance_id].dead or away >= SETTINGS.grace, f"lost after {away:.1f} s"
        if self.disk.holding:
            # A loss may wait to be written; who comes back only now comes too late.
            return
        for connection in self.server.router._connections.values():
            if connection.agent is not None:
                self.seen[connection.instance_id] = now

    # -- the end

    def teardown(self) -> None:
        try:
            if sys.exc_info()[0] is None:
                self._comes_to_an_end()
        finally:
            self._close()

    def _comes_to_an_end(self) -> None:
        """All is whole again, and time passes: every task has to end, and nothing may be left of it."""
        self._mend()
        for turn in range(TURNS):
            for token in TOKENS:
                if self._line(token) is None:
                    self._connect(token)
            self.loop.settle()
            for execution in self._idle():
                execution.do("complete")
            for task in self._asking():
                self.server.ask(self._answer(task))
            if turn % 8 == 7:
                # What waits for a time on a clock that was set back.
                self.loop.stands_still(HOURS)
            self.loop.passes(4.0)
            self.all_is_well()
            if self._done():
                break
        self._check_end()

    def _mend(self) -> None:
        self.disk.release()
        for token, process in list(self.processes.items()):
            if process.skills.keys() < SKILLS.keys():
                self._kill(token, silently=False)
        for line in self.lines:
            line.release()
            if line.agent_over:
                self.loop.call_soon(line.router_loses_it)

    def _done(self) -> bool:
        # One that drains is about to leave.
        ready = sum(not agent.readiness.draining for agent in self._registered())
        busy = any(process.executions or process.ledger.attempts.running for process in self.processes.values())
        return ready == len(TOKENS) and not busy and all(task.terminal for task in self.truth.tasks.values())

    def _dead_connections_are_found(self) -> None:
        """Within two beats and a little, what only the router still believed in is gone."""
        ends = self.loop.time() + 3 * SETTINGS.beat_every
        while len(self.server.router._connections) > len(TOKENS):
            assert self.loop.time() < ends, "a dead connection is never found"
            self.loop.passes(RECOVERY)
        assert len(self.server.router._connections) == len(TOKENS)

    def _check_end(self) -> None:
        stuck = [task for task in self.truth.tasks.values() if not task.terminal]
        assert not stuck, f"stuck: {stuck}"
        self.loop.passes(RECOVERY)
        router, dispatcher = self.server.router, self.server.engine.dispatcher
        assert len(router.leases) == 0
        assert len(dispatcher.deadlines._alarms) == 0
        assert all(len(agent.deliveries) == 0 for agent in self._registered())
        self._dead_connections_are_found()
        for process in self.processes.values():
            assert not process.owed, "a result was never answered"
            assert not process.ledger.attempts.owes
            assert not process.ledger.attempts.running
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
        self.server = Server(self.loop, self.disk, self.ids, self.log, self.way)

    def _connect(self, token: str, skills: Sequence[str] = tuple(SKILLS)) -> None:
        if token not in self.processes:
            process = Process(self.loop, token, self.ids("inst"), skills, self.book, self._dial)
            self.processes[token] = self.instances[process.instance_id] = process
            self.loop.settle()
        self.processes[token].connect()

    def _dial(self, identity: Identity, line: Line) -> Connection | None:
        if not self.server.up:
            return None
        self.lines.append(line)
        self.counts["connects"] += 1
        return self.server.router.connect(identity, line.router_end)

    def _reap(self) -> None:
        """Let processes go that have ended; none ends with an error."""
        for token, process in list(self.processes.items()):
            if process.life.done():
                if not process.life.cancelled():
                    process.life.result()
                del self.processes[token]

    def _go_on(self, then: Sequence[str], token: str | None = None) -> None:
        for execution, what in zip(reversed(self._idle(token)), then, strict=False):
            self.loop.call_soon(execution.do, what)

    def _interrupted(self, token: str, what: str | None, *, away: bool) -> Line | None:
        """Return the connection with all that is said from now on still on its way; an execution does `what` then."""
        line = self._line(token)
        if line is not None:
            line.hold()
            self._go_on([] if what is None else [what], token)
            self.loop.settle()
            self.processes[token].away = away
            self.counts["cuts"] += 1
        return line

    def _held(self) -> list[Line]:
        """Return the connections on which something is held up that both ends still believe in."""
        return [line for line in self.lines if line.holding and not (line.agent_over or line.router_over)]

    def _old(self) -> list[Line]:
        """Return the connections that only the router still believes in."""
        return [line for line in self.lines if line.agent_over]

    def _line(self, token: str) -> Line | None:
        process = self.processes.get(token)
        return None if process is None else process.line

    def _idle(self, token: str | None = None) -> list[Execution]:
        """Return the executions that wait to be told what to do, of one process or of all."""
        processes = [process for name, process in self.processes.items() if token in (None, name)]
        return [one for process in processes for one in process.executions.values() if one.idle]

    def _kill(self, token: str, *, silently: bool) -> None:
        process = self.processes.pop(token)
        line = process.line
        process.die()
        if line is not None and not silently:
            line.to_router.send(line.router_loses_it)

    def _distrust(self, seconds: float) -> None:
        self.distrust_until = max(self.distrust_until, self.loop.time() + seconds)

    def _asking(self) -> list[Task]:
        """Return the tasks that wait for a person."""
        return [task for task in self.truth.tasks.values() if task.state is TaskState.INPUT_REQUIRED]

    def _task(self, which: int) -> str:
        newest = sorted(self.truth.acknowledged, reverse=True)
        return newest[which % len(newest)]

    def _ask(self, wanted: dict[str, Any]) -> SubmitRequest:
        options = dict(wanted)
        given = msgspec.json.encode({"n": next(self.numbers), "obstinate": options.pop("obstinate")})
        if options["deadline"] is not None:
            options["deadline"] = datetime.fromtimestamp(options["deadline"] + self.loop.wall(), UTC)
        return SubmitRequest(input=msgspec.Raw(given), **options)

    def _submit(self, ask: SubmitRequest) -> None:
        self.counts["submits"] += 1
        self.server.ask(self._submitted(ask))

    async def _submitted(self, ask: SubmitRequest) -> None:
        with suppress(AtlasError):
            done, _ = await tasks.submit(PRINCIPAL, self.server.application, ask)
            self._acknowledged(done, ask)

    async def _retry(self, task_id: str) -> None:
        with suppress(AtlasError):
            done = await tasks.retry(PRINCIPAL, self.server.application, task_id)
            self._acknowledged(done, None)

    async def _answer(self, task: Task) -> None:
        with suppress(AtlasError):
            await tasks.answer(PRINCIPAL, self.server.application, task.id, b"1", None)

    async def _cancel(self, task_id: str) -> None:
        with suppress(AtlasError):
            await tasks.cancel(PRINCIPAL, self.server.application, task_id, "enough")

    def _acknowledged(self, task: TaskInfo, ask: SubmitRequest | None) -> None:
        self.truth.acknowledged.add(task.id)
        if ask is not None and task.input != ask.input:
            self.wrong.append(f"{task.id} was taken for another request")


def _free(agent: RegisteredAgent) -> int:
    """Return how many tasks an instance could take, as its router sees it."""
    return 0 if agent.readiness.holdup is not None else CONCURRENCY - len(agent.deliveries)
