"""What agents' processes took, by the minute and later by the hour.

Rows lie in the order of time, so that a minute of all processes is written, and one that is forgotten removed, in one
place of the file. Those of one agent are found by a look for each minute, of which a day has 1,440.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Select, delete, func, insert, select

from agentic_atlas.backend.domain.records import ConnectedProcess
from agentic_atlas.backend.domain.resources import (
    COUNTS,
    HOURS_KEPT,
    MINUTES_KEPT,
    MOST,
    MOST_POINTS,
    InstanceFigures,
    SpanFigures,
    kept_for,
)
from agentic_atlas.backend.domain.statistics import HOUR, MINUTE, beginning
from agentic_atlas.backend.rights import Visible
from agentic_atlas.backend.store.lists import managed_agents
from agentic_atlas.backend.store.readers import Readers
from agentic_atlas.backend.store.tables import agents, instances, resources
from agentic_atlas.backend.store.writer import Writer, statement

_AT_ONCE: Final = 500
"""Rows that are written in one go: tasks are stored in between."""
_FORGOTTEN_AT_ONCE: Final = 10
"""Spans that are forgotten in one go, so that what has gathered is not all removed at once."""
_MOST_INSTANCES: Final = 50
"""Instances of which an agent's series are read whole; of more, the oldest points are left out."""

_c = resources.c


class SqlResources:
    """`ports.ResourceSeries`."""

    def __init__(self, writer: Writer, readers: Readers) -> None:
        self._writer = writer
        self._readers = readers
        self._rolled = 0
        """End of the last hour that is known to be added up."""

    async def add(self, start: int, taken: Mapping[tuple[str, str], SpanFigures]) -> None:
        """See the port."""
        rows = [
            {"span": MINUTE, "start": start, "agent_id": agent_id, "instance_id": instance_id, **figures._asdict()}
            for (agent_id, instance_id), figures in taken.items()
        ]
        await self._replace(MINUTE, start, rows)

    async def roll(self, now: float) -> None:
        """See the port."""
        current = beginning(now, HOUR)
        if self._rolled < current:
            for hour in await self._readers.run(partial(_whole_hours, before=current, after=self._rolled)):
                await self._replace(HOUR, hour, await self._readers.run(partial(_added_up, hour=hour)))
            self._rolled = current
        for span, longest in ((MINUTE, MINUTES_KEPT), (HOUR, HOURS_KEPT)):
            ends = await self._readers.run(partial(_forgotten, span=span, longest=longest, now=now))
            if ends is not None:
                await self._writer.submit(statement(partial(_forget, span=span, before=ends)))

    async def read(self, agent_id: str, since: float, until: float, *, step: int) -> Sequence[InstanceFigures]:
        """See the port."""
        return await self._readers.run(partial(_read, agent_id=agent_id, since=since, until=until, step=step))

    async def connected(self, visible: Visible) -> Sequence[ConnectedProcess]:
        """See the port."""
        return await self._readers.run(partial(_connected, visible=visible))

    async def _replace(self, span: int, start: int, rows: Sequence[Mapping[str, Any]]) -> None:
        await self._writer.submit(statement(partial(_remove, span=span, start=start)))
        for begin in range(0, len(rows), _AT_ONCE):
            some = rows[begin : begin + _AT_ONCE]
            await self._writer.submit(statement(partial(_insert, rows=some)))


