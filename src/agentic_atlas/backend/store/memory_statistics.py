"""Counts of tasks in memory: made of the tasks each time they are asked for."""

import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence

from agentic_atlas.backend.domain.records import AccessLevel, AgentRecord, User
from agentic_atlas.backend.domain.statistics import HOUR, Tallies, beginning, ended
from agentic_atlas.backend.ports import TaskFilter, Tasks
from agentic_atlas.backend.rights import Visible


class MemoryStatistics:
    """`ports.Statistics`."""

    def __init__(
        self, tasks: Callable[[], Tasks], agents: Mapping[str, AgentRecord], users: Mapping[str, User]
    ) -> None:
        """Take where the tasks are, and all agents and users by their ids."""
        self._tasks = tasks
        self._agents = agents
        self._users = users

    async def roll(self, now: float) -> None:
        """See the port; there is nothing to keep."""

    async def read(
        self, visible: Visible, since: float, until: float, *, step: int, agent_id: str | None = None
    ) -> Tallies:
        """See the port."""
        tallies = Tallies()
        found, _ = await self._tasks().find(TaskFilter(visible, agent_id), limit=sys.maxsize)
        for one in found:
            counted, at = ended(one.task), one.task.ended_at
            if counted is not None and at is not None and since <= at < until:
                tallies.add(beginning(at, step), counted)
        tallies.names |= {agent.id: agent.full_name for agent in self._agents.values()}
        tallies.names |= {user.id: user.name for user in self._users.values()}
        managed = (one.id for one in self._agents.values() if visible.may(one, AccessLevel.MANAGE))
        tallies.managed = frozenset(managed)
        return tallies

    async def of_agents(
        self, visible: Visible, since: float, until: float, names: Sequence[str]
    ) -> Mapping[str, Mapping[str, int]]:
        """See the port."""
        tallies = await self.read(visible, since, until, step=HOUR)
        found: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for (agent_id, _, state, _), number in tallies.by_skill.items():
            if (name := tallies.names.get(agent_id, "")) in names:
                found[name][state] += number
        return found
