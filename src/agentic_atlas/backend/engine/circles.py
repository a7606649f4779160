"""Calls that go round in a circle: tasks that wait for slots which only they themselves could give back.

A task that waits for a slot depends on the tasks that hold one, and a task that called others on these. Nobody else
can end such a wait: it is for ever when no way along these edges leads to a task that can go on by itself. Where there
is one it is found early, for a search stops at the first, and at a busy agent that is mostly the first it looks at.
One task of each circle is ended, so that the others can go on.

That a task which called another one does nothing else meanwhile is an assumption. It does not matter where its own
ancestors hold all slots that a task waits for: they end before it, and it ends with them.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import TypeAlias

import msgspec

from agentic_atlas.backend.domain import lifecycle
from agentic_atlas.backend.domain.records import TaskFailure
from agentic_atlas.backend.engine.census import Census, OpenTask
from agentic_atlas.backend.engine.credit import Credits
from agentic_atlas.backend.engine.dispatch import Dispatcher
from agentic_atlas.protocol.tasks import TaskState

Slots: TypeAlias = Callable[[str, str], Mapping[str, int]]
"""How many tasks each connected instance of an agent runs at the same time that has this skill: (agent id, skill)."""

MOST_VISITED = 20_000
"""Tasks that the searches of one look see together; beyond it a wait counts as one that ends."""

SEARCH_EVERY = 1.0
"""Seconds between two searches."""
PATIENCE = 3
"""Looks in a row that have to find the same circle. Who calls may do something else meanwhile, and end by itself."""

Queue: TypeAlias = tuple[str, str]
"""Of the tasks that wait for an agent (its id) with a skill."""


class Search:
    """Looks for circles; what several searches look at together is bounded.

    Attributes:
        left: how many tasks it may still look at.
    """

    def __init__(self, census: Census, slots: Slots, now: float, most: int = MOST_VISITED) -> None:
        self._census = census
        self._slots = slots
        self._now = now
        self.left = most

    def stuck(self, task: OpenTask) -> list[OpenTask]:
        """Return all tasks that this one waits for and itself, when none of them can go on; else nothing."""
        seen = {task.id: task}
        queues: set[tuple[str, str]] = set()
        to_visit = [task]
        while to_visit:
            self.left -= 1
            behind = None if self.left < 0 else self._behind(to_visit.pop(), queues)
            if behind is None:
                return []
            for one in behind:
                if one.id not in seen:
                    seen[one.id] = one
                    to_visit.append(one)
        return list(seen.values())

    def newest_call(self, stuck: Iterable[OpenTask]) -> OpenTask | None:
        """Return the newest of these that is part of a circle: with its end the others can go on.

        A call is part of a circle when it waits for who made it. One that only waits behind a circle is not.
        """
        calls = [one for one in stuck if one.state is TaskState.SUBMITTED and one.parent_id is not None]
        for call in sorted(calls, key=lambda one: one.id, reverse=True):
            if any(one.id == call.parent_id for one in self.stuck(call)):
                return call
        return None

    def held_by_ancestors(self, task: OpenTask) -> bool:
        """Tell whether the task's own ancestors hold all the slots that it waits for: nothing can free one."""
        slots = self._slots(task.agent_id, task.skill)
        if not slots or not self._waits(task):
            return False
        above = {one.id for one in ancestors(self._census, task)}
        held = [one for one in self._census.held_by(task.agent_id) if one.id in above]
        return _fill(held, slots)

    def _behind(self, task: OpenTask, queues: set[tuple[str, str]]) -> list[OpenTask] | None:
        """Return what the task waits for; None when it can go on, or waits for something else."""
        if task.stopping or not task.stored:
            return None
        if task.state is TaskState.SUBMITTED:
            return self._holders(task, queues)
        called = self._census.called(task.id)
        return called if called and task.state is TaskState.WORKING else None

    def _holders(self, task: OpenTask, queues: set[tuple[str, str]]) -> list[OpenTask] | None:
        if not self._waits(task):
            return None
        queue = (task.agent_id, task.skill)
        if queue in queues:
            return []
        queues.add(queue)
        slots = self._slots(*queue)
        holders = [one for one in self._census.held_by(task.agent_id) if one.instance_id in slots]
        return holders if slots and _fill(holders, slots) else None

    def _waits(self, task: OpenTask) -> bool:
        return task.state is TaskState.SUBMITTED and (task.not_before is None or task.not_before <= self._now)


