"""What agents' processes take: now, and over time; for who manages the agents."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final

from agentic_atlas.backend.domain.records import AccessLevel, ConnectedProcess, Usage
from agentic_atlas.backend.domain.resources import HOURS_KEPT, InstanceFigures, step_of
from agentic_atlas.backend.domain.statistics import DAY, HOUR
from agentic_atlas.backend.engine.engine import Engine
from agentic_atlas.backend.rights import Principal
from agentic_atlas.backend.usecases.application import use_case
from agentic_atlas.errors import InvalidInput
from agentic_atlas.protocol.caller.resources import (
    Fleet,
    InstanceResources,
    ProcessInfo,
    ProcessOrder,
    ResourceHistory,
    ResourcePoint,
)

MOST_PROCESSES: Final = 500
"""Processes in an answer; those of more agents are found by parts of their names."""


@use_case
async def history(
    who: Principal, engine: Engine, agent: str, *, since: float | None = None, until: float | None = None
) -> ResourceHistory:
    """Return what an agent's instances took: in the last hour, unless times are given.

    Raises:
        NotFound: no such agent (`agent_not_found`). Forbidden: they don't manage it.
        InvalidInput: the times are not in their order, or too far apart.
    """
    found = await engine.access.agent(who.user, agent, AccessLevel.MANAGE)
    now = engine.clock()
    end = now if until is None else min(until, now)
    begin = end - HOUR if since is None else since
    if not 0 < end - begin <= HOURS_KEPT:
        raise InvalidInput(f"`since` comes before `until` and now, and is at most {HOURS_KEPT // DAY} days before it")
    step = step_of(end - begin)
    read = await engine.store.resources.read(found.id, begin, end, step=step)
    points: defaultdict[str, list[ResourcePoint]] = defaultdict(list)
    for one in read:
        points[one.instance_id].append(_point(one))
    latest = sorted(points.items(), key=lambda one: one[1][-1].at, reverse=True)
    return ResourceHistory(
        agent=found.full_name,
        since=_moment(begin),
        until=_moment(end),
        step=step,
        instances=[InstanceResources(id=instance_id, points=its) for instance_id, its in latest],
    )


@use_case
async def fleet(
    who: Principal, engine: Engine, *, part: str = "", order: ProcessOrder = "cpu", limit: int = 100
) -> Fleet:
    """Return the connected processes of the agents that they manage, the first `limit` in this order.

    `part` is one of the agent's full name, or of the host's, whatever its case.
    """
    processes = await engine.store.resources.connected(who.visible)
    usage = {
        one.instance_id: one
        for agent_id in {one.agent_id for one in processes}
        for one in engine.credit.usage(agent_id)
    }
    queues = engine.dispatcher.census.queues
    wanted = part.casefold()
    shown = [
        _process(one, usage[one.instance_id], queues.length(one.agent_id))
        for one in processes
        if one.instance_id in usage and (wanted in one.agent.casefold() or wanted in one.host.casefold())
    ]
    shown.sort(key=lambda one: (one.agent, one.id))
    if order != "agent":
        shown.sort(key=_ORDERS[order], reverse=True)
    return Fleet(
        at=_moment(engine.clock()),
        processes=len(processes),
        matching=len(shown),
        slots_used=sum(one.slots_used for one in shown),
        slots=sum(one.slots for one in shown),
        waiting=sum({one.agent: one.waiting for one in shown}.values()),
        cpu=round(sum(one.cpu or 0.0 for one in shown), 1),
        memory=sum(one.memory or 0 for one in shown),
        items=shown[:limit],
    )


_ORDERS: Final[Mapping[str, Callable[[ProcessInfo], float]]] = {
    "cpu": lambda one: one.cpu or 0.0,
    "memory": lambda one: one.memory or 0,
    "slots": lambda one: one.slots_used / one.slots,
    "waiting": lambda one: one.waiting,
    "lag": lambda one: one.lag or 0.0,
    "machine": lambda one: one.resources.machine_cpu if one.resources else 0.0,
}


def _process(process: ConnectedProcess, usage: Usage, waiting: int) -> ProcessInfo:
    beat = usage.beat
    more = None if beat is None else beat.resources
    return ProcessInfo(
        id=process.instance_id,
        agent=process.agent,
        host=process.host,
        pid=process.pid,
        slots_used=usage.used,
        slots=usage.slots,
        waiting=waiting,
        cpu=None if beat is None else round(beat.cpu + (more.children_cpu if more else 0.0), 1),
        memory=None if beat is None else beat.memory + (more.children_memory if more else 0),
        lag=None if beat is None else round(beat.lag, 3),
        holdup=None if usage.holdup is None else usage.holdup.value,
        resources=more,
    )


def _point(one: InstanceFigures) -> ResourcePoint:
    return ResourcePoint(at=_moment(one.start), **one.figures._asdict())


def _moment(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)
