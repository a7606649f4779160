"""Counts of tasks that have ended, of each minute and later of each hour, made of the tasks themselves.

A minute is counted when it is over, by an index on when tasks ended, and what is stored takes the place of what was
stored of it. So nothing is done for them while a task is on its way, no end is counted twice or lost with a process,
and what was stored late is found, for then there are more tasks than were counted. The minutes of an hour are added up
some hours later, and what is older than a month is forgotten.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, Final, TypeAlias

from sqlalchemy import ColumnElement, Connection, Select, and_, case, delete, func, insert, or_, select

from agentic_atlas.backend.domain.statistics import HOUR, MINUTE, Ended, Tallies, beginning, interval_of
from agentic_atlas.backend.rights import Visible
from agentic_atlas.backend.store.lists import managed_agents
from agentic_atlas.backend.store.readers import Readers
from agentic_atlas.backend.store.tables import agents, statistics, tasks, users
from agentic_atlas.backend.store.writer import Writer, statement

MINUTES_KEPT: Final = 3 * HOUR
"""Seconds for which each minute is kept by itself."""
HOURS_KEPT: Final = 30 * 24 * HOUR
"""Seconds after which counts are forgotten."""
LOOKED_BACK: Final = 10 * MINUTE
"""Seconds for which it is looked each time whether more tasks ended than were counted."""

_MOST_NAMES: Final = 500
_AT_ONCE: Final = 1_000
Counts: TypeAlias = Counter[Ended]

_s, _t = statistics.c, tasks.c
_WHAT: Sequence[ColumnElement[Any]] = [_s[name] for name in Ended._fields]
_by_agent = _t.caller_kind == "agent"
_ENDED: Sequence[ColumnElement[Any]] = (
    _t.agent_id,
    _t.owner_id,
    _t.skill,
    case((_by_agent, "agent"), else_="user"),
    case((_by_agent, _t.caller_id), else_=_t.caller_user_id),
    _t.state,
    func.coalesce(_t.error_code, ""),
    _t.ended_at - _t.created_at,
    _t.ended_at,
)


class SqlStatistics:
    """`ports.Statistics`."""

    def __init__(self, writer: Writer, readers: Readers) -> None:
        self._writer = writer
        self._readers = readers
        self._through: int | None = None
        """All that ended before is counted, but for what was stored late."""

    async def roll(self, now: float) -> None:
        """See the port."""
        end, recent = beginning(now, MINUTE), beginning(now - MINUTES_KEPT, HOUR)
        if self._through is None or self._through < recent:
            await self._fill(HOUR, await self._counted_through(now), recent)
            looked = recent
        else:
            looked = max(min(self._through, end) - LOOKED_BACK, recent)
        await self._fill(MINUTE, looked, end)
        self._through = end
        while (minute := await self._readers.run(_first_minute)) is not None and minute < recent:
            hour = beginning(minute, HOUR)
            await self._fill(MINUTE, hour, hour + HOUR)
            added = await self._readers.run(partial(_added_up, hour=hour))
            await self._writer.submit(statement(partial(_replace, span=HOUR, start=hour, counts=added)))
        await self._writer.submit(statement(partial(_forget, before=beginning(now, HOUR) - HOURS_KEPT)))

    async def read(
        self, visible: Visible, since: float, until: float, *, step: int, agent_id: str | None = None
    ) -> Tallies:
        """See the port."""
        through = self._through
        if through is None:
            through = await self._counted_through(until)
        return await self._readers.run(partial(_read, visible, since, until, step, agent_id, through))

    async def _counted_through(self, now: float) -> int:
        """Return the end of the last span that is counted, or of what would be forgotten anyway."""
        return max(await self._readers.run(_last_end), beginning(now - HOURS_KEPT, HOUR))

    async def _fill(self, span: int, since: int, until: int) -> None:
        """Count anew each span between these in which more tasks ended than were counted."""
        for start in await self._readers.run(partial(_missing, span=span, since=since, until=until)):
            counts = await self._readers.run(partial(_count, since=start, until=start + span))
            await self._writer.submit(statement(partial(_replace, span=span, start=start, counts=counts)))


def _missing(connection: Connection, span: int, since: int, until: int) -> list[int]:
    """The spans in which more tasks ended than were counted, but for minutes of an hour that was added up."""
    within = _within(_s.start, beginning(since, HOUR), until)
    hours = set(connection.scalars(select(_s.start).where(_s.span == HOUR, *within).distinct())) if span < HOUR else ()
    there = dict(
        connection.execute(
            select(_s.start, func.sum(_s.tasks))
            .where(_s.span == span, *_within(_s.start, since, until))
            .group_by(_s.start)
        ).all()
    )
    found, start = [], since
    while (following := connection.scalar(_next_end(start, until))) is not None:
        start = beginning(following, span)
        number = connection.scalar(select(func.count()).where(*_within(_t.ended_at, start, start + span)))
        if (number or 0) > there.get(start, 0) and beginning(start, HOUR) not in hours:
            found.append(start)
        start += span
    return found


def _next_end(since: float, until: float) -> Select[Any]:
    return select(func.min(_t.ended_at)).where(*_within(_t.ended_at, since, until))


def _count(connection: Connection, since: float, until: float) -> Counts:
    return Counter(ended for _, ended in _ends(connection, since, until))


def _ends(
    connection: Connection, since: float, until: float, *which: ColumnElement[bool]
) -> Iterator[tuple[float, Ended]]:
    """What is counted of each task that ended in this time, and when it did."""
    query = select(*_ENDED).where(*_within(_t.ended_at, since, until), *which)
    with connection.execution_options(yield_per=_AT_ONCE).execute(query) as rows:
        for row in rows:
            yield row[-1], Ended._make((*row[:-2], interval_of(row[-2])))


def _last_end(connection: Connection) -> int:
    """When the last span ends that something is counted of; 0 without any."""
    lasts = {span: connection.scalar(select(func.max(_s.start)).where(_s.span == span)) for span in (MINUTE, HOUR)}
    return max((start + span for span, start in lasts.items() if start is not None), default=0)


def _first_minute(connection: Connection) -> int | None:
    first: int | None = connection.scalar(select(func.min(_s.start)).where(_s.span == MINUTE))
    return first


def _added_up(connection: Connection, hour: int) -> Counts:
    """The counts of an hour's minutes, together."""
    query = select(*_WHAT, func.sum(_s.tasks)).where(_s.span == MINUTE, *_within(_s.start, hour, hour + HOUR))
    return Counter({Ended._make(row[:-1]): row[-1] for row in connection.execute(query.group_by(*_WHAT))})


