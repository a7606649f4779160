"""Counts of tasks that have ended, of each minute, then of each hour and each day, made of the tasks themselves.

A minute is counted when it is over, by an index on when tasks ended, and what is stored takes the place of what was
stored of it. So nothing is done for them while a task is on its way, no end is counted twice or lost with a process,
and what was stored late is found, for then there are more tasks than were counted. The minutes of an hour are added up
some hours later, and the hours of a day when it is over; what is older than a month is forgotten.

What is kept of a span is a summary in each scope that somebody may look at: of everybody, of each agent, and in the
name of each user. However many tasks there were, a month is then a few dozen rows for whoever asks.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from functools import cache, partial
from math import inf
from typing import Any, Final, NamedTuple, TypeAlias, TypeVar

import msgspec
from sqlalchemy import ColumnElement, Connection, Dialect, Select, bindparam, case, delete, func, insert, or_, select

from agentic_atlas.backend.domain.statistics import (
    DAY,
    EVERYBODY,
    HOUR,
    MINUTE,
    Ended,
    SpanCounts,
    Tallies,
    beginning,
    busiest,
    busiest_skills,
    by_scope,
    interval_of,
)
from agentic_atlas.backend.rights import Visible
from agentic_atlas.backend.store.lists import managed_agents
from agentic_atlas.backend.store.readers import Readers
from agentic_atlas.backend.store.rows import Lookup, Query, Row
from agentic_atlas.backend.store.tables import agents, statistics, tasks, users
from agentic_atlas.backend.store.writer import Writer, statement

MINUTES_KEPT: Final = 3 * HOUR
"""Seconds for which each minute is kept by itself."""
HOURS_KEPT: Final = 7 * DAY + 2 * HOUR
"""Seconds for which each hour is kept by itself."""
DAYS_KEPT: Final = 31 * DAY
"""Seconds after which counts are forgotten."""
LOOKED_BACK: Final = 10 * MINUTE
"""Seconds for which it is looked each time whether more tasks ended than were counted."""

_AT_ONCE: Final = 1_000
_NAMES_AT_ONCE: Final = 512
_SCOPES_AT_ONCE: Final = 500
_MOST_KEPT: Final = 100
T = TypeVar("T")
_OfAgents: TypeAlias = defaultdict[str, Counter[str]]
_Times: TypeAlias = list[tuple[tuple[str, str, int], int]]
_Busiest: TypeAlias = tuple[list[tuple[tuple[str, str, str, str], int]], list[tuple[tuple[str, str, str], int]]]
_TIMES: Final = msgspec.json.Decoder(_Times)
_BUSIEST: Final = msgspec.json.Decoder(_Busiest)

_s, _t = statistics.c, tasks.c
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

    since: int
    until: float
    step: int
    agent_id: str | None


class _Part(NamedTuple):
    """Spans of one length in a part of the time that is asked for."""

    span: int
    since: float
    until: float


class _Looked(NamedTuple):
    """Scopes, and which agents' tasks of them; without any: all."""

    scopes: Sequence[str]
    of: Callable[[str], bool] | None = None


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
        """Likewise, of agents by their ids."""

    async def roll(self, now: float) -> None:
        """See the port."""
        end, recent = beginning(now, MINUTE), beginning(now - MINUTES_KEPT, HOUR)
        if self._through is None or self._through < recent:
            counted, old = await self._counted_through(now), beginning(now - HOURS_KEPT, DAY)
            # Of days so long ago no hour would be kept: they are counted as such, with what was not added up of them.
            await self._fill(DAY, beginning(min(counted, await self._readers.run(_first_of_no_day)), DAY), old)
            await self._fill(HOUR, max(counted, old), recent)
            looked = recent
        else:
            looked = max(min(self._through, end) - LOOKED_BACK, recent)
        await self._fill(MINUTE, looked, end)
        self._through = end
        self._kept.clear()
        self._agents_kept.clear()
        while (minute := await self._readers.run(partial(_first, span=MINUTE))) is not None and minute < recent:
            hour = beginning(minute, HOUR)
            await self._fill(MINUTE, hour, hour + HOUR)
            await self._add_up(MINUTE, HOUR, hour)
        today = beginning(recent, DAY)
        while (later := await self._readers.run(_first_of_no_day)) < today:
            await self._add_up(HOUR, DAY, beginning(later, DAY))
        await self._forget(HOUR, beginning(now, HOUR) - HOURS_KEPT)
        await self._forget(DAY, beginning(now, DAY) - DAYS_KEPT)

    async def read(
        self, visible: Visible, since: float, until: float, *, step: int, agent_id: str | None = None
    ) -> Tallies:
        """See the port."""
        through = await self._known_through(until)
        asked = _Asked(beginning(since, MINUTE), until, step, agent_id)
        return await self._readers.run(partial(_read, self._kept, asked, visible, through))

    async def of_agents(
        self, visible: Visible, since: float, until: float, names: Sequence[str]
    ) -> Mapping[str, Mapping[str, int]]:
        """See the port."""
        through = await self._known_through(until)
        asked = _Asked(beginning(since, MINUTE), until, HOUR, None)
        return await self._readers.run(partial(_of_agents, self._agents_kept, asked, visible, through, names))

    async def _known_through(self, now: float) -> int:
        return await self._counted_through(now) if self._through is None else self._through

    async def _counted_through(self, now: float) -> int:
        """Return the end of the last span that is counted, or of what would be forgotten anyway."""
        return max(await self._readers.run(_last_end), beginning(now, DAY) - DAYS_KEPT)

    async def _fill(self, span: int, since: int, until: int) -> None:
        """Count anew each span between these in which more tasks ended than were counted."""
        for start in await self._readers.run(partial(_missing, span=span, since=since, until=until)):
            rows = await self._readers.run(partial(_counted, span=span, start=start))
            await self._writer.submit(statement(partial(_replace, spans=_through(span), start=start, rows=rows)))

    async def _add_up(self, spans: int, into: int, start: int) -> None:
        """Store the counts of an hour in place of its minutes', or those of a day beside its hours'."""
        rows = await self._readers.run(partial(_added_up, spans=spans, into=into, start=start))
        replaced = _through(HOUR) if into == HOUR else (DAY,)
        await self._writer.submit(statement(partial(_replace, spans=replaced, start=start, rows=rows)))

    async def _forget(self, span: int, before: int) -> None:
        """Forget spans one by one: tasks are written in between."""
        while (start := await self._readers.run(partial(_first, span=span))) is not None and start < before:
            await self._writer.submit(statement(partial(_replace, spans=(span,), start=start, rows=())))


