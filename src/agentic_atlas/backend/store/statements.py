"""The statements of the write path on tasks and events: compiled once for a database, then run with plain tuples.

SQLAlchemy's own cache of compiled statements still costs a look-up at each use and a conversion of every parameter of
every row; here that is done once, and rows go to the driver itself. They are written many to a statement: at the end of
each statement SQLite's driver lets other threads run, and a busy event loop gives the turn back only after
`sys.getswitchinterval()`, so a statement for each row would make the writer wait for each row.
"""

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import chain
from typing import Any, TypeAlias

from sqlalchemy import (
    ColumnElement,
    Connection,
    Dialect,
    Select,
    Table,
    Update,
    and_,
    bindparam,
    column,
    insert,
    literal_column,
    or_,
    select,
    update,
    values,
)
from sqlalchemy.sql import ClauseElement

from agentic_atlas.backend.domain.records import CallKey
from agentic_atlas.backend.store.rows import EVENTS, TASKS, Row, Rows
from agentic_atlas.backend.store.tables import SUBMITTED, events, tasks

Query: TypeAlias = Select[tuple[object, ...]]

_SKILLS = tuple(f"skill_{number}" for number in range(256))
"""Parameters for names of skills; an agent has at most 200."""
_MOST_IDS = 256
_MOST_KEYS = 64
"""Both keep statements short; SQLite refuses expressions deeper than 1,000."""

_ROW = re.compile(r"VALUES (\([^()]*\))")
_MOST_ROWS = 64
_HEAVY = 64 * 1024
"""Bytes of a value above which each row is written alone: the parameters of a statement are all copied at once."""


class Prepared:
    """A statement in the words of one database."""

    def __init__(
        self,
        dialect: Dialect,
        statement: ClauseElement,
        parameters: Sequence[str],
        columns: Sequence[str] = (),
        payloads: Sequence[int] = (),
    ) -> None:
        """Compile the statement.

        Args:
            dialect: of the database.
            statement: with `bindparam`s, or an insert without values.
            parameters: names of all parameters, in the order in which they stand in the text.
            columns: what an insert writes, in the order of the table.
            payloads: places of the parameters that may be long.
        """
        compiled: Any = statement.compile(dialect=dialect, column_keys=list(columns) or None)
        self.text = str(compiled)
        """In the words of the database."""
        self._names = None if compiled.positional else tuple(parameters)
        self._payloads = tuple(payloads)
        self._texts: dict[int, str] = {}
        if compiled.positional:
            assert tuple(compiled.positiontup) == tuple(parameters), compiled.positiontup

    def all(self, connection: Connection, row: Row) -> Sequence[Row]:
        """Run it with one row of parameters and return what it finds, as the driver gives it."""
        cursor = connection.connection.cursor()
        try:
            cursor.execute(self.text, self._parameters(row))
            return cursor.fetchall()
        finally:
            cursor.close()

    def many(self, connection: Connection, rows: Sequence[Row]) -> None:
        """Run a statement with `VALUES` for all rows; nothing for none."""
        if not rows:
            return
        cursor = connection.connection.cursor()
        if self._names is not None or self._heavy(rows):
            cursor.executemany(self.text, [self._parameters(row) for row in rows])
            return
        start = 0
        while start < len(rows):
            # Powers of two: few different texts, all of which the driver keeps ready.
            size = min(_MOST_ROWS, 1 << ((len(rows) - start).bit_length() - 1))
            parameters = tuple(chain.from_iterable(rows[start : start + size]))
            cursor.execute(self._texts.get(size) or self._repeated(size), parameters)
            start += size

    def _parameters(self, row: Row) -> Any:
        return tuple(row) if self._names is None else dict(zip(self._names, row, strict=True))

    def _repeated(self, size: int) -> str:
        self._texts[size] = _ROW.sub(lambda row: f"VALUES {', '.join([row[1]] * size)}", self.text)
        return self._texts[size]

    def _heavy(self, rows: Sequence[Row]) -> bool:
        """Tell whether one of them holds a long value; each row passes here, so it is said in plain loops."""
        for row in rows:
            for place in self._payloads:
                if row[place] is not None and len(row[place]) > _HEAVY:
                    return True
        return False


