"""Ends calls that go round in a circle: one task of each, so that the others can go on."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import TypeAlias

from agentic_atlas.backend.domain import circles, lifecycle
from agentic_atlas.backend.domain.census import OpenTask
from agentic_atlas.backend.domain.circles import Search
from agentic_atlas.backend.ports import Fleet
from agentic_atlas.backend.services.dispatch import Dispatcher
from agentic_atlas.protocol.tasks import TaskState

LOOK_EVERY = 1.0
"""Seconds."""
PATIENCE = 3
"""Looks in a row that have to find the same circle. Who calls may do something else meanwhile, and end by itself."""

Queue: TypeAlias = tuple[str, str]
"""Of the tasks that wait for an agent (its id) with a skill."""


class Circles:
    """Looks at a call that has to wait at once, and once a second at everything that waits.

    At once it ends what nothing can help: a call whose own ancestors hold all the slots. What closes later, or over
    several chains of calls, is found by the next looks.
    """

    def __init__(
        self,
        dispatcher: Dispatcher,
        fleet: Fleet,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._dispatcher = dispatcher
        self._fleet = fleet
        self._clock = clock
        self._sleep = sleep
        self._looks: dict[Queue, int] = {}

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            await self._sleep(LOOK_EVERY)
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
        census, search, now = self._dispatcher.census, self._search(), self._clock()
        found: dict[Queue, OpenTask] = {}
        for agent_id in census.waited_for():
            for task in census.next_of_each_skill(agent_id, now):
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
        error = circles.error(self._dispatcher.census, task, self._slots)
        self._dispatcher.end(task.id, partial(lifecycle.give_up, error=error, now=self._clock()))

    def _search(self) -> Search:
        return Search(self._dispatcher.census, self._slots, self._clock())

    def _slots(self, agent_id: str, skill: str) -> Mapping[str, int]:
        able = self._dispatcher.offers.able(agent_id, skill)
        there = [one for one in self._fleet.usage(agent_id) if not one.draining]
        return {one.instance_id: one.slots for one in there if able is None or one.instance_id in able}