def _through(span: int) -> Sequence[int]:
    """All spans up to this one."""
    return [one for one in (MINUTE, HOUR, DAY) if one <= span]


def _missing(connection: Connection, span: int, since: int, until: int) -> list[int]:
    """The spans in which more tasks ended than were counted, but for minutes of an hour that was added up."""
    there, hours = (
        dict(
            connection.execute(
                select(_s.start, _s.tasks).where(
                    _s.scope == EVERYBODY, _s.span == length, *_within(_s.start, beginning(since, HOUR), until)
                )
            ).all()
        )
        for length in (span, HOUR)
    )
    found, start = [], since
    while (following := connection.scalar(_next_end(start, until))) is not None:
        start = beginning(following, span)
        number = connection.scalar(select(func.count()).where(*_within(_t.ended_at, start, start + span)))
        if (number or 0) > there.get(start, 0) and (span > MINUTE or beginning(start, HOUR) not in hours):
            found.append(start)
        start += span
    return found


def _next_end(since: float, until: float) -> Select[Any]:
    return select(func.min(_t.ended_at)).where(*_within(_t.ended_at, since, until))


def _counted(connection: Connection, span: int, start: int) -> list[dict[str, object]]:
    """The rows of a span, counted from its tasks."""
    counts = Counter(ended for _, ended in _ends(connection, start, start + span))
    return [_row(scope, span, start, summary) for scope, summary in by_scope(counts).items()]


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
    lasts = {span: _edge(connection, span, func.max(_s.start)) for span in (MINUTE, HOUR, DAY)}
    return max((start + span for span, start in lasts.items() if start is not None), default=0)


