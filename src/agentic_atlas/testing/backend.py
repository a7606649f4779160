"""The backend of a network in memory: the rules of a task's life, without a store, users or rights.

A retry waits for its back-off, a timeout for its time, but nobody has to wait for them: when all that goes on is that
somebody waits, the clock is put forward (`_put_forward`; on a `JumpingLoop` the loop itself does the same for every
timer).
"""

import asyncio
from asyncio import Future
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from msgspec import Raw
from msgspec.structs import replace

from agentic_atlas.alarms import Alarms
from agentic_atlas.backend.domain import lifecycle
from agentic_atlas.backend.domain.assignment import assignment
from agentic_atlas.backend.domain.deadlines import due_at, expire
from agentic_atlas.backend.domain.lifecycle import Change
from agentic_atlas.backend.domain.questions import Question, read_question
from agentic_atlas.backend.domain.records import Task
from agentic_atlas.backend.domain.reporting import decide
from agentic_atlas.backend.engine import circles
from agentic_atlas.backend.engine.census import Census
from agentic_atlas.backend.engine.fairness import FairOrder
from agentic_atlas.protocol import messages
from agentic_atlas.protocol.messages import Call, Report
from agentic_atlas.protocol.tasks import LEASED, Loss, TaskState
from agentic_atlas.router.ports import Admission, Arrival, Instance, Receipt, Replies
from agentic_atlas.router.router import Router
from agentic_atlas.sdk.skills.skill import Kind
from agentic_atlas.testing import calls
from agentic_atlas.testing.book import Book
from agentic_atlas.testing.clock import Clock
from agentic_atlas.testing.directory import OWNER, Directory

CANCELED_BY_END = "the test has ended"


