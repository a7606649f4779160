"""Follows every change of a task, and looks at tasks when their time is over.

No polling: a submit, a slot that becomes free or an alarm starts a claim (`claims`). Every change of a task passes
through `apply`, which tells the watchers and sets the task's next alarm, after the commit. What an attempt called ends
with it.
"""

import asyncio
from asyncio import Future
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial

from agentic_atlas.alarms import Alarms
from agentic_atlas.backend.domain import lifecycle
from agentic_atlas.backend.domain.assignment import assignment, stop
from agentic_atlas.backend.domain.children import orphans
from agentic_atlas.backend.domain.deadlines import due_at, expire
from agentic_atlas.backend.domain.lifecycle import Change, settled
from agentic_atlas.backend.domain.records import Task, TaskEvent
from agentic_atlas.backend.engine.census import Census
from agentic_atlas.backend.engine.claims import Claims
from agentic_atlas.backend.engine.credit import Credits
from agentic_atlas.backend.engine.fairness import FairQueues
from agentic_atlas.backend.engine.feed import Feed
from agentic_atlas.backend.engine.offers import Offers
from agentic_atlas.backend.engine.unawaited import again_after, outcome, value
from agentic_atlas.backend.ports import Added, Changed, Decide, FaultLog, RouterPort, Tasks
from agentic_atlas.protocol import messages
from agentic_atlas.protocol.inside.messages import Deliver, Forget, InstanceRef, Tell
from agentic_atlas.protocol.tasks import LEASED, TaskState


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
        self._router.say(stop(task))
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
                self._router.say(Tell(changed.task.id, changed.task.attempt, question.reaction))

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
            self._router.say(stop(changed.task))

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
