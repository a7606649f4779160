"""Brings waiting tasks and free slots together, and follows every change of a task.

No polling: a submit, a slot that becomes free or an alarm starts a claim. The queues are in the store; here is which
agents have one. Every change of a task passes through `apply`, which tells the watchers and sets the task's next alarm,
after the commit. What an attempt called ends with it.
"""

import asyncio
from asyncio import Future
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar

from agentic_atlas.alarms import Alarms
from agentic_atlas.backend.domain import lifecycle
from agentic_atlas.backend.domain.children import orphans
from agentic_atlas.backend.domain.lifecycle import Change, assignment, settled, stop_order
from agentic_atlas.backend.domain.records import Task, TaskEvent
from agentic_atlas.backend.domain.terms import due_at, expire
from agentic_atlas.backend.engine.census import Census, FairQueues
from agentic_atlas.backend.engine.credit import Credits, Offers
from agentic_atlas.backend.engine.feed import Feed
from agentic_atlas.backend.ports import Added, Changed, Decide, FaultLog, RouterPort, Tasks
from agentic_atlas.errors import Busy, Unavailable
from agentic_atlas.protocol import messages
from agentic_atlas.protocol.inside.messages import Deliver, Forget, InstanceRef
from agentic_atlas.protocol.tasks import LEASED, TaskState

T = TypeVar("T")

AGAIN_AFTER = 1.0
"""Seconds after which what the store could not carry out is tried again."""
AFTER_A_FAULT = 60.0
"""Seconds after which it is tried again when a fault of ours was the reason, which is not likely to go away."""


def value(future: "Future[T]") -> T | None:
    """Return the future's value; None when it failed, which is told to whoever awaits it."""
    return None if future.cancelled() or future.exception() is not None else future.result()


def outcome(future: "Future[T]", log: FaultLog, event: str, **facts: object) -> T | None:
    """Return the value of a future that nobody awaits; None when it failed, and is to be tried again.

    A store that can't be had is told to callers and by the health answer. Anything else is a fault of ours, which
    nobody but the log would hear of.
    """
    if (fault := _fault(future)) is not None:
        log.error(event, exc_info=fault, **facts)
    return value(future)


def again_after(future: "Future[Any]") -> float:
    """Return in how many seconds what failed is tried again."""
    return AGAIN_AFTER if _fault(future) is None else AFTER_A_FAULT


def _fault(future: "Future[Any]") -> BaseException | None:
    error = None if future.cancelled() else future.exception()
    return None if isinstance(error, Busy | Unavailable) else error


MOST_AT_ONCE = 64
"""Slots filled by one claim."""