class MemoryBackend:
    """Implements `router.ports.Backend`.

    Attributes:
        router: set once, before the first call.
        book: all tasks.
        over: why nothing more will happen, once that is so.
        loop: where all of it happens.
    """

    router: Router

    def __init__(self, directory: Directory, clock: Clock) -> None:
        self.directory = directory
        self.clock = clock
        self.loop = asyncio.get_running_loop()
        self.book = Book(self._follow)
        self.over: BaseException | None = None
        self._alarms: Alarms[str] = Alarms()
        self._orders: dict[str, FairOrder] = {}
        self._open_calls: Counter[str] = Counter()
        self._waiting = 0
        self._woken = asyncio.Event()

    # -- for callers

    @contextmanager
    def awaited(self) -> Iterator[None]:
        """Somebody waits meanwhile, and does nothing else: time may jump."""
        self._waiting += 1
        self._woken.set()
        try:
            yield
        finally:
            self._waiting -= 1

    def submit(self, task: Task) -> None:
        """Take a new task."""
        position = self._orders.setdefault(task.agent_id, FairOrder()).next(task.caller.id)
        self.book.add(lifecycle.submit(replace(task, position=position)))

    def cancel(self, task_id: str, reason: str) -> None:
        """Cancel a task and what it called; one that runs is asked to stop first."""
        now = self.clock.wall()
        if not self.book.change(task_id, lambda task: lifecycle.cancel(task, reason, now)):
            return
        entry = self.book.entry(task_id)
        if entry is not None and entry.task.state in LEASED:
            self.router.cancel(task_id, entry.task.attempt, reason)

    def answer(self, task_id: str, question: Question, value: bytes) -> bool:
        """Answer a question of a task; False when it is not open any more.

        Raises:
            InvalidInput: the answer does not fit; the question stays open.
        """
        now = self.clock.wall()
        entry = self.book.entry(task_id)
        if entry is not None:
            runner = self.directory.runners[entry.task.agent_id]
            runner.check_answer(task_id, entry.task.attempt, question.number, Raw(value))
        return self._react(task_id, lambda task: lifecycle.answer(task, question, value, OWNER, now))

    def cancel_all(self) -> None:
        """Cancel what has not ended."""
        for task in self.book.open():
            self.cancel(task.id, CANCELED_BY_END)

    def end(self, why: BaseException) -> None:
        """Nothing more will happen: tell whoever waits."""
        self.over = why
        self.book.close()

    # -- time

    async def run(self) -> None:
        """Look at tasks whose time has come, until cancelled."""
        while True:
            now = self.clock.wall()
            for task_id in self._alarms.due(now):
                self._expire(task_id, now)
            self._woken.clear()
            wait = self._alarms.wait(self.clock.wall())
            if wait is not None and self._put_forward(wait):
                continue
            try:
                async with asyncio.timeout(wait):
                    await self._woken.wait()
            except TimeoutError:
                continue

    def idle(self, working: Callable[[Kind], bool] = lambda _kind: True) -> bool:
        """Tell whether somebody waits and nobody works: handlers of these kinds that run wait for a call or a person.

        A handler counts from the claim of its task until it has returned.
        """
        if not self._waiting:
            return False
        leased = [task for task in self.book.open() if task.state in LEASED and working(self.directory.kind(task))]
        if any(task.state is TaskState.WORKING and not self._open_calls[task.id] for task in leased):
            return False
        return self.directory.running(working) <= len(leased)

    def _put_forward(self, seconds: float) -> bool:
        """Put the clock forward when all that everybody waits for is the back-off of a retry."""
        now = self.clock.wall()
        backing_off = any(task.not_before is not None and task.not_before > now for task in self.book.open())
        if not (backing_off and self.idle()):
            return False
        self.clock.skip(seconds)
        return True

    def _expire(self, task_id: str, now: float) -> None:
        entry = self.book.entry(task_id)
        if entry is None:
            return
        if not self._react(task_id, lambda task: expire(task, now)):
            self._follow(entry.task)
        elif entry.task.terminal:
            # It ended without its agent, which may still be at it.
            self.router.cancel(task_id, entry.task.attempt, entry.task.error.message if entry.task.error else "")
            self.router.forget(task_id, entry.task.attempt)

    def _react(self, task_id: str, decide: Callable[[Task], Change | None]) -> bool:
        """Change a task, and tell its agent of the questions that were settled with it; False for no change."""
        entry = self.book.entry(task_id)
        seen = len(entry.events) if entry is not None else 0
        if entry is None or not self.book.change(task_id, decide):
            return False
        for question in lifecycle.settled(entry.task, entry.events[seen:]):
            self.router.answer(task_id, entry.task.attempt, question.reaction)
        return True

    def _follow(self, task: Task) -> None:
        self._alarms.set(task.id, due_at(task, self.clock.wall()))
        self._woken.set()
        if task.state not in LEASED or task.cancel_reason is not None:
            # Nobody waits for what the attempt called.
            for child in self.book.open():
                if child.parent_id == task.id and child.cancel_reason is None:
                    self.cancel(child.id, "the task that called it was canceled or has ended")
        if task.state is TaskState.SUBMITTED:
            asyncio.get_running_loop().call_soon(self._dispatch, task.agent_id)

    def _dispatch(self, agent_id: str) -> None:
        """Give waiting tasks to free slots."""
        now = self.clock.wall()
        for task in self.book.waiting(agent_id, now):
            slot = self.router.reserve(agent_id)
            if slot is None:
                self._end_circle(task, now)
                return
            self.book.change(task.id, partial(lifecycle.claim, instance_id=slot.instance_id, now=now))
            self._orders[agent_id].served(task.position)
            entry = self.book.entry(task.id)
            assert entry is not None
            self.router.deliver(slot, assignment(entry.task))

    def _end_circle(self, waiting: Task, now: float) -> None:
        """End the newest call of a circle, when the task waits for slots that only its own waiters could free."""
        census = Census()
        for task in self.book.open():
            census.see(task)
        search, seen = circles.Search(census, self._slots, now), census.get(waiting.id)
        assert seen is not None
        alone = search.held_by_ancestors(seen)
        ends = seen if alone else search.newest_call(search.stuck(seen)) if self.idle() else None
        if ends is not None:
            error = circles.circle_error(census, ends, self._slots)
            self.book.change(ends.id, lambda task: lifecycle.give_up(task, error, now))

    def _slots(self, agent_id: str, _skill: str) -> dict[str, int]:
        return {one.instance_id: one.slots for one in self.router.usage(agent_id)}

    # -- `router.ports.Backend`

    async def admit(self, arrival: Arrival) -> Admission:
        """Let every instance in: there are no tokens here, and no connection comes twice."""
        return Admission(agent=arrival.identity.agent_id, owner=OWNER, generation=1)

    async def departed(self, instance: Instance, silent: float) -> None:
        """Do nothing: nobody asks who was connected."""

    def report(self, instance: Instance, report: Report) -> "Future[Receipt]":
        """Store what an agent says of an attempt."""
        asked = None
        if isinstance(report, messages.Event) and report.kind is messages.EventKind.QUESTION:
            asked = read_question(report.data)
        now = self.clock.wall()
        recorded = self.book.change(
            report.task, partial(decide, instance_id=instance.instance_id, said=report, now=now, asked=asked)
        )
        receipt: Future[Receipt] = asyncio.get_running_loop().create_future()
        receipt.set_result(Receipt(recorded, report.n if isinstance(report, messages.Event) else 0))
        return receipt

    async def lost(self, task: str, attempt: int, why: Loss) -> None:
        """The attempt's instance is gone for longer than the grace period."""
        now = self.clock.wall()
        self.book.change(task, lambda one: lifecycle.lose(one, attempt, now, why))

    def absent(self, agent_id: str) -> None:
        """Do nothing: an agent that has left does not come back, and whoever waits is told at the end."""

    def freed(self, agent_id: str) -> None:
        """The agent has free slots."""
        self._dispatch(agent_id)

    async def call(self, instance: Instance, call: Call, replies: Replies) -> None:
        """Make the child task that an agent asks for, and answer until its end."""
        self._open_calls[call.task] += 1
        try:
            await calls.answer(self, instance, call, replies)
        finally:
            self._open_calls[call.task] -= 1
