"""Brings waiting tasks and free slots together, and follows every change of a task.

No polling: a submit, a slot that becomes free or an alarm starts a claim. The queues are in the store; here is which
agents have one. Every change of a task passes through `change`, which tells the watchers and sets the task's next
alarm, after the commit. What an attempt called ends with it.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar

from agentic_atlas.alarms import Alarms
from agentic_atlas.backend.domain import lifecycle
from agentic_atlas.backend.domain.children import orphans
from agentic_atlas.backend.domain.lifecycle import Change, assignment, settled, stop_order
from agentic_atlas.backend.domain.records import Submitted, Task, TaskEvent
from agentic_atlas.backend.domain.terms import due_at, expire
from agentic_atlas.backend.engine.census import Census
from agentic_atlas.backend.engine.credit import Credits, Offers
from agentic_atlas.backend.engine.feed import Feed
from agentic_atlas.backend.ports import Changed, Decide, FaultLog, RouterPort, Tasks, Write
from agentic_atlas.errors import Busy, Unavailable
from agentic_atlas.protocol import messages
from agentic_atlas.protocol.inside.messages import Deliver, Forget, InstanceRef
from agentic_atlas.protocol.tasks import LEASED, TaskState

T = TypeVar("T")

AGAIN_AFTER = 1.0
"""Seconds after which what the store could not carry out is tried again."""
AFTER_A_FAULT = 60.0
"""Seconds after which it is tried again when a fault of ours was the reason, which is not likely to go away."""


def outcome(write: Write[T], log: FaultLog, event: str, **facts: object) -> T | None:
    """Return what the store said of a write that nobody awaits; None when it failed, and is to be tried again.

    A store that can't be had is told to callers and by the health answer. Anything else is a fault of ours, which
    nobody but the log would hear of.
    """
    if (fault := _fault(write)) is not None:
        log.error(event, exc_info=fault, **facts)
    return write.value


def again_after(write: Write[Any]) -> float:
    """Return in how many seconds what failed is tried again."""
    return AGAIN_AFTER if _fault(write) is None else AFTER_A_FAULT


def _fault(write: Write[Any]) -> Exception | None:
    return None if isinstance(write.error, Busy | Unavailable) else write.error


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
        """Take a free slot for a new task of this skill, unless older ones wait that it could be given to."""
        older = self._census.queues.skills(agent_id) if agent_id in self._backlog else ()
        return self._credit.reserve(agent_id, self._offers.able_beside(agent_id, skill, older))

    def stalls(self, agent_id: str) -> bool:
        """Tell whether a task waits for the agent that could begin, and nothing is on its way to bring that about."""
        if self.open(agent_id) or not self._credit.free(agent_id):
            return False
        ready = self._census.queues.ready(agent_id, self._clock())
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
        wanted = self._census.queues.skills(agent_id)
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
        version = self._backlog.get(agent_id) if skills is None else None
        self._tasks.claim(agent_id, slots, self._clock(), skills).then(partial(self._made, agent_id, slots, version))

    def _made(
        self, agent_id: str, slots: Sequence[InstanceRef], version: int | None, write: Write[list[Changed]]
    ) -> None:
        claimed = outcome(write, self._log, "claim_failed", agent=agent_id)
        tasks = [(change.task, change.events) for change in claimed or () if change.task is not None]
        for slot, (task, events) in zip(slots, tasks, strict=False):
            self._tell(slot, task, events)
        for slot in slots[len(tasks) :]:
            self._credit.release(slot)
        if claimed is None:
            write.loop.call_later(again_after(write), self._again, agent_id)
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


class Deadlines:
    """Looks at tasks when their time is over."""

    def __init__(
        self,
        tasks: Tasks,
        census: Census,
        clock: Callable[[], float],
        log: FaultLog,
        look: Callable[[str, float], Write[Changed]],
    ) -> None:
        """Take what looks at a task, by its id, at this time."""
        self._tasks = tasks
        self._census = census
        self._clock = clock
        self._log = log
        self._look = look
        self._alarms: Alarms[str] = Alarms()
        self._woken = asyncio.Event()

    def set(self, task: Task) -> None:
        """The task is so now: look at it when time alone changes something about it."""
        at = due_at(task, self._clock())
        self._alarms.set(task.id, at)
        if at is not None and self._alarms.earliest(task.id):
            self._woken.set()

    def forgive(self, seconds: float) -> None:
        """The wall clock was set, or the machine slept: what is to happen so long after something moves with it."""
        # An alarm that comes too early does no harm. None may come late, and a time of day may have come already.
        self._alarms.advance(max(0.0, -seconds))
        self._census.shift(seconds)
        self._woken.set()
        self._shift(seconds)

    async def run(self) -> None:
        """Look at tasks whose time is over, until cancelled."""
        while True:
            now = self._clock()
            for task_id in self._alarms.due(now):
                self._look(task_id, now).then(partial(self._looked_at, task_id))
            self._woken.clear()
            try:
                async with asyncio.timeout(self._alarms.wait(self._clock())):
                    await self._woken.wait()
            except TimeoutError:
                continue

    def _looked_at(self, task_id: str, write: Write[Changed]) -> None:
        if outcome(write, self._log, "alarm_failed", task=task_id) is None:
            # It was the earliest: whoever waits for the next one would sleep over it, and over all that follow.
            self._alarms.set(task_id, self._clock() + again_after(write))
            self._woken.set()

    def _shift(self, seconds: float) -> None:
        self._tasks.shift(seconds).then(partial(self._shifted, seconds))

    def _shifted(self, seconds: float, write: Write[None]) -> None:
        outcome(write, self._log, "shift_failed", seconds=seconds)
        if write.error is not None:
            # Only what is stored: the census has moved already.
            write.loop.call_later(again_after(write), self._shift, seconds)
        else:
            # Again: what changed meanwhile had its alarm set by times that had not moved yet.
            self._alarms.advance(max(0.0, -seconds))
            self._woken.set()


class Dispatcher:
    """Has each change of a task followed by what it leads to.

    Attributes:
        census: the open tasks.
        offers: what connected instances can do.
        claims: brings those that wait and free slots together.
        deadlines: looks at those whose time is over.
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
        self.claims = Claims(tasks, credit, self.census, self.offers, clock, self._claimed, log)
        self.deadlines = Deadlines(tasks, self.census, clock, log, self._over)
        self._canceling: set[str] = set()
        self._adding: Counter[str] = Counter()

    def resume(self, open_tasks: Sequence[Task]) -> None:
        """Take up what was open when the process started."""
        for task in open_tasks:
            self.census.see(task)
            self.deadlines.set(task)
            if task.state is TaskState.SUBMITTED:
                self.claims.waits(task.agent_id)
        self.census.queues.resume(open_tasks)
        for orphan in orphans(open_tasks):
            # The last process ended between the end of its parent and its own.
            self._cancel_child(orphan.id)

    def add(self, change: Change, slot: InstanceRef | None) -> Write[Submitted]:
        """Store a new task that the census expects; with a slot it is claimed already, and goes there when stored."""
        self._adding[change.task.agent_id] += 1
        write = self._tasks.add(change)
        write.then(partial(self._added, change, slot))
        return write

    def brings(self, agent_id: str) -> bool:
        """Tell whether a task is on its way to a slot of the agent: it is being stored, or claimed."""
        return agent_id in self._adding or self.claims.open(agent_id)

    def change(self, task_id: str, decide: Decide) -> Write[Changed]:
        """Change a task; see `ports.Tasks.change`."""
        write = self._tasks.change(task_id, decide)
        write.then(self._changed)
        return write

    def cancel(self, task_id: str, reason: str) -> Write[Changed]:
        """Cancel a task, and with it what it called; an attempt that runs is asked to stop first."""
        write = self.change(task_id, partial(lifecycle.cancel, reason=reason, now=self._clock()))
        write.then(self._asked_to_stop)
        return write

    def end(self, task_id: str, decide: Decide) -> Write[Changed]:
        """End a task without its agent's answer; an attempt that runs is told to stop, and needs no lease any more."""
        write = self.change(task_id, decide)
        write.then(self._ended)
        return write

    def insist(self, task_id: str, decide: Decide) -> Write[Changed]:
        """`end`, tried again for as long as the store can't carry it out; returns the first try."""
        write = self.end(task_id, decide)
        write.then(partial(self._insisted, task_id, decide))
        return write

    def part(self, task: Task) -> None:
        """The task has ended without its agent, which may still be at it."""
        self._router.say(stop_order(task))
        self._router.say(Forget(task.id, task.attempt))

    def forget(self, agent_id: str) -> None:
        """The agent was deleted, and its tasks have ended."""
        self.claims.forget(agent_id)
        self.census.queues.forget(agent_id)

    def _added(self, change: Change, slot: InstanceRef | None, write: Write[Submitted]) -> None:
        agent_id, added = change.task.agent_id, write.value
        self._adding[agent_id] -= 1
        if not self._adding[agent_id]:
            del self._adding[agent_id]
        if added is not None and added.created:
            self._follow(added.task, change.events)
            if slot is not None:
                self._deliver(slot, added.task)
            return
        self.census.forget(change.task.id)
        self.census.queues.give_back(change.task)
        if slot is not None:
            self._credit.release(slot)
            # Of a task that came meanwhile, and found no slot.
            self.claims.freed(agent_id)

    def _changed(self, write: Write[Changed]) -> None:
        changed = write.value
        if changed is not None and changed.task is not None:
            self._follow(changed.task, changed.events)
            for question in settled(changed.task, changed.events):
                self._router.say(messages.Answer(changed.task.id, changed.task.attempt, question.reaction))

    def _over(self, task_id: str, now: float) -> Write[Changed]:
        write = self.end(task_id, partial(expire, now=now))
        task = self.census.get(task_id)
        if task is not None and task.state is TaskState.SUBMITTED:
            # Perhaps its rest before a retry is over. The claim is stored behind its end, should it be that.
            self.claims.waits(task.agent_id)
            self.claims.make(task.agent_id)
        return write

    def _insisted(self, task_id: str, decide: Decide, write: Write[Changed]) -> None:
        if outcome(write, self._log, "end_failed", task=task_id) is None:
            write.loop.call_later(again_after(write), self.insist, task_id, decide)

    def _ended(self, write: Write[Changed]) -> None:
        changed = write.value
        if changed is not None and changed.task is not None and changed.task.terminal and changed.changed:
            self.part(changed.task)

    def _asked_to_stop(self, write: Write[Changed]) -> None:
        changed = write.value
        if changed is not None and changed.changed and changed.task is not None and changed.task.state in LEASED:
            self._router.say(stop_order(changed.task))

    def _cancel_child(self, task_id: str) -> None:
        def settled(write: Write[Changed]) -> None:
            self._canceling.discard(task_id)
            if outcome(write, self._log, "cancel_failed", task=task_id) is None:
                write.loop.call_later(again_after(write), self._cancel_child, task_id)

        if task_id not in self._canceling and self.census.get(task_id) is not None:
            self._canceling.add(task_id)
            self.cancel(task_id, "the task that called it was canceled or has ended").then(settled)

    def _follow(self, task: Task, events: Sequence[TaskEvent]) -> None:
        """What every change is followed by: watchers are told, the alarm is set, and a waiting task is offered."""
        self.census.see(task)
        self._feed.tell(task, events)
        self.deadlines.set(task)
        if task.state not in LEASED or task.cancel_reason is not None:
            # Nobody waits for what the attempt called; the next attempt makes its own calls.
            for child in self.census.children(task.id):
                self._cancel_child(child)
        if task.state is TaskState.SUBMITTED:
            self.claims.waits(task.agent_id)
            if task.not_before is None or task.not_before <= self._clock():
                self.claims.make(task.agent_id)

    def _claimed(self, slot: InstanceRef, task: Task, events: Sequence[TaskEvent]) -> None:
        self._follow(task, events)
        self._deliver(slot, task)

    def _deliver(self, slot: InstanceRef, task: Task) -> None:
        self.census.queues.served(task)
        instance = self._credit.give(slot)
        if instance is not None:
            self._router.say(Deliver(instance, assignment(task)))
        else:
            # It drained, and has left.
            back = partial(
                lifecycle.refuse, attempt=task.attempt, now=self._clock(), reason=messages.RefuseReason.DRAINING
            )
            self.insist(task.id, back)
