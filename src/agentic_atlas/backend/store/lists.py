"""Lists of tasks, newest first: each walks indexes from their end, and stops when the page is full.

What is found here are the ids of a page. The index of each walk ends in the id; the newest of what all walks of a list
find are the page. One condition with OR would sort all there are.

What is asked for beyond the columns of an index is looked at in each row that is walked over, of which there may be
many before one fits. So of several ways to walk that find the same the shortest is taken, and a walk ends after so many
rows: the page is then as long as it is, and the next one goes on from there.

Statements are compiled once for each shape of a list, for that takes longer than to run them.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import Enum
from functools import lru_cache, partial
from typing import Any, NamedTuple, TypeAlias

from sqlalchemy import (
    BindParameter,
    ColumnCollection,
    ColumnElement,
    CompoundSelect,
    Connection,
    Dialect,
    Integer,
    Select,
    Text,
    and_,
    bindparam,
    func,
    literal_column,
    or_,
    select,
    union,
)

from agentic_atlas.backend.domain.names import TASK, earliest
from agentic_atlas.backend.domain.records import AccessLevel
from agentic_atlas.backend.ports import TaskFilter
from agentic_atlas.backend.rights import Tie, Visible
from agentic_atlas.backend.store.rows import Prepared, Row
from agentic_atlas.backend.store.tables import HELD, RESTING, UNHELD, agent_shares, agents, tasks
from agentic_atlas.protocol.tasks import LEASED, TaskState

Condition: TypeAlias = ColumnElement[bool]
Columns: TypeAlias = ColumnCollection[str, ColumnElement[Any]]
Values: TypeAlias = Sequence[BindParameter[Any]]

_APART = 60.0
"""Seconds that the time in an id and that of its task may be apart; more than a small correction of the clock."""

MOST_LOOKED_AT = 5_000
"""Rows that one walk looks at for a page."""

_COMPARED = 1_000
"""Rows of each walk that are counted to tell which way is the shortest."""

_MOST_AGENTS = 100
"""Agents whose tasks are walked for one page, where nothing narrows it: of more, those that have the newest."""

_MOST_HELD = 100_000
"""More than there are slots."""

_SHAPES = 1_000
"""Statements that are kept."""

FEW = 200
"""Rows of a way for which no shorter one is looked for."""


class Found(NamedTuple):
    """Part of a list."""

    ids: list[str]
    """Newest first."""
    more: str | None
    """The id behind which there may be more; None at the end."""


class _Term(NamedTuple):
    """What is asked of a task: which of `_CONDITIONS`, and of what values."""

    name: str
    values: tuple[Any, ...] = ()


class _Walk(NamedTuple):
    """A walk over an index from its end."""

    on: tuple[_Term, ...] = ()
    """What the columns of the index are equal to."""
    met: frozenset[str] = frozenset()
    """What no row has to be looked at for: names of terms."""
    short: bool = False
    """All its rows were counted: there are fewer than one look takes."""

    @property
    def of_agent(self) -> bool:
        """The rows are those of one agent."""
        return any(term.name == "agent_id" for term in self.on)

    def further(self, term: _Term, met: str = "") -> "_Walk":
        """Return the walk over an index with one more column; the term is met, or the one of this name."""
        return _Walk((*self.on, term), self.met | {met or term.name})


_Way: TypeAlias = Sequence[_Walk]
"""Walks that together find all that is asked for."""
_Shape: TypeAlias = tuple[tuple[str, int], ...]
"""Terms without their values, of which only the number counts."""


class _Kind(Enum):
    """What is made of the rows of a walk."""

    ALL = "all"
    """Their ids."""
    MATCHING = "matching"
    """The ids of those that fit, as far as they are looked at."""
    LAST = "last"
    """The id of the last one that is looked at, if there are so many."""
    LENGTH = "length"
    """How many there are, as far as they are counted, and the id of the last of those."""
    HELD = "held"
    """The ids of those that fit, of what instances have; no index is walked."""


class _Look(NamedTuple):
    """One look for one page."""

    connection: Connection
    which: TaskFilter
    between: tuple[_Term, ...]
    """Where in every index it is."""
    asked: Mapping[str, _Term]
    """What is asked for besides."""

    def run(self, kind: _Kind, walk: _Walk, *limit: int) -> Sequence[Row]:
        """Return what is made of a walk's rows."""
        beside = self.beside(walk) if kind in _LOOKING else ()
        parts = (walk.on, self.between, beside)
        shapes = (tuple((term.name, len(term.values)) for term in terms) for terms in parts)
        given = [value for terms in parts for term in terms for value in term.values]
        return _prepared(self.connection.dialect, kind, *shapes).all(self.connection, (*given, *limit))

    def beside(self, walk: _Walk) -> tuple[_Term, ...]:
        """What its rows are looked at for."""
        return tuple(term for name, term in self.asked.items() if name not in walk.met)