def _first(connection: Connection, span: int) -> int | None:
    return _edge(connection, span, func.min(_s.start))


def _first_of_no_day(connection: Connection) -> float:
    """The first hour or minute behind the last day that was added up: days are, in their order."""
    behind = _s.start >= _days_end(connection)
    firsts = [_edge(connection, span, func.min(_s.start), behind) for span in (MINUTE, HOUR)]
    return min((start for start in firsts if start is not None), default=inf)


def _days_end(connection: Connection) -> int:
    """When the last day ends whose hours were added up; 0 without any."""
    last = _edge(connection, DAY, func.max(_s.start))
    return 0 if last is None else last + DAY


def _edge(connection: Connection, span: int, start: ColumnElement[int], *which: ColumnElement[bool]) -> int | None:
    """The first or the last beginning of these spans."""
    found: int | None = connection.scalar(select(start).where(_s.scope == EVERYBODY, _s.span == span, *which))
    return found


def _added_up(connection: Connection, spans: int, into: int, start: int) -> list[dict[str, object]]:
    """The rows of an hour of those of its minutes, or of a day of those of its hours."""
    found: defaultdict[str, SpanCounts] = defaultdict(SpanCounts)
    query = select(_s.scope, _s.times, _s.busiest)
    for scope, times, most in connection.execute(
        query.where(_s.span == spans, *_within(_s.start, start, start + into))
    ):
        skills, callers = _BUSIEST.decode(most)
        summary = found[scope]
        _add(summary.times, _TIMES.decode(times))
        _add(summary.skills, skills)
        _add(summary.callers, callers)
    return [_row(scope, into, start, summary) for scope, summary in found.items()]


def _row(scope: str, span: int, start: int, summary: SpanCounts) -> dict[str, object]:
    most = [list(counts.items()) for counts in (busiest_skills(summary.skills), busiest(summary.callers))]
    return {
        "scope": scope,
        "span": span,
        "start": start,
        "tasks": summary.times.total(),
        "times": msgspec.json.encode(list(summary.times.items())),
        "busiest": msgspec.json.encode(most),
    }


def _add(counter: Counter[T], counts: Iterable[tuple[T, int]]) -> None:
    known = counter.get  # a third of the time of a counter's own way with what is new
    for key, number in counts:
        counter[key] = known(key, 0) + number


def _replace(connection: Connection, spans: Sequence[int], start: int, rows: Sequence[Mapping[str, object]]) -> None:
    """Store the rows of a span in place of all that is stored of these in it."""
    length = max(spans)
    for span in spans:
        connection.execute(delete(statistics).where(_s.span == span, *_within(_s.start, start, start + length)))
    if rows:
        connection.execute(insert(statistics), rows)


def _read(
    kept: dict[object, Tallies], asked: _Asked, visible: Visible, through: int, connection: Connection
) -> Tallies:
    """What is stored and what ended since; the first is kept, for it is asked for again and again."""
    managed = _managed(connection, visible)
    stored = asked._replace(until=min(asked.until, through))
    # Who manages other agents by now sees other tasks.
    key = (stored, through, visible.user_id, managed)
    tallies = _once(kept, key, lambda: _stored(connection, stored, _looked(visible, managed, asked.agent_id))).copy()
    tallies.managed = managed
    new = [*_seen(visible), *([] if asked.agent_id is None else [_t.agent_id.concat("") == asked.agent_id])]
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
    """What became of all tasks of some agents; what is stored is kept, for a page asks for the same again and again."""
    stored = asked._replace(until=min(asked.until, through))
    managed = _managed(connection, visible)
    called = select(agents.c.id, agents.c.full_name).where(agents.c.full_name.in_(names))
    ids = dict(connection.execute(called).all())
    key = (stored, through, visible.user_id, managed, frozenset(ids))
    known = _once(kept, key, lambda: _stored_of_agents(connection, stored, visible, managed, ids.keys()))
    found = {ids[agent_id]: states.copy() for agent_id, states in known.items()}
    for _, ended in _ends(connection, max(asked.since, through), asked.until, *_seen(visible)):
        if ended.agent_id in ids:
            found.setdefault(ids[ended.agent_id], Counter())[ended.state] += 1
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