def _replace(connection: Connection, span: int, start: int, counts: Counts) -> None:
    """Store the counts of a span in place of what is stored of it; an hour's, in place of those of its minutes."""
    connection.execute(delete(statistics).where(_s.span <= span, *_within(_s.start, start, start + span)))
    if counts:
        rows = [{"span": span, "start": start, "tasks": number} | one._asdict() for one, number in counts.items()]
        connection.execute(insert(statistics), rows)


def _forget(connection: Connection, before: int) -> None:
    connection.execute(delete(statistics).where(_s.span == HOUR, _s.start < before))


def _read(
    visible: Visible, since: float, until: float, step: int, agent_id: str | None, through: int, connection: Connection
) -> Tallies:
    tallies = Tallies()
    which = [*_seen(statistics.c, visible), *([] if agent_id is None else [_s.agent_id == agent_id])]
    # A span counts where it begins.
    within = [or_(*(and_(_s.span == span, *_within(_s.start, since, min(through, until))) for span in (MINUTE, HOUR)))]
    at = _s.start - _s.start % step
    number = func.sum(_s.tasks)
    for counter, by in (
        (tallies.by_time, (at, _s.state, _s.took)),
        (tallies.by_skill, (_s.agent_id, _s.skill, _s.state, _s.code)),
        (tallies.by_caller, (_s.caller_kind, _s.caller_id, _s.agent_id)),
    ):
        found = connection.execute(select(*by, number).where(*within, *which).group_by(*by))
        counter.update({tuple(row[:-1]): row[-1] for row in found})
    new = [*_seen(tasks.c, visible), *([] if agent_id is None else [_t.agent_id.concat("") == agent_id])]
    for ended_at, ended in _ends(connection, max(since, through), until, *new):
        tallies.add(beginning(ended_at, step), ended)
    _name(connection, tallies)
    if visible.user_id is not None:
        tallies.managed = frozenset(connection.scalars(managed_agents(visible)))
    return tallies


def _seen(of: Any, visible: Visible) -> list[ColumnElement[bool]]:
    """`rights.Visible.task` as a condition."""
    if visible.user_id is None:
        return []
    # Of values for which no index is taken: the time finds fewer rows, which are then looked at.
    owner_id, agent_id = of.owner_id.concat(""), of.agent_id.concat("")
    return [or_(owner_id == visible.user_id, agent_id.in_(managed_agents(visible)))]


def _name(connection: Connection, tallies: Tallies) -> None:
    """Say what those are called that are shown: who has the most tasks."""
    ids = [agent_id for (agent_id, *_), _ in tallies.by_skill.most_common(_MOST_NAMES)]
    ids += [id_ for (_, *some), _ in tallies.by_caller.most_common(_MOST_NAMES) for id_ in some]
    for table, name in ((agents, agents.c.full_name), (users, users.c.name)):
        named = select(table.c.id, name).where(table.c.id.in_(list(dict.fromkeys(ids))))
        tallies.names.update(tuple(row) for row in connection.execute(named))


def _within(column: ColumnElement[Any], since: float, until: float) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return column >= since, column < until
