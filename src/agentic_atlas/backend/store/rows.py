"""How records are kept as rows: for each type one table of what its fields are in columns, and nothing by position.

A field that is not named in such a table is one column of its own name, which takes its value as it is. The getters
and places are computed once, at import; a row is then a plain tuple that is built and taken apart in a few steps, for
these are a good part of what a task costs.
"""

from collections.abc import Callable, Collection, Sequence
from operator import attrgetter, itemgetter
from typing import Any, Generic, NamedTuple, TypeAlias, TypeVar

import msgspec
from sqlalchemy import Column, Table

from agentic_atlas.backend.domain.questions import SILENCE, Dialogue
from agentic_atlas.backend.domain.records import (
    CHANGING,
    AgentRecord,
    ApiKey,
    CallerRef,
    Instance,
    Role,
    SkillRecord,
    Task,
    TaskEvent,
    TaskEventKind,
    TaskFailure,
    Token,
    User,
)
from agentic_atlas.backend.store import tables
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
        self.read: tuple[Column[Any], ...] = tuple(table.c[name] for name in names)
        """The columns to select for `value`: one for each field, then the others of those that have several."""
        self.inserted = tuple(column.name for column in table.columns)
        """The columns of `row`: all there are."""
        updated = [Field("id", ("id",), ("id",)), *(field for field in fields if field.name in changing)]
        self.updated = _columns(updated)
        """The columns of `changed_row`."""
        self._kind = kind
        self._one, self._several = _decoders(fields, names)
        self._plain, self._encoded = _getters(fields)
        written = _columns(fields)
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
    tables.tasks,
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
    tables.events,
    Field("kind", paths=("kind._value_",), decode=_KINDS.__getitem__),
    Field("data", payload=True),
)
AGENTS = Rows(AgentRecord, tables.agents, Field("name", also=("full_name",)))
SKILLS = Rows(
    SkillRecord,
    tables.skills,
    Field("policy", encode=lambda policy: (msgspec.json.encode(policy),), decode=_POLICY.decode),
    Field("streams", encode=lambda streams: (int(streams),), decode=bool),
)
INSTANCES = Rows(
    Instance,
    tables.instances,
    Field("labels", encode=lambda labels: (msgspec.json.encode(labels),), decode=_LABELS.decode),
)
_SCOPES = Field("scopes", encode=lambda scopes: (" ".join(scopes),), decode=lambda text: tuple(text.split()))
TOKENS = Rows(Token, tables.tokens, _SCOPES)
USERS = Rows(User, tables.users, Field("role", paths=("role._value_",), decode=Role))
API_KEYS = Rows(ApiKey, tables.api_keys, _SCOPES)