def _looked(visible: Visible, managed: frozenset[str], agent_id: str | None) -> Sequence[_Looked]:
    """Return the scopes in which all tasks are that are seen, each once: `rights.Visible.task`."""
    if visible.user_id is None or agent_id in managed:
        return [_Looked([agent_id or EVERYBODY])]
    if agent_id is not None:
        return [_Looked([visible.user_id], lambda one: one == agent_id)]
    return [_Looked(sorted(managed)), _Looked([visible.user_id], lambda one: one not in managed)]


def _stored(connection: Connection, asked: _Asked, looked: Sequence[_Looked]) -> Tallies:
    tallies = Tallies()
    parts = _parts(connection, asked)
    for scopes, of in looked:
        for _, start, times in _rows(connection, scopes, parts if asked.step == DAY else _by_hours(asked), _s.times):
            at = start - start % asked.step
            seen = [one for one in _TIMES.decode(times) if of is None or of(one[0][0])]
            _add(tallies.by_time, [((at, state, took), number) for (_, state, took), number in seen])
        for _, _, most in _rows(connection, scopes, parts, _s.busiest):
            skills, callers = _BUSIEST.decode(most)
            _add(tallies.by_skill, [one for one in skills if of(one[0][0])] if of else skills)
            _add(tallies.by_caller, [one for one in callers if of(one[0][2])] if of else callers)
    tallies.by_skill, tallies.by_caller = busiest_skills(tallies.by_skill), busiest(tallies.by_caller)
    return tallies


def _stored_of_agents(
    connection: Connection, asked: _Asked, visible: Visible, managed: frozenset[str], ids: Set[str]
) -> _OfAgents:
    found: _OfAgents = defaultdict(Counter)
    parts = _parts(connection, asked)
    of_agents = ids if visible.user_id is None else ids & managed
    for scope, _, times in _rows(connection, sorted(of_agents), parts, _s.times):
        for (_, state, _), number in _TIMES.decode(times):
            found[scope][state] += number
    if others := ids - of_agents:
        for _, _, times in _rows(connection, [visible.user_id or EVERYBODY], parts, _s.times):
            for (agent_id, state, _), number in _TIMES.decode(times):
                if agent_id in others:
                    found[agent_id][state] += number
    return found


def _rows(
    connection: Connection, scopes: Sequence[str], parts: Sequence[_Part], column: ColumnElement[bytes]
) -> Iterator[Row]:
    """What is stored of these parts in these scopes: the scope, the beginning, and the column."""
    for begin in range(0, len(scopes), _SCOPES_AT_ONCE):
        some = _s.scope.in_(scopes[begin : begin + _SCOPES_AT_ONCE])
        for span, since, until in parts:
            query = select(_s.scope, _s.start, column).where(some, _s.span == span, *_within(_s.start, since, until))
            yield from connection.execute(query)


def _parts(connection: Connection, asked: _Asked) -> Sequence[_Part]:
    """Return of what the time is made up: as many whole days as were added up; each span counts where it begins."""
    begin = -(-asked.since // DAY) * DAY
    # A day of which a part is asked for is made of its hours, unless it is shown as a whole.
    end = min(beginning(asked.until + (DAY - 1 if asked.step == DAY else 0), DAY), _days_end(connection))
    if begin >= end:
        return _by_hours(asked)
    before, behind = asked._replace(until=begin), asked._replace(since=end)
    return [*_by_hours(before), _Part(DAY, begin, end), *_by_hours(behind)]


def _by_hours(asked: _Asked) -> Sequence[_Part]:
    """Return the time as it is before days are added up: an hour is either stored as one, or as its minutes."""
    return [_Part(span, asked.since, asked.until) for span in (HOUR, MINUTE)] if asked.since < asked.until else []


def _seen(visible: Visible) -> list[ColumnElement[bool]]:
    """`rights.Visible.task` as a condition."""
    if visible.user_id is None:
        return []
    # Of values for which no index is taken: the time finds fewer rows, which are then looked at.
    owner_id, agent_id = _t.owner_id.concat(""), _t.agent_id.concat("")
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