def ancestors(census: Census, task: OpenTask) -> Iterator[OpenTask]:
    """Return the open tasks whose calls led to this one, the nearest first."""
    while (parent := census.get(task.parent_id or "")) is not None:
        yield parent
        task = parent


def circle_error(census: Census, task: OpenTask, slots: Slots) -> TaskFailure:
    """Return what the task ends with; it names the chain of calls from its root."""
    chain = [task, *ancestors(census, task)][::-1]
    several = sum(slots(task.agent_id, task.skill).values())
    way = " → ".join(f"{one.agent}.{one.skill}" for one in chain)
    detail = [{"task": one.id, "agent": one.agent, "skill": one.skill} for one in chain]
    return TaskFailure(
        "call_circle",
        f"the calls go round in a circle: {way} waits for one of {several} slots of {task.agent}, and all are held by "
        "tasks that wait for it: give the agents more concurrency, or have them not call one another in a circle",
        msgspec.json.encode({"chain": detail}),
    )


def _fill(holders: list[OpenTask], slots: Mapping[str, int]) -> bool:
    """Tell whether these tasks take all slots."""
    used = dict.fromkeys(slots, 0)
    for one in holders:
        if one.instance_id in used:
            used[one.instance_id] += 1
    return all(used[instance] >= slots[instance] for instance in slots)


class Circles:
    """Looks at a call that has to wait at once, and once a second at everything that waits.

    At once it ends what nothing can help: a call whose own ancestors hold all the slots. What closes later, or over
    several chains of calls, is found by the next looks.
    """

    def __init__(
        self,
        dispatcher: Dispatcher,
        credit: Credits,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._dispatcher = dispatcher
        self._credit = credit
        self._clock = clock
        self._sleep = sleep
        self._looks: dict[Queue, int] = {}

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            await self._sleep(SEARCH_EVERY)
            self.look()

    def waits(self, task_id: str) -> None:
        """A task that was called has to wait: end it now if nothing else can come of it."""
        task = self._dispatcher.census.get(task_id)
        if task is not None and self._search().held_by_ancestors(task):
            self._end(task)

    def look(self) -> None:
        """Look once at each queue; all of one wait for the same."""
        found = self._found()
        self._looks = {queue: self._looks.get(queue, 0) + 1 for queue in found}
        lasting = {task.id: task for queue, task in found.items() if self._looks[queue] >= PATIENCE}
        for task in lasting.values():
            self._end(task)

    def _found(self) -> dict[Queue, OpenTask]:
        """Return the queues that wait for a circle, each with the call that is to end."""
        census, found = self._dispatcher.census, dict[Queue, OpenTask]()
        waiting = census.queues.agents()
        if not waiting:
            return found
        search, now = self._search(), self._clock()
        for agent_id in waiting:
            for task in census.queues.next_of_each_skill(agent_id, now):
                if (agent_id, task.skill) not in found:
                    found |= self._around(search, task)
        return found

    def _around(self, search: Search, task: OpenTask) -> dict[Queue, OpenTask]:
        """Return the queues of all tasks that this one waits for in vain, with the call that is to end."""
        stuck = search.stuck(task)
        ends = search.newest_call(stuck)
        if ends is None:
            return {}
        return {(one.agent_id, one.skill): ends for one in stuck if one.state is TaskState.SUBMITTED}

    def _end(self, task: OpenTask) -> None:
        ends = circle_error(self._dispatcher.census, task, self._slots)
        self._dispatcher.end(task.id, partial(lifecycle.give_up, error=ends, now=self._clock()))

    def _search(self) -> Search:
        return Search(self._dispatcher.census, self._slots, self._clock())

    def _slots(self, agent_id: str, skill: str) -> Mapping[str, int]:
        able = self._dispatcher.offers.able(agent_id, skill)
        there = [one for one in self._credit.usage(agent_id) if not one.draining]
        return {one.instance_id: one.slots for one in there if able is None or one.instance_id in able}