_LOOKING = (_Kind.MATCHING, _Kind.HELD)


def newest(connection: Connection, which: TaskFilter, limit: int, before: str | None) -> Found:
    """Find tasks that a filter lets through, newest first, from the one before `before`."""
    look = _Look(connection, which, tuple(_between(which, before)), {term.name: term for term in _asked(which)})
    own = [] if which.visible.user_id is None else list(connection.scalars(managed_agents(which.visible)))
    floor = None
    if len(own) > _MOST_AGENTS and look.asked.keys() <= {"visible"}:
        own, floor = _busiest(look)
    way = _shortest(look, _ways(which, own))
    found: set[str] = set()
    ahead = look
    for walk in way:
        rows = ahead.run(_Kind.MATCHING if look.beside(walk) else _Kind.ALL, walk, limit + 1)
        found.update(id_ for (id_,) in rows)
        if rows and len(found) > limit:
            # What comes behind a full page is none of this one.
            found = set(sorted(found)[-limit - 1 :])
            ahead = look._replace(between=(*look.between, _Term("from", (min(found),))))
    if LEASED.intersection(which.states) and all("states" in walk.met for walk in way):
        found.update(id_ for (id_,) in look.run(_Kind.HELD, _Walk(), limit + 1))
    ids, end = sorted(found, reverse=True), None
    if len(ids) <= limit or len(way) > 1:
        # Behind the last row that any walk came to, not all is known.
        lasts = [look.run(_Kind.LAST, walk) for walk in way if look.beside(walk) and not walk.short]
        end = max((id_ for last in (*lasts, [(floor,)] if floor else ()) for (id_,) in last), default=None)
        ids = ids if end is None else [id_ for id_ in ids if id_ >= end]
    return Found(ids[:limit], ids[limit - 1]) if len(ids) > limit else Found(ids, end)


def _busiest(look: _Look) -> tuple[list[str], str | None]:
    """Return those of somebody's agents that have the newest tasks, and the id from which on others may have some."""
    own = managed_agents(look.which.visible).subquery()
    between = [_CONDITIONS[name](tasks.c, [bindparam(None, one) for one in values]) for name, values in look.between]
    newest = select(tasks.c.id).where(tasks.c.agent_id == own.c.id, *between).order_by(tasks.c.id.desc()).limit(1)
    last = newest.scalar_subquery().label("last")
    rows = look.connection.execute(select(own.c.id, last).order_by(last.desc()).limit(_MOST_AGENTS)).all()
    found = [(agent_id, id_) for agent_id, id_ in rows if id_ is not None]
    return [agent_id for agent_id, _ in found], found[-1][1] if len(found) == _MOST_AGENTS else None


def _shortest(look: _Look, ways: Sequence[_Way]) -> _Way:
    """Return the way with the fewest rows, the first of those that are alike.

    Of what is not counted to the end, those rows are the fewest which lead back the farthest.
    """
    if len(ways) == 1:
        return ways[0]
    best, least = ways[0], ("~", 0)
    for way in ways:
        lengths = [look.run(_Kind.LENGTH, walk)[0] for walk in way]
        total = sum(length for length, _ in lengths)
        back = max((last for length, last in lengths if length == _COMPARED), default="")
        if (back, total) < least:
            short = [length < _COMPARED for length, _ in lengths]
            best, least = [walk._replace(short=one) for walk, one in zip(way, short, strict=True)], (back, total)
        if least < ("", FEW):
            break
    return best


def _ways(which: TaskFilter, own: Sequence[str]) -> list[_Way]:
    """Return the ways to find the ids; those of which few are expected come first.

    Whoever does not see everything is led over rows alone that they see: where a page ends, and how long it takes to
    find, would else tell of others' tasks. Of a trace or a parent they know what no one guesses.
    """
    for name in ("parent_id", "trace_id"):
        if getattr(which, name) is not None:
            return [[_Walk().further(_Term(name, (getattr(which, name),)))]]
    if which.visible.key_id is not None:
        return [[_Walk().further(_Term("key", (which.visible.key_id,)))]]
    ways = list(_alone(which)) if which.visible.user_id is None else []
    whose = _whose(which, own)
    narrower = list(_narrower(which, whose))
    if not narrower and not (ways and whose == [_Walk()]):
        narrower.append(whose)
    return ways + narrower


