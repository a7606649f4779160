"""Tasks and events as rows: plain tuples, built and taken apart once for every write.

A row to insert or update has the order of the table's columns; a row that was read has the order of `READ`, which
follows the fields of `Task`. These functions are a good part of what a task costs, hence positions instead of names.
"""

from collections.abc import Sequence
from operator import attrgetter
from typing import Any

import msgspec

from agentic_atlas.backend.domain.questions import SILENCE, Dialogue
from agentic_atlas.backend.domain.records import CallerRef, EventKind, Task, TaskError, TaskEvent
from agentic_atlas.backend.domain.tracing import trace_id
from agentic_atlas.backend.store.tables import events, tasks
from agentic_atlas.protocol.messages import Delivery
from agentic_atlas.protocol.tasks import TaskState

Row = Sequence[Any]
"""Values as the driver takes and gives them."""

CHANGING = (
    "state",
    "updated_at",
    "attempt",
    "instance_id",
    "accepted_at",
    "last_n",
    "losses",
    "failures",
    "queue_expires_at",
    "not_before",
    "cancel_reason",
    "cancel_at",
    "last_seq",
    "ended_at",
)
"""What an update writes, with `error`, `output` and `dialogue`; the other fields say what was asked for, and stay."""

_PARTS = {
    "caller": ("caller_kind", "caller_id", "caller_user_id", "caller_name"),
    "error": ("error_code", "error_message", "error_detail"),
}
READ = tuple(tasks.c[name] for field in Task.__struct_fields__ for name in _PARTS.get(field, (field,)))
"""The columns to select for `task_of`."""

# `_value_` is the plain attribute behind an enum's slow property `value`.
_PATHS = {
    "state": "state._value_",
    "delivery": "delivery._value_",
    "caller_kind": "caller.kind",
    "caller_id": "caller.id",
    "caller_user_id": "caller.user_id",
    "caller_name": "caller.name",
}
_LAST = ("trace_id", "error_code", "error_message", "error_detail", "output", "input", "dialogue")
INSERTED = tuple(column.name for column in tasks.columns)
UPDATED = ("id", *CHANGING, "error_code", "error_message", "error_detail", "output", "dialogue")
EVENT = tuple(column.name for column in events.columns)

_asked = attrgetter(*(_PATHS.get(name, name) for name in INSERTED[: -len(_LAST)]))
_changing = attrgetter("id", *(_PATHS.get(name, name) for name in CHANGING))
_fixed = attrgetter(
    *(name for name in Task.__struct_fields__ if name not in (*CHANGING, "error", "output", "dialogue"))
)
_event = attrgetter(*({"kind": "kind._value_"}.get(name, name) for name in EVENT))

_STATES = {state.value: state for state in TaskState}
_DELIVERIES = {delivery.value: delivery for delivery in Delivery}
_KINDS = {kind.value: kind for kind in EventKind}
_DIALOGUE = msgspec.json.Decoder(Dialogue)


def inserted_row(task: Task) -> Row:
    """Return the task as a row of the whole table."""
    return (
        *_asked(task),
        trace_id(task.trace),
        *_error(task.error),
        task.output,
        task.input,
        dialogue_blob(task.dialogue),
    )


def updated_row(task: Task) -> Row:
    """Return the task's id, and what an update of it writes."""
    return (*_changing(task), *_error(task.error), task.output, dialogue_blob(task.dialogue))


def same_request(before: Task, after: Task) -> bool:
    """Tell whether a change left alone what an update does not write."""
    return bool(_fixed(before) == _fixed(after))


def event_row(event: TaskEvent) -> Row:
    """Return the event as a row."""
    return _event(event)


def task_of(row: Row) -> Task:
    """Return the task in a row of `READ`."""
    id_, agent_id, agent, skill, state, input_, kind, caller, user, name, *rest = row
    owner, created, updated, trace, delivery, *policy_to_seq, output, code, message, detail, ended, said = rest
    asked_by = CallerRef(kind, caller, user, name)
    error = None if code is None else TaskError(code, message, detail)
    first = (id_, agent_id, agent, skill, _STATES[state], input_, asked_by, owner, created, updated, trace)
    dialogue = dialogue_of(said)
    values: Row = (*first, _DELIVERIES[delivery], *policy_to_seq, output, error, ended, dialogue)
    return Task(*values)


def event_of(row: Row) -> TaskEvent:
    """Return the event in a row of the table `events`."""
    task_id, seq, at, kind, attempt, data = row
    return TaskEvent(task_id, seq, at, _KINDS[kind], data, attempt)


def _error(error: TaskError | None) -> Row:
    return (None, None, None) if error is None else (error.code, error.message, error.detail)


def dialogue_of(blob: bytes | None) -> Dialogue:
    """Return a task's questions."""
    return SILENCE if blob is None else _DIALOGUE.decode(blob)


def dialogue_blob(dialogue: Dialogue) -> bytes | None:
    """Return a task's questions as they are kept; nothing for the many tasks that ask none."""
    return msgspec.json.encode(dialogue) if dialogue.questions else None
