"""How records are kept as rows, and the statements of the write path, which take and give these rows.

For each type of record there is one table of what its fields are in columns, and nothing by position. A field that is
not named in such a table is one column of its own name, which takes its value as it is. The getters and places are
computed once, at import; a row is then a plain tuple that is built and taken apart in a few steps, for these are a good
part of what a task costs.

So are the statements on tasks and events, which are compiled once for a database and then run with plain tuples.
SQLAlchemy's own cache of compiled statements still costs a look-up at each use and a conversion of every parameter of
every row; here that is done once, and rows go to the driver itself. They are written many to a statement: at the end of
each statement SQLite's driver lets other threads run, and a busy event loop gives the turn back only after
`sys.getswitchinterval()`, so a statement for each row would make the writer wait for each row.
"""

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import chain
from operator import attrgetter, itemgetter
from typing import Any, Generic, NamedTuple, TypeAlias, TypeVar

import msgspec
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
    func,
    insert,
    literal_column,
    or_,
    select,
    update,
    values,
)
from sqlalchemy.sql import ClauseElement
from sqlalchemy.sql.elements import NamedColumn

from agentic_atlas.backend.domain.questions import SILENCE, Dialogue
from agentic_atlas.backend.domain.records import (
    CHANGING,
    AccessLevel,
    AgentRecord,
    ApiKey,
    CallerRef,
    CallKey,
    Group,
    Instance,
    Role,
    Share,
    SkillRecord,
    Task,
    TaskEvent,
    TaskEventKind,
    TaskFailure,
    Token,
    User,
)
from agentic_atlas.backend.store.tables import (
    SUBMITTED,
    agent_shares,
    agents,
    api_keys,
    events,
    group_members,
    groups,
    instances,
    skills,
    tasks,
    tokens,
    users,
)
from agentic_atlas.protocol.messages import Delivery, Policy
from agentic_atlas.protocol.tasks import TaskState

T = TypeVar("T", bound=msgspec.Struct)

Row: TypeAlias = Sequence[Any]
"""Values as the driver takes and gives them."""


class Field(NamedTuple):
    """How one field of a record is kept."""

    name: str
    columns: tuple[str, ...] = ()
    """Where it is kept; empty: in a column of its own name."""
    paths: tuple[str, ...] = ()
    """What each column holds, as an attribute of the record; empty: the field itself, or what `encode` makes of it."""
    also: tuple[str, ...] = ()
    """Columns that are written and never read back, each a property of the record: what queries look for."""
    encode: Callable[[Any], Row] | None = None
    """Makes the columns' values of the field's, where no path leads to them."""
    decode: Callable[..., Any] | None = None
    """Makes the field's value of the columns'; None: it is the column's."""
    payload: bool = False
    """It may be long."""
    derived: NamedColumn[Any] | None = None
    """What it is read as that is kept elsewhere: it is not written with the record."""


