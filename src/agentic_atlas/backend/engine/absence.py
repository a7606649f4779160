"""Agents that are away, and the tasks that would not wait for them.

A restart of the server is not the agents' doing: who calls one in the first seconds after it, and would not wait for an
agent that is offline, waits for it to come back, at most as long as its attempts are kept for it.
"""

from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial

from agentic_atlas.backend.domain import lifecycle
from agentic_atlas.backend.domain.records import Task
from agentic_atlas.backend.domain.terms import OFFLINE
from agentic_atlas.backend.engine.credit import Credits
from agentic_atlas.backend.engine.dispatch import Dispatcher
from agentic_atlas.errors import Busy, Unavailable


class Absence:
    """Knows which agents are on their way back, and ends what would not wait for those that are not."""

    def __init__(self, dispatcher: Dispatcher, credit: Credits, clock: Callable[[], float]) -> None:
        self._dispatcher = dispatcher
        self._credit = credit
        self._clock = clock

    def expect(self, agents: Iterable[str]) -> None:
        """These agents were connected when the last process ended."""
        self._credit.instances.expected = set(agents)

    def expected(self, agent_id: str) -> bool:
        """Tell whether the agent is on its way back after a restart of the server."""
        return agent_id in self._credit.instances.expected

    def away(self, agent_id: str) -> bool:
        """Tell whether the agent is not there, and not on its way back either."""
        return not (self._credit.online(agent_id) or agent_id in self._credit.instances.expected)

    def absent(self, agent_id: str) -> None:
        """No instance of the agent has been there for one grace period: fail what waits for it and would not."""
        for task in self._dispatcher.census.queues.impatient(agent_id):
            self._dispatcher.insist(task.id, partial(_unclaimed, now=self._clock()))

    def nobody_came(self) -> None:
        """The grace period after a start is over: nobody is expected any more."""
        self._credit.instances.expected.clear()
        for agent_id in self._dispatcher.census.queues.agents():
            if not self._credit.online(agent_id):
                self.absent(agent_id)

    async def left_meanwhile(self, task: Task) -> None:
        """The agent was there when the task was accepted, and may not be now that it is stored: fail it if so."""
        if self.away(task.agent_id):
            # One that can't be stored now ends when the agent has been away for long enough.
            with suppress(Unavailable, Busy):
                await self._dispatcher.change(task.id, partial(_unclaimed, now=self._clock()))


def _unclaimed(task: Task, *, now: float) -> lifecycle.Change | None:
    return lifecycle.give_up(task, OFFLINE, now) if task.impatient else None
