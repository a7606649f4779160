"""What agents' processes took, in memory."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from agentic_atlas.backend.domain.records import AccessLevel, AgentRecord, ConnectedProcess, Instance
from agentic_atlas.backend.domain.resources import (
    HOURS_KEPT,
    MINUTES_KEPT,
    InstanceFigures,
    SpanFigures,
    kept_for,
    together,
)
from agentic_atlas.backend.domain.statistics import HOUR, MINUTE, beginning
from agentic_atlas.backend.rights import Visible

_Taken = Mapping[tuple[str, str], SpanFigures]


class MemoryResources:
    """`ports.ResourceSeries`."""

    def __init__(
        self,
        agents: Mapping[str, AgentRecord] = MappingProxyType({}),
        instances: Callable[[], Mapping[str, Instance]] = dict,
    ) -> None:
        """Take all agents, and where the instances are, by their ids."""
        self._agents = agents
        self._instances = instances
        self._spans: dict[int, dict[int, _Taken]] = {MINUTE: {}, HOUR: {}}

    async def add(self, start: int, taken: _Taken) -> None:
        """See the port."""
        self._spans[MINUTE][start] = dict(taken)

    async def roll(self, now: float) -> None:
        """See the port."""
        minutes, hours = self._spans[MINUTE], self._spans[HOUR]
        for hour in {beginning(start, HOUR) for start in minutes} - hours.keys() - {beginning(now, HOUR)}:
            hours[hour] = self._within(MINUTE, hour, hour + HOUR, HOUR).get(hour, {})
        for span, longest in ((MINUTE, MINUTES_KEPT), (HOUR, HOURS_KEPT)):
            spans = self._spans[span]
            processes = len(spans[max(spans)]) if spans else 0
            for start in [one for one in spans if one < beginning(now - kept_for(longest, span, processes), span)]:
                del spans[start]

    async def connected(self, visible: Visible) -> Sequence[ConnectedProcess]:
        """See the port."""
        there = [(one, self._agents[one.agent_id]) for one in self._instances().values() if one.disconnected_at is None]
        return [
            ConnectedProcess(one.id, agent.id, agent.full_name, one.host, one.pid)
            for one, agent in there
            if visible.may(agent, AccessLevel.MANAGE)
        ]

    async def read(self, agent_id: str, since: float, until: float, *, step: int) -> Sequence[InstanceFigures]:
        """See the port."""
        begin, minutes, hours = beginning(since, step), self._spans[MINUTE], self._spans[HOUR]
        whole = max(step, HOUR)
        last = max(hours, default=-HOUR) + HOUR
        border = min(last, -(-min(minutes, default=last) // whole) * whole)
        points = self._within(HOUR, begin, min(border, until + 1), step) | self._within(
            MINUTE, max(begin, border), until + 1, step
        )
        return [
            InstanceFigures(instance_id, start, figures)
            for start, taken in sorted(points.items())
            for (its, instance_id), figures in taken.items()
            if its == agent_id
        ]

    def _within(
        self, span: int, since: float, until: float, step: int
    ) -> dict[int, dict[tuple[str, str], SpanFigures]]:
        found: defaultdict[int, defaultdict[tuple[str, str], list[SpanFigures]]] = defaultdict(
            lambda: defaultdict(list)
        )
        for start, taken in self._spans[span].items():
            for whose, figures in taken.items() if since <= start < until else ():
                found[beginning(start, step)][whose].append(figures)
        return {at: {whose: together(all_) for whose, all_ in of.items()} for at, of in found.items()}