def _insert(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    connection.execute(insert(resources), list(rows))


def _remove(connection: Connection, span: int, start: int) -> None:
    connection.execute(delete(resources).where(_c.span == span, _c.start == start))


def _forget(connection: Connection, span: int, before: int) -> None:
    connection.execute(delete(resources).where(_c.span == span, _c.start < before))


def _forgotten(connection: Connection, span: int, longest: int, now: float) -> int | None:
    """When the first span begins that is kept, or that is not to be removed in this go; None: all are kept."""
    first, last = _first(connection, span), connection.scalar(select(func.max(_c.start)).where(_c.span == span))
    if first is None:
        return None
    processes = connection.scalar(select(func.count()).where(_c.span == span, _c.start == last)) or 0
    ends = beginning(now - kept_for(longest, span, processes), span)
    return min(ends, first + _FORGOTTEN_AT_ONCE * span) if first < ends else None


def _first(connection: Connection, span: int) -> int | None:
    first: int | None = connection.scalar(select(func.min(_c.start)).where(_c.span == span))
    return first


def _whole_hours(connection: Connection, before: int, after: int) -> list[int]:
    """The hours that have minutes and are over, from the last one that was added up on."""
    added = connection.scalar(select(func.max(_c.start)).where(_c.span == HOUR))
    since = max(after, 0 if added is None else added + HOUR, beginning(_first(connection, MINUTE) or before, HOUR))
    return list(range(since, before, HOUR))


def _together() -> list[ColumnElement[Any]]:
    return [(func.max if name in MOST else func.avg)(_c[name]).label(name) for name in SpanFigures._fields]


def _figures(row: Sequence[Any]) -> SpanFigures:
    """As `domain.resources.together` rounds them."""
    values = zip(SpanFigures._fields, row, strict=True)
    return SpanFigures._make(None if one is None else round(one, None if name in COUNTS else 2) for name, one in values)


def _added_up(connection: Connection, hour: int) -> list[dict[str, Any]]:
    by = (_c.agent_id, _c.instance_id)
    within = (_c.span == MINUTE, _c.start >= hour, _c.start < hour + HOUR)
    found = connection.execute(select(*by, *_together()).where(*within).group_by(*by))
    return [
        {"span": HOUR, "start": hour, "agent_id": row[0], "instance_id": row[1], **_figures(row[2:])._asdict()}
        for row in found
    ]


def _read(connection: Connection, agent_id: str, since: float, until: float, step: int) -> list[InstanceFigures]:
    """The minutes that are kept, and hours of what was before."""
    begin, border = beginning(since, step), _border(connection, step)
    starts = {HOUR: range(beginning(begin, HOUR), min(border, int(until) + 1), HOUR)}
    starts[MINUTE] = range(max(begin, border), int(until) + 1, MINUTE)
    found = []
    for span, these in starts.items():
        rows = connection.execute(_points(agent_id, span, list(these), step)).all() if these else []
        found += [InstanceFigures(row[0], row[1], _figures(row[2:])) for row in rows]
    return sorted(found[: _MOST_INSTANCES * MOST_POINTS], key=lambda one: one.start)


def _border(connection: Connection, step: int) -> int:
    """When the first point begins that is made of minutes."""
    first, added = _first(connection, MINUTE), connection.scalar(select(func.max(_c.start)).where(_c.span == HOUR))
    if added is None:
        return 0
    whole = max(step, HOUR)
    ends: int = added + HOUR
    return ends if first is None else min(ends, -(-first // whole) * whole)


def _points(agent_id: str, span: int, starts: Sequence[int], step: int) -> Select[Any]:
    at = (_c.start - _c.start % step).label("at")
    return (
        select(_c.instance_id, at, *_together())
        .where(_c.span == span, _c.start.in_(starts), _c.agent_id == agent_id)
        .group_by(_c.instance_id, at)
        .order_by(at.desc())
        .limit(_MOST_INSTANCES * MOST_POINTS)
    )


def _connected(connection: Connection, visible: Visible) -> list[ConnectedProcess]:
    """Those that have not left, by an index of those."""
    of = instances.c
    query = select(of.id, of.agent_id, agents.c.full_name, of.host, of.pid).join(agents, agents.c.id == of.agent_id)
    query = query.where(of.disconnected_at.is_(None))
    if visible.user_id is not None:
        query = query.where(of.agent_id.in_(managed_agents(visible)))
    return [ConnectedProcess(*row) for row in connection.execute(query)]