class TaskStatements:
    """The write path's statements for one database.

    Rows are locked where the database locks rows (SQLite has a single writer instead, and leaves these words out).
    """

    def __init__(self, dialect: Dialect) -> None:
        self.insert = _insert(dialect, tasks, TASKS)
        """Add a task."""
        self.update = Prepared(
            dialect, _update(), [f"new_{name}" for name in TASKS.updated], payloads=TASKS.payloads(TASKS.updated)
        )
        """Store what changed about a task."""
        self.insert_event = _insert(dialect, events, EVENTS)
        """Add an event."""
        self._dialect = dialect
        self._waiting: dict[int, Prepared] = {}
        self._by_ids = Lookup(dialect, _by_ids, width=1, most=_MOST_IDS)
        self._by_keys = Lookup(dialect, _by_keys, width=4, most=_MOST_KEYS)

    def next(self, agent_id: str, now: float, skills: Collection[str] | None, limit: int) -> tuple[Prepared, Row]:
        """Read the tasks of an agent that are next, in order, of all skills or of some: a statement, its parameters."""
        names = sorted(skills or ())
        # Compiled for powers of two, as others that take any number of values.
        size = 1 << (len(names) - 1).bit_length() if names else 0
        if size not in self._waiting:
            parameters = ("agent_id", "now", *_SKILLS[:size], "limit")
            self._waiting[size] = Prepared(self._dialect, _waiting(_SKILLS[:size]), parameters)
        return self._waiting[size], (agent_id, now, *names, *names[-1:] * (size - len(names)), limit)

    def with_ids(self, ids: Collection[str]) -> Iterator[tuple[Prepared, Row]]:
        """Read the tasks with these ids: statements, each with its parameters."""
        return self._by_ids.of([(id_,) for id_ in ids])

    def with_keys(self, keys: Collection[CallKey]) -> Iterator[tuple[Prepared, Row]]:
        """Read the tasks with these idempotency keys: statements, each with its parameters."""
        return self._by_keys.of(keys)


def _insert(dialect: Dialect, table: Table, rows: Rows[Any]) -> Prepared:
    names = rows.inserted
    return Prepared(dialect, insert(table), names, names, payloads=rows.payloads(names))


def _update() -> Update:
    columns = [tasks.c[name] for name in TASKS.updated]
    row = tuple(bindparam(f"new_{c.name}", type_=c.type) for c in columns)
    changed = values(*(column(c.name, c.type) for c in columns), name="changed").data([row]).cte("changed")
    new = {c.name: changed.c[c.name] for c in columns if c.name != "id"}
    return update(tasks).where(tasks.c.id == changed.c.id).values(new)


def _waiting(skills: Sequence[str] = ()) -> Query:
    of_skills = [tasks.c.skill.in_([bindparam(name) for name in skills])] if skills else []
    ready = or_(tasks.c.not_before.is_(None), tasks.c.not_before <= bindparam("now"))
    return (
        select(*TASKS.read)
        .where(tasks.c.agent_id == bindparam("agent_id"), tasks.c.state == SUBMITTED, ready, *of_skills)
        .order_by(tasks.c.priority.desc(), tasks.c.position, tasks.c.id)
        .limit(bindparam("limit"))
        .offset(literal_column("0"))
        .with_for_update(skip_locked=True)
    )


def _by_ids(names: Sequence[str]) -> Query:
    return select(*TASKS.read).where(tasks.c.id.in_([bindparam(name) for name in names])).with_for_update()


def _by_keys(names: Sequence[str]) -> Query:
    columns = (tasks.c.caller_user_id, tasks.c.caller_kind, tasks.c.caller_id, tasks.c.idempotency_key)
    one_of: list[ColumnElement[bool]] = []
    for start in range(0, len(names), 4):
        pairs = zip(columns, names[start : start + 4], strict=True)
        one_of.append(and_(*(column == bindparam(name) for column, name in pairs)))
    return select(*TASKS.read).where(or_(*one_of)).with_for_update()


class Lookup:
    """A query for any number of values, compiled for powers of two: the rest is filled with the last value.

    Takes what makes the query of the names of its parameters, how many of them each value has, and how many values one
    query has at the most.
    """

    def __init__(self, dialect: Dialect, build: Callable[[Sequence[str]], Query], *, width: int, most: int) -> None:
        self._dialect = dialect
        self._build = build
        self._width = width
        self._most = most
        self._sizes: dict[int, Prepared] = {}

    def of(self, values: Collection[Row]) -> Iterator[tuple[Prepared, Row]]:
        """Return the statements to run for these values, each with its parameters."""
        rest = list(values)
        for start in range(0, len(rest), self._most):
            part = rest[start : start + self._most]
            size = 1 << (len(part) - 1).bit_length()
            part += [part[-1]] * (size - len(part))
            yield self._sizes.get(size) or self._compile(size), [value for row in part for value in row]

    def _compile(self, size: int) -> Prepared:
        names = [f"p{n}" for n in range(size * self._width)]
        self._sizes[size] = Prepared(self._dialect, self._build(names), names)
        return self._sizes[size]