class Rows(Generic[T]):
    """The rows of one type of record in its table."""

    def __init__(self, kind: type[T], table: Table, *unlike: Field, changing: Collection[str] = ()) -> None:
        """Take the type, the table, the fields that are not simply a column of their own name, and those that change.

        An update writes the latter alone.
        """
        named = {field.name: field for field in unlike}
        assert set(named) <= set(kind.__struct_fields__), "only fields of the record are kept"
        fields = [_filled(named.get(name, Field(name))) for name in kind.__struct_fields__]
        self.fields = tuple(fields)
        """All fields, in the record's order, with nothing left to be guessed."""
        names = [field.columns[0] for field in fields] + [name for field in fields for name in field.columns[1:]]
        derived = {field.name: field.derived for field in fields if field.derived is not None}
        self.read = tuple(derived[name] if name in derived else table.c[name] for name in names)
        """The columns to select for `value`: one for each field, then the others of those that have several."""
        self.inserted = tuple(column.name for column in table.columns)
        """The columns of `row`: all there are."""
        updated = [Field("id", ("id",), ("id",)), *(field for field in fields if field.name in changing)]
        self.updated = _columns(updated)
        """The columns of `changed_row`."""
        self._kind = kind
        self._one, self._several = _decoders(fields, names)
        kept = [field for field in fields if field.derived is None]
        self._plain, self._encoded = _getters(kept)
        written = _columns(kept)
        self._in_order = itemgetter(*(written.index(name) for name in self.inserted))
        self._changing, self._changing_encoded = _getters(updated)

    def row(self, value: T) -> Row:
        """Return the record as a row of the whole table."""
        row: Row = self._in_order(_taken(value, self._plain, self._encoded))
        return row

    def changed_row(self, value: T) -> Row:
        """Return the record's id, and what an update of it writes."""
        return tuple(_taken(value, self._changing, self._changing_encoded))

    def value(self, row: Row) -> T:
        """Return the record in a row of `read`; what follows in the row is left out."""
        values = list(row[: len(self.fields)])
        for place, decode in self._one:
            values[place] = decode(values[place])
        for place, decode, columns in self._several:
            values[place] = decode(*columns(row))
        return self._kind(*values)

    def values(self, value: T) -> dict[str, object]:
        """Return the record as what each column holds."""
        return dict(zip(self.inserted, self.row(value), strict=True))

    def payloads(self, columns: Sequence[str]) -> tuple[int, ...]:
        """Return the places of those of these columns whose values may be long."""
        long = _columns([field for field in self.fields if field.payload])
        return tuple(place for place, name in enumerate(columns) if name in long)


_Getter: TypeAlias = Callable[[Any], tuple[Any, ...]]
_Encoders: TypeAlias = Sequence[tuple[Callable[[Any], Any], Callable[[Any], Row]]]


def _filled(field: Field) -> Field:
    columns = field.columns or (field.name,)
    paths = field.paths or (() if field.encode else (field.name,))
    assert field.encode or len(paths) == len(columns), f"each column of {field.name} has a value"
    return field._replace(columns=columns, paths=paths)


def _columns(fields: Sequence[Field]) -> tuple[str, ...]:
    """Return what these fields write, in the order of `_taken`."""
    plain = (name for field in fields for name in (*(() if field.encode else field.columns), *field.also))
    return (*plain, *(name for field in fields if field.encode for name in field.columns))


def _getters(fields: Sequence[Field]) -> tuple[_Getter, _Encoders]:
    """Return what takes all values that are there already, and what makes the others of their fields."""
    plain = attrgetter(*(path for field in fields for path in (*field.paths, *field.also)))
    return plain, [(attrgetter(field.name), field.encode) for field in fields if field.encode]


def _taken(value: object, plain: _Getter, encoded: _Encoders) -> list[Any]:
    values = [*plain(value)]
    for get, encode in encoded:
        values += encode(get(value))
    return values


def _decoders(fields: Sequence[Field], names: Sequence[str]) -> tuple[list[Any], list[Any]]:
    """Return (place, decode) of fields with one column, and (place, decode, getter) of those with several."""
    decoded = [(place, field) for place, field in enumerate(fields) if field.decode]
    several = [
        (place, field.decode, itemgetter(*map(names.index, field.columns)))
        for place, field in decoded
        if len(field.columns) > 1
    ]
    return [(place, field.decode) for place, field in decoded if len(field.columns) == 1], several


# `_value_` is the plain attribute behind an enum's slow property `value`.
_STATES = {state.value: state for state in TaskState}
_DELIVERIES = {delivery.value: delivery for delivery in Delivery}
_KINDS = {kind.value: kind for kind in TaskEventKind}
_DIALOGUE = msgspec.json.Decoder(Dialogue)
_POLICY = msgspec.json.Decoder(Policy)
_LABELS = msgspec.json.Decoder(dict[str, str])


def dialogue_of(blob: bytes | None) -> Dialogue:
    """Return a task's questions."""
    return SILENCE if blob is None else _DIALOGUE.decode(blob)


def dialogue_blob(dialogue: Dialogue) -> bytes | None:
    """Return a task's questions as they are kept; nothing for the many tasks that ask none."""
    return msgspec.json.encode(dialogue) if dialogue.questions else None


def _error_columns(error: TaskFailure | None) -> Row:
    return (None, None, None) if error is None else (error.code, error.message, error.detail)


