"""Counts of tasks that have ended, of each minute and later of each hour, made of the tasks themselves.

A minute is counted when it is over, by an index on when tasks ended, and what is stored takes the place of what was
stored of it. So nothing is done for them while a task is on its way, no end is counted twice or lost with a process,
and what was stored late is found, for then there are more tasks than were counted. The minutes of an hour are added up
some hours later, and what is older than a month is forgotten.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, partial
from typing import Any, Final, NamedTuple, TypeAlias, TypeVar

from sqlalchemy import (
    ColumnElement,
    Connection,
    Dialect,
    Select,
    and_,
    bindparam,
    case,
    delete,
    func,
    insert,
    or_,
    select,
)

from agentic_atlas.backend.domain.statistics import HOUR, MINUTE, Ended, Tallies, beginning, interval_of
from agentic_atlas.backend.rights import Visible
from agentic_atlas.backend.store.lists import managed_agents
from agentic_atlas.backend.store.readers import Readers
from agentic_atlas.backend.store.rows import Lookup, Query
from agentic_atlas.backend.store.tables import agents, statistics, tasks, users
from agentic_atlas.backend.store.writer import Writer, statement
from agentic_atlas.protocol.tasks import TaskState

MINUTES_KEPT: Final = 3 * HOUR
"""Seconds for which each minute is kept by itself."""
HOURS_KEPT: Final = 30 * 24 * HOUR
"""Seconds after which counts are forgotten."""
LOOKED_BACK: Final = 10 * MINUTE
"""Seconds for which it is looked each time whether more tasks ended than were counted."""

_MOST: Final = 500
"""Skills and callers that are told of, of each kind: more than are shown."""
_AT_ONCE: Final = 1_000
_NAMES_AT_ONCE: Final = 512
_MOST_KEPT: Final = 100
T = TypeVar("T")
Counts: TypeAlias = Counter[Ended]
_OfAgents: TypeAlias = defaultdict[str, Counter[str]]

_s, _t = statistics.c, tasks.c
_WHAT: Sequence[ColumnElement[Any]] = [_s[name] for name in Ended._fields]
_completed = _s.state == TaskState.COMPLETED.value
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


class _Asked(NamedTuple):
    """What is asked for, whoever sees it."""

    since: float
    until: float
    step: int
    agent_id: str | None


class SqlStatistics:
    """`ports.Statistics`."""

    def __init__(self, writer: Writer, readers: Readers) -> None:
        self._writer = writer
        self._readers = readers
        self._through: int | None = None
        """All that ended before is counted, but for what was stored late."""
        self._kept: dict[object, Tallies] = {}
        """What is stored, as it was read since it was counted last. Threads read and write it."""
        self._agents_kept: dict[object, _OfAgents] = {}
        """Likewise, of each agent by its id."""

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
        self._kept.clear()
        self._agents_kept.clear()
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
        through = await self._known_through(until)
        asked = _Asked(since, until, step, agent_id)
        return await self._readers.run(partial(_read, self._kept, asked, visible, through))

    async def of_agents(
        self, visible: Visible, since: float, until: float, names: Sequence[str]
    ) -> Mapping[str, Mapping[str, int]]:
        """See the port."""
        through = await self._known_through(until)
        asked = _Asked(since, until, HOUR, None)
        return await self._readers.run(partial(_of_agents, self._agents_kept, asked, visible, through, names))

    async def _known_through(self, now: float) -> int:
        return await self._counted_through(now) if self._through is None else self._through

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
    kept: dict[object, Tallies], asked: _Asked, visible: Visible, through: int, connection: Connection
) -> Tallies:
    """What is stored and what ended since; the first is kept, for it is asked for again and again."""
    managed = _managed(connection, visible)
    stored = asked._replace(until=min(asked.until, through))
    # Who manages other agents by now sees other tasks.
    key = (stored, through, visible.user_id, managed)
    tallies = _once(kept, key, lambda: _stored(connection, stored, visible)).copy()
    tallies.managed = managed
    new = [*_seen(tasks.c, visible), *([] if asked.agent_id is None else [_t.agent_id.concat("") == asked.agent_id])]
    for ended_at, ended in _ends(connection, max(asked.since, through), asked.until, *new):
        tallies.add(beginning(ended_at, asked.step), ended)
    _name(connection, tallies)
    return tallies


def _of_agents(
    kept: dict[object, _OfAgents],
    asked: _Asked,
    visible: Visible,
    through: int,
    names: Sequence[str],
    connection: Connection,
) -> Mapping[str, Mapping[str, int]]:
    """What became of all tasks of some agents; what is stored is kept of all agents, for others are asked for next."""
    stored = asked._replace(until=min(asked.until, through))
    key = (stored, through, visible.user_id, _managed(connection, visible))
    known = _once(kept, key, lambda: _counted_of_agents(connection, stored, visible))
    called = select(agents.c.id, agents.c.full_name).where(agents.c.full_name.in_(names))
    ids = dict(connection.execute(called).all())
    found = {name: known[agent_id].copy() for agent_id, name in ids.items() if agent_id in known}
    for _, ended in _ends(connection, max(asked.since, through), asked.until, *_seen(tasks.c, visible)):
        if ended.agent_id in ids:
            found.setdefault(ids[ended.agent_id], Counter())[ended.state] += 1
    return found


def _counted_of_agents(connection: Connection, asked: _Asked, visible: Visible) -> _OfAgents:
    by = (_s.agent_id, _s.state)
    query = select(*by, func.sum(_s.tasks)).where(_counted_in(asked), *_seen(statistics.c, visible)).group_by(*by)
    found: _OfAgents = defaultdict(Counter)
    for agent_id, state, number in connection.execute(query):
        found[agent_id][state] = number
    return found


def _once(kept: dict[object, T], key: object, made: Callable[[], T]) -> T:
    known = kept.get(key)
    if known is None:
        known = made()
        if len(kept) >= _MOST_KEPT:
            kept.clear()
        kept[key] = known
    return known


def _managed(connection: Connection, visible: Visible) -> frozenset[str]:
    return frozenset() if visible.user_id is None else frozenset(connection.scalars(managed_agents(visible)))


def _counted_in(asked: _Asked) -> ColumnElement[bool]:
    """That it is of a span in this time; each counts where it begins."""
    return or_(*(and_(_s.span == span, *_within(_s.start, asked.since, asked.until)) for span in (MINUTE, HOUR)))


def _stored(connection: Connection, asked: _Asked, visible: Visible) -> Tallies:
    tallies = Tallies()
    which = [*_seen(statistics.c, visible), *([] if asked.agent_id is None else [_s.agent_id == asked.agent_id])]
    within = [_counted_in(asked)]
    number = func.sum(_s.tasks)
    most = number.desc()
    of_time = (_s.start - _s.start % asked.step, _s.state, _s.took)
    of_skills, of_callers = (_s.agent_id, _s.skill, _s.state, _s.code), (_s.caller_kind, _s.caller_id, _s.agent_id)
    queries: Sequence[tuple[Counter[Any], Sequence[ColumnElement[Any]], Select[Any]]] = (
        (tallies.by_time, of_time, select(*of_time, number)),
        # Apart, for few are left out of what failed though much more completed.
        (tallies.by_skill, of_skills, select(*of_skills, number).where(_completed).order_by(most).limit(_MOST)),
        (tallies.by_skill, of_skills, select(*of_skills, number).where(~_completed).order_by(most).limit(_MOST)),
        (tallies.by_caller, of_callers, select(*of_callers, number).order_by(most).limit(_MOST)),
    )
    for counter, by, query in queries:
        found = connection.execute(query.where(*within, *which).group_by(*by))
        counter.update({tuple(row[:-1]): row[-1] for row in found})
    return tallies


def _seen(of: Any, visible: Visible) -> list[ColumnElement[bool]]:
    """`rights.Visible.task` as a condition."""
    if visible.user_id is None:
        return []
    # Of values for which no index is taken: the time finds fewer rows, which are then looked at.
    owner_id, agent_id = of.owner_id.concat(""), of.agent_id.concat("")
    return [or_(owner_id == visible.user_id, agent_id.in_(managed_agents(visible)))]


def _name(connection: Connection, tallies: Tallies) -> None:
    """Say what those are called that are told of."""
    ids = {(agent_id,): None for agent_id, *_ in tallies.by_skill}
    ids |= {(id_,): None for _, *both in tallies.by_caller for id_ in both}
    for lookup in _names(connection.dialect):
        for query, given in lookup.of(list(ids)):
            tallies.names.update(tuple(row) for row in query.all(connection, given))


@cache
def _names(dialect: Dialect) -> tuple[Lookup, Lookup]:
    """Return what finds the names of agents and of users: compiled once, for that takes longer than to find them."""

    def of(*columns: ColumnElement[Any]) -> Lookup:
        def query(names: Sequence[str]) -> Query:
            return select(*columns).where(columns[0].in_([bindparam(one) for one in names]))

        return Lookup(dialect, query, width=1, most=_NAMES_AT_ONCE)

    return of(agents.c.id, agents.c.full_name), of(users.c.id, users.c.name)


def _within(column: ColumnElement[Any], since: float, until: float) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return column >= since, column < until