def _alone(which: TaskFilter) -> Iterator[_Way]:
    """Ways by what has an index only of its own, whosever tasks they are."""
    if which.caller_ids:
        yield [_Walk().further(_Term("caller_ids", (one,))) for one in which.caller_ids]
    if which.skill is not None and which.agent_id is None:
        yield [_Walk().further(_Term("skill", (which.skill,)))]


def _narrower(which: TaskFilter, whose: _Way) -> Iterator[_Way]:
    """The same way by what has an index together with its own: the skill, with an agent."""
    if which.error is not None:
        yield [walk.further(_Term("error", (which.error,))) for walk in whose]
    if which.skill is not None and any(walk.of_agent for walk in whose):
        skill = _Term("skill", (which.skill,))
        yield [walk.further(skill) if walk.of_agent else walk for walk in whose]
    if which.states:
        resting = [_Term(f"{one.value}, at rest") for one in sorted(RESTING.keys() & set(which.states))]
        yield [walk.further(state, "states") for walk in whose for state in resting]


def _whose(which: TaskFilter, own: Sequence[str]) -> _Way:
    """A way to all tasks that are visible, narrowed to an agent or to whom they are asked for where that is given."""
    user_id = which.visible.user_id
    if user_id is None:
        given = [(name, getattr(which, name)) for name in ("agent_id", "owner_id")]
        return [next((_Walk().further(_Term(name, (one,))) for name, one in given if one is not None), _Walk())]
    named = [agent_id for agent_id in own if which.agent_id in (None, agent_id)]
    asked, managed = (
        [_Walk((term,), frozenset(("visible", term.name))) for term in _WALKS[tie](user_id, named)]
        for tie in (Tie.ASKED, Tie.MANAGES)
    )
    if which.owner_id not in (None, user_id) or (which.agent_id is not None and managed):
        return managed
    return asked if which.agent_id is not None or which.owner_id is not None else asked + managed


def _between(which: TaskFilter, before: str | None) -> Iterator[_Term]:
    """Where in every index it is: ids sort by the time of their making."""
    since = None if which.since is None else earliest(TASK, which.since - _APART)
    until = None if which.until is None else earliest(TASK, which.until + _APART)
    # Behind every id that begins so: `{` follows `z`, the last character that ids have.
    behind = None if which.prefix is None else which.prefix + "{"
    lows = [low for low in (which.prefix, since) if low is not None]
    highs = [high for high in (before, until, behind) if high is not None]
    if lows:
        yield _Term("from", (max(lows),))
    if highs:
        yield _Term("to", (min(highs),))


def _asked(which: TaskFilter) -> Iterator[_Term]:
    """What is asked for besides where in an index it is."""
    for name in ("agent_id", "owner_id", "skill", "error", "parent_id", "trace_id", "since", "until"):
        value = getattr(which, name)
        if value is not None:
            yield _Term(name, (value,))
    if which.caller_ids:
        yield _Term("caller_ids", which.caller_ids)
    if which.states:
        yield _Term("states", tuple(state.value for state in which.states))
    if which.visible.user_id is not None:
        user_id = which.visible.user_id
        yield _Term("visible", (user_id, user_id, *which.visible.subjects))
    if which.visible.key_id is not None:
        yield _Term("key", (which.visible.key_id,))


@lru_cache(maxsize=_SHAPES)
def _prepared(dialect: Dialect, kind: _Kind, on: _Shape, between: _Shape, beside: _Shape) -> Prepared:
    names: list[str] = []

    def conditions(shape: _Shape, of: Columns) -> list[Condition]:
        met = []
        for name, count in shape:
            values = [f"p{len(names) + number}" for number in range(count)]
            names.extend(values)
            met.append(_CONDITIONS[name](of, [bindparam(one) for one in values]))
        return met

    def limit() -> BindParameter[int]:
        names.append("limit")
        return bindparam("limit", type_=Integer)

    if kind is _Kind.HELD:
        rows = _cut(select(*_LOOKED_AT).where(tasks.c.state.in_(HELD)), _MOST_HELD).subquery()
        fitting = select(rows.c.id).where(*conditions(between, rows.c), *conditions(beside, rows.c))
        return Prepared(dialect, _cut(fitting.order_by(rows.c.id.desc()), limit()), names)
    within = (*conditions(on, tasks.c), *conditions(between, tasks.c))
    walked = select(tasks.c.id).where(*within).order_by(tasks.c.id.desc())
    if kind is _Kind.LENGTH:
        counted = _cut(walked, _COMPARED).subquery()
        return Prepared(dialect, select(func.count(), func.min(counted.c.id)), names)
    if kind is _Kind.LAST:
        return Prepared(dialect, _cut(walked, 1, MOST_LOOKED_AT - 1), names)
    if kind is _Kind.ALL:
        return Prepared(dialect, _cut(walked, limit()), names)
    # No others, so that a walk goes over the index alone where that has them.
    looked_at = (name for term, _ in beside for name in _COLUMNS_OF.get(term, (term,)))
    columns = [tasks.c[name] for name in dict.fromkeys(("id", *looked_at))]
    rows = _cut(walked.with_only_columns(*columns), MOST_LOOKED_AT).subquery()
    return Prepared(dialect, _cut(select(rows.c.id).where(*conditions(beside, rows.c)), limit()), names)