class Claims:
    """Owns the backlog: which agents have waiting tasks, as far as is known."""

    def __init__(
        self,
        tasks: Tasks,
        credit: Credits,
        census: Census,
        offers: Offers,
        clock: Callable[[], float],
        claimed: Callable[[InstanceRef, Task, Sequence[TaskEvent]], None],
        log: FaultLog,
    ) -> None:
        """Take whom to tell of each task that was claimed for a slot, and its new events, after the commit."""
        self._tasks = tasks
        self._credit = credit
        self._census = census
        self._offers = offers
        self._clock = clock
        self._tell = claimed
        self._log = log
        self._backlog: dict[str, int] = {}
        self._open: Counter[str] = Counter()
        self._version = 0

    def waits(self, agent_id: str) -> None:
        """A task waits for the agent."""
        self._version += 1
        self._backlog[agent_id] = self._version

    def slot_for(self, agent_id: str, skill: str) -> InstanceRef | None:
        """Take a free slot for a new task of this skill, unless older ones wait for the agent."""
        if agent_id in self._backlog:
            return None
        return self._credit.reserve(agent_id, self._offers.able(agent_id, skill))

    def stalls(self, agent_id: str) -> bool:
        """Tell whether a task waits for the agent that could begin, and nothing is on its way to bring that about."""
        if self.open(agent_id) or not self._credit.free(agent_id):
            return False
        ready = self._census.ready(agent_id, self._clock())
        return any(self._credit.free(agent_id, self._offers.able(agent_id, skill)) for skill in ready)

    def open(self, agent_id: str) -> bool:
        """Tell whether a claim for the agent is on its way, or will be tried again."""
        return agent_id in self._open

    def freed(self, agent_id: str) -> None:
        """The agent may have free slots."""
        if agent_id in self._backlog:
            self.make(agent_id)

    def make(self, agent_id: str) -> None:
        """Claim waiting tasks for the agent's free slots."""
        slots: list[InstanceRef] = []
        while len(slots) < MOST_AT_ONCE and (slot := self._credit.reserve(agent_id)) is not None:
            slots.append(slot)
        wanted = self._census.skills_waited_for(agent_id)
        groups: dict[frozenset[str], list[InstanceRef]] = {}
        for slot in slots:
            takes = frozenset(self._offers.takes(agent_id, slot.instance_id, wanted))
            groups.setdefault(takes, []).append(slot)
        for takes, group in groups.items():
            self._claim(agent_id, group, None if takes >= wanted else takes)

    def forget(self, agent_id: str) -> None:
        """The agent was deleted: nothing waits for it."""
        self._backlog.pop(agent_id, None)

    def _claim(self, agent_id: str, slots: Sequence[InstanceRef], skills: frozenset[str] | None) -> None:
        """Claim tasks of these skills, or of all; when nothing waits that these slots could take, give them back."""
        if skills is not None and not skills:
            for slot in slots:
                self._credit.release(slot)
            return
        self._open[agent_id] += 1
        future = self._tasks.claim(agent_id, slots, self._clock(), skills)
        version = self._backlog.get(agent_id) if skills is None else None
        future.add_done_callback(partial(self._made, agent_id, slots, version))

    def _made(
        self, agent_id: str, slots: Sequence[InstanceRef], version: int | None, future: "Future[list[Changed]]"
    ) -> None:
        claimed = outcome(future, self._log, "claim_failed", agent=agent_id)
        tasks = [(change.task, change.events) for change in claimed or () if change.task is not None]
        for slot, (task, events) in zip(slots, tasks, strict=False):
            self._tell(slot, task, events)
        for slot in slots[len(tasks) :]:
            self._credit.release(slot)
        if claimed is None:
            future.get_loop().call_later(again_after(future), self._again, agent_id)
            return
        self._ended(agent_id)
        if len(tasks) == len(slots):
            self.freed(agent_id)
        elif version is not None and self._backlog.get(agent_id) == version:
            # Nothing more waits, of whatever skill, and nothing was added meanwhile.
            del self._backlog[agent_id]

    def _again(self, agent_id: str) -> None:
        self._ended(agent_id)
        self.freed(agent_id)

    def _ended(self, agent_id: str) -> None:
        self._open[agent_id] -= 1
        if not self._open[agent_id]:
            del self._open[agent_id]