def _error_of(code: str | None, message: str, detail: bytes) -> TaskFailure | None:
    return None if code is None else TaskFailure(code, message, detail)


TASKS = Rows(
    Task,
    tasks,
    Field("state", paths=("state._value_",), decode=_STATES.__getitem__),
    Field("input", payload=True),
    Field(
        "caller",
        ("caller_kind", "caller_id", "caller_user_id", "caller_name"),
        ("caller.kind", "caller.id", "caller.user_id", "caller.name"),
        decode=CallerRef,
    ),
    Field("trace", also=("trace_id",)),
    Field("delivery", paths=("delivery._value_",), decode=_DELIVERIES.__getitem__),
    Field("output", payload=True),
    Field(
        "error",
        ("error_code", "error_message", "error_detail"),
        encode=_error_columns,
        decode=_error_of,
        payload=True,
    ),
    Field(
        "dialogue",
        encode=lambda dialogue: (dialogue_blob(dialogue),),
        decode=dialogue_of,
        payload=True,
    ),
    changing=CHANGING,
)
EVENTS = Rows(
    TaskEvent,
    events,
    Field("kind", paths=("kind._value_",), decode=_KINDS.__getitem__),
    Field("data", payload=True),
)


def _shares_of(text: str | None) -> tuple[Share, ...]:
    pairs = sorted(one.split(" ") for one in text.split(",")) if text else []
    return tuple(Share(subject, AccessLevel(access)) for subject, access in pairs)


def _groups_of(text: str | None) -> tuple[str, ...]:
    return tuple(sorted(text.split(","))) if text else ()


# Read along with whose they are, for what is visible is asked at every request.
_SHARES = (
    select(func.aggregate_strings(agent_shares.c.subject + literal_column("' '") + agent_shares.c.access, ","))
    .where(agent_shares.c.agent_id == agents.c.id)
    .correlate(agents)
    .scalar_subquery()
    .label("shares")
)
_MEMBERSHIPS = (
    select(func.aggregate_strings(group_members.c.group_id, ","))
    .where(group_members.c.user_id == users.c.id)
    .correlate(users)
    .scalar_subquery()
    .label("groups")
)


def _flag(name: str) -> Field:
    return Field(name, encode=lambda held: (int(held),), decode=bool)


AGENTS = Rows(
    AgentRecord,
    agents,
    Field("name", also=("full_name",)),
    Field("shares", derived=_SHARES, decode=_shares_of),
)
SKILLS = Rows(
    SkillRecord,
    skills,
    Field("policy", encode=lambda policy: (msgspec.json.encode(policy),), decode=_POLICY.decode),
    _flag("streams"),
)
INSTANCES = Rows(
    Instance,
    instances,
    Field("labels", encode=lambda labels: (msgspec.json.encode(labels),), decode=_LABELS.decode),
)


def _words(name: str) -> Field:
    return Field(name, encode=lambda words: (" ".join(words),), decode=lambda text: tuple(text.split()))


TOKENS = Rows(
    Token,
    tokens,
    *map(_words, ("scopes", "former_names", "earlier_keys")),
    *map(_flag, ("withdrawn", "by_share")),
)
USERS = Rows(
    User,
    users,
    Field("role", paths=("role._value_",), decode=Role),
    Field("groups", derived=_MEMBERSHIPS, decode=_groups_of),
)
GROUPS = Rows(Group, groups)
API_KEYS = Rows(
    ApiKey,
    api_keys,
    _words("scopes"),
    Field("from_login", encode=lambda from_login: (int(from_login),), decode=bool),
)


Query: TypeAlias = Select[tuple[object, ...]]

_SKILLS = tuple(f"skill_{number}" for number in range(256))
"""Parameters for names of skills; an agent has at most 200."""
_MOST_IDS = 256
_MOST_KEYS = 64
"""Both keep statements short; SQLite refuses expressions deeper than 1,000."""

_ROW = re.compile(r"VALUES (\([^()]*\))")
_MOST_ROWS = 64
"""Rows of a statement: the driver keeps one for each number of them ready (`sqlite.CACHED_STATEMENTS`)."""
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
            size = min(_MOST_ROWS, len(rows) - start)
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