def _cut(query: Select[Any], limit: int | BindParameter[int], offset: int = 0) -> Select[Any]:
    """Return so many rows of a query; numbers stand in its text."""
    return query.limit(_said(limit) if isinstance(limit, int) else limit).offset(_said(offset))


def _said(number: int) -> ColumnElement[int]:
    """Return a number that stands in the text of a statement."""
    return literal_column(str(number), Integer)


def _at_rest(state: TaskState, of: Columns, _: Values) -> Condition:
    # Said in the text, and as the indexes say it: only so are they taken.
    return and_(*UNHELD, of.state == RESTING[state])


def managed_agents(visible: Visible) -> Select[str] | CompoundSelect[str]:
    """The agents that are theirs, or shared with them for managing."""
    return _managed([bindparam(None, one) for one in (visible.user_id, *visible.subjects)])


def _managed(who: Values) -> Select[str] | CompoundSelect[str]:
    """The same of a user, who comes first, and of as whom agents are shared with them."""
    user_id, *subjects = who
    own = select(agents.c.id).where(agents.c.owner_id == user_id)
    to_manage = agent_shares.c.access == literal_column(f"'{AccessLevel.MANAGE}'", Text)
    shared = select(agent_shares.c.agent_id).where(agent_shares.c.subject.in_(subjects), to_manage)
    return union(own, shared) if subjects else own


_TIED: Mapping[Tie, Callable[[Columns, Values], Condition]] = {
    Tie.ASKED: lambda of, who: of.owner_id == who[0],
    Tie.MANAGES: lambda of, who: of.agent_id.in_(_managed(who[1:])),
}
"""What `rights.Visible` asks of a task, as a condition."""

_WALKS: Mapping[Tie, Callable[[str, Sequence[str]], tuple[_Term, ...]]] = {
    Tie.ASKED: lambda user_id, _: (_Term("owner_id", (user_id,)),),
    Tie.MANAGES: lambda _, own: tuple(_Term("agent_id", (agent_id,)) for agent_id in own),
}
"""The same, of which each walks an index: with a user, and the agents that are theirs or that they manage."""

_CONDITIONS: Mapping[str, Callable[[Columns, Values], Condition]] = {
    "agent_id": lambda of, values: of.agent_id == values[0],
    "owner_id": lambda of, values: of.owner_id == values[0],
    "caller_ids": lambda of, values: of.caller_id == values[0] if len(values) == 1 else of.caller_id.in_(values),
    "key": lambda of, values: of.caller_id == values[0],
    "skill": lambda of, values: of.skill == values[0],
    "error": lambda of, values: of.error_code == values[0],
    "parent_id": lambda of, values: of.parent_id == values[0],
    "trace_id": lambda of, values: of.trace_id == values[0],
    "states": lambda of, values: of.state.in_(values),
    "visible": lambda of, values: or_(*(_TIED[tie](of, values) for tie in Tie)),
    "since": lambda of, values: of.created_at >= values[0],
    "until": lambda of, values: of.created_at < values[0],
    "from": lambda of, values: of.id >= values[0],
    "to": lambda of, values: of.id < values[0],
    **{f"{state.value}, at rest": partial(_at_rest, state) for state in RESTING},
}
"""What each term asks of a row."""

_COLUMNS_OF: Mapping[str, Sequence[str]] = {
    "caller_ids": ("caller_id",),
    "key": ("caller_id",),
    "error": ("error_code",),
    "states": ("state",),
    "visible": ("owner_id", "agent_id"),
    "since": ("created_at",),
    "until": ("created_at",),
}
"""What a term looks at, where that is no column of its own name."""

_LOOKED_AT = [
    tasks.c[name]
    for name in (
        *("id", "agent_id", "owner_id", "caller_id", "skill", "state", "error_code"),
        *("parent_id", "trace_id", "created_at"),
    )
]