class Dispatcher:
    """Owns the alarms and the order of the queues.

    Attributes:
        census: the open tasks.
        offers: what connected instances can do.
        claims: brings those that wait and free slots together.
    """

    def __init__(
        self,
        tasks: Tasks,
        credit: Credits,
        router: RouterPort,
        feed: Feed,
        clock: Callable[[], float],
        log: FaultLog,
        census: Census | None = None,
    ) -> None:
        self.census = Census() if census is None else census
        self.offers = Offers()
        self._tasks = tasks
        self._credit = credit
        self._router = router
        self._feed = feed
        self._clock = clock
        self._log = log
        self._alarms: Alarms[str] = Alarms()
        self._queues = FairQueues()
        self.claims = Claims(tasks, credit, self.census, self.offers, clock, self._claimed, log)
        self._canceling: set[str] = set()
        self._woken = asyncio.Event()
        self._adding: Counter[str] = Counter()

    def resume(self, open_tasks: Sequence[Task]) -> None:
        """Take up what was open when the process started."""
        for task in open_tasks:
            self.census.see(task)
            self._alarm(task)
            if task.state is TaskState.SUBMITTED:
                self.claims.waits(task.agent_id)
        self._queues.resume(open_tasks)
        for orphan in orphans(open_tasks):
            # The last process ended between the end of its parent and its own.
            self._cancel_child(orphan.id)

    def position(self, agent_id: str, caller: str, priority: int) -> float:
        """Return the place of this caller's next task among the agent's tasks of this priority."""
        return self._queues.next(agent_id, priority, caller)

    def expect(self, change: Change) -> None:
        """A new task is about to be stored, and counts from now on; `add` follows at once."""
        self.census.expect(change.task)

    def add(self, change: Change, slot: InstanceRef | None) -> "Future[Added]":
        """Store a new task that is expected; with a slot it is claimed already, and goes there after the commit.

        Wait for the future with `asyncio.wait`, which does not cancel it: what was asked of the store happens all the
        same when nobody waits any more, and is followed up.
        """
        future = self._tasks.add(change)
        self._adding[change.task.agent_id] += 1
        future.add_done_callback(partial(self._added, change, slot))
        return future

    def brings(self, agent_id: str) -> bool:
        """Tell whether a task is on its way to a slot of the agent: it is being stored, or claimed."""
        return agent_id in self._adding or self.claims.open(agent_id)

    def change(self, task_id: str, decide: Decide) -> "Future[Changed]":
        """Change a task; see `ports.Tasks.change`. For whoever does not wait, or does not give up waiting."""
        future = self._tasks.change(task_id, decide)
        future.add_done_callback(self._changed)
        return future

    def apply(self, task_id: str, decide: Decide) -> "Future[Changed]":
        """Change a task for whoever may be cancelled: it is changed all the same."""
        return asyncio.shield(self.change(task_id, decide))

    def cancel(self, task_id: str, reason: str) -> "Future[Changed]":
        """Cancel a task, and with it what it called; an attempt that runs is asked to stop first."""
        future = self.apply(task_id, partial(lifecycle.cancel, reason=reason, now=self._clock()))
        future.add_done_callback(self._asked_to_stop)
        return future

    def end(self, task_id: str, decide: Decide) -> "Future[Changed]":
        """End a task without its agent's answer; an attempt that runs is told to stop, and needs no lease any more."""
        future = self.apply(task_id, decide)
        future.add_done_callback(self._ended)
        return future

    def insist(self, task_id: str, decide: Decide) -> "Future[Changed]":
        """`end`, tried again for as long as the store can't carry it out; the future is that of the first try."""
        future = self.end(task_id, decide)
        future.add_done_callback(partial(self._insisted, task_id, decide))
        return future

    def part(self, task: Task) -> None:
        """The task has ended without its agent, which may still be at it."""
        self._router.say(stop_order(task))
        self._router.say(Forget(task.id, task.attempt))

    def forget(self, agent_id: str) -> None:
        """The agent was deleted, and its tasks have ended."""
        self.claims.forget(agent_id)
        self._queues.forget(agent_id)

    def forgive(self, seconds: float) -> None:
        """The wall clock was set, or the machine slept: what is to happen so long after something moves with it."""
        # An alarm that comes too early does no harm. None may come late, and a time of day may have come already.
        self._alarms.advance(max(0.0, -seconds))
        self.census.shift(seconds)
        self._woken.set()
        self._shift(seconds)

    async def run(self) -> None:
        """Look at tasks whose time is over, until cancelled."""
        while True:
            now = self._clock()
            for task_id in self._alarms.due(now):
                self._ring(task_id, now)
            self._woken.clear()
            try:
                async with asyncio.timeout(self._alarms.wait(self._clock())):
                    await self._woken.wait()
            except TimeoutError:
                continue

    def _added(self, change: Change, slot: InstanceRef | None, future: "Future[Added]") -> None:
        self._adding -= Counter((change.task.agent_id,))
        added = value(future)
        if added is not None and added.created:
            self._follow(added.task, change.events)
            if slot is not None:
                self._deliver(slot, added.task)
            return
        self.census.forget(change.task.id)
        self._queues.give_back(change.task)
        if slot is not None:
            self._credit.release(slot)

    def _changed(self, future: "Future[Changed]") -> None:
        changed = value(future)
        if changed is not None and changed.task is not None:
            self._follow(changed.task, changed.events)
            for question in settled(changed.task, changed.events):
                self._router.say(messages.Answer(changed.task.id, changed.task.attempt, question.reaction))

    def _ring(self, task_id: str, now: float) -> None:
        self.end(task_id, partial(expire, now=now)).add_done_callback(partial(self._looked_at, task_id))
        task = self.census.get(task_id)
        if task is not None and task.state is TaskState.SUBMITTED:
            # Perhaps its rest before a retry is over. The claim is stored behind its end, should it be that.
            self.claims.waits(task.agent_id)
            self.claims.make(task.agent_id)

    def _looked_at(self, task_id: str, future: "Future[Changed]") -> None:
        if outcome(future, self._log, "alarm_failed", task=task_id) is None:
            # It was the earliest: whoever waits for the next one would sleep over it, and over all that follow.
            self._alarms.set(task_id, self._clock() + again_after(future))
            self._woken.set()

    def _insisted(self, task_id: str, decide: Decide, future: "Future[Changed]") -> None:
        if outcome(future, self._log, "end_failed", task=task_id) is None:
            future.get_loop().call_later(again_after(future), self.insist, task_id, decide)

    def _ended(self, future: "Future[Changed]") -> None:
        changed = value(future)
        if changed is not None and changed.task is not None and changed.task.terminal and changed.changed:
            self.part(changed.task)

    def _shift(self, seconds: float) -> None:
        self._tasks.shift(seconds).add_done_callback(partial(self._shifted, seconds))

    def _shifted(self, seconds: float, future: "Future[None]") -> None:
        outcome(future, self._log, "shift_failed", seconds=seconds)
        if future.cancelled() or future.exception() is not None:
            # Only what is stored: the census has moved already.
            future.get_loop().call_later(again_after(future), self._shift, seconds)
        else:
            # Again: what changed meanwhile had its alarm set by times that had not moved yet.
            self._alarms.advance(max(0.0, -seconds))
            self._woken.set()

    def _asked_to_stop(self, future: "Future[Changed]") -> None:
        changed = value(future)
        if changed is not None and changed.changed and changed.task is not None and changed.task.state in LEASED:
            self._router.say(stop_order(changed.task))

    def _cancel_child(self, task_id: str) -> None:
        def settled(future: "Future[Changed]") -> None:
            self._canceling.discard(task_id)
            if outcome(future, self._log, "cancel_failed", task=task_id) is None:
                future.get_loop().call_later(again_after(future), self._cancel_child, task_id)

        if task_id not in self._canceling and self.census.get(task_id) is not None:
            self._canceling.add(task_id)
            self.cancel(task_id, "the task that called it was canceled or has ended").add_done_callback(settled)

    def _follow(self, task: Task, events: Sequence[TaskEvent]) -> None:
        """What every change is followed by: watchers are told, the alarm is set, and a waiting task is offered."""
        self._see(task, events)
        if task.state not in LEASED or task.cancel_reason is not None:
            # Nobody waits for what the attempt called; the next attempt makes its own calls.
            for child in self.census.children(task.id):
                self._cancel_child(child)
        if task.state is TaskState.SUBMITTED:
            self.claims.waits(task.agent_id)
            if task.not_before is None or task.not_before <= self._clock():
                self.claims.make(task.agent_id)

    def _see(self, task: Task, events: Sequence[TaskEvent]) -> None:
        self.census.see(task)
        self._feed.tell(task, events)
        self._alarm(task)

    def _alarm(self, task: Task) -> None:
        at = due_at(task, self._clock())
        self._alarms.set(task.id, at)
        if at is not None and self._alarms.earliest(task.id):
            self._woken.set()

    def _claimed(self, slot: InstanceRef, task: Task, events: Sequence[TaskEvent]) -> None:
        self._see(task, events)
        self._deliver(slot, task)

    def _deliver(self, slot: InstanceRef, task: Task) -> None:
        self._queues.served(task)
        instance = self._credit.give(slot)
        if instance is not None:
            self._router.say(Deliver(instance, assignment(task)))
        else:
            # It drained, and has left.
            back = partial(
                lifecycle.refuse, attempt=task.attempt, now=self._clock(), reason=messages.RefuseReason.DRAINING
            )
            self.insist(task.id, back)
