"""Tasks and their events behind the port: writes go to the writer, reads are the queries below."""

from collections.abc import Collection, Sequence
from functools import cache, partial
from typing import Any, TypeAlias

from sqlalchemy import (
    ColumnElement,
    Connection,
    Dialect,
    LargeBinary,
    bindparam,
    cast,
    func,
    literal_column,
    null,
    select,
    update,
)

from agentic_atlas.backend.domain.lifecycle import Change
from agentic_atlas.backend.domain.records import CallerRef, Submitted, Task, TaskEvent
from agentic_atlas.backend.ports import (
    EVENT_PAGE_BYTES,
    MOST_MESSAGE,
    Changed,
    Decide,
    Summary,
    TaskFilter,
    Write,
)
from agentic_atlas.backend.store.cursors import cursor_after, id_in
from agentic_atlas.backend.store.lists import newest
from agentic_atlas.backend.store.readers import Readers
from agentic_atlas.backend.store.rows import EVENTS, TASKS, Lookup, Query, dialogue_blob, dialogue_of
from agentic_atlas.backend.store.tables import HELD, SUBMITTED, events, tasks
from agentic_atlas.backend.store.writer import Writer, add_task, change_task, claim_slots, statement
from agentic_atlas.protocol.inside.messages import InstanceRef

Columns: TypeAlias = Sequence[ColumnElement[Any]]

_PAGE = 1024
"""Tasks that are read by one query: more than a list shows."""
_MOST_ENDED = 1_000
"""Summaries of ended tasks that are remembered. They stay as they are, and lists are looked at again and again."""


def _text(content: str) -> ColumnElement[bytes]:
    """Return bytes that stand in the statement itself."""
    return cast(literal_column(f"'{content}'"), LargeBinary)


_BEGINNING = func.substr(tasks.c.error_message, literal_column("1"), literal_column(str(MOST_MESSAGE)))
_NO_INPUT: dict[str, ColumnElement[Any]] = {"input": _text("").label("input")}
_NO_PAYLOAD: dict[str, ColumnElement[Any]] = _NO_INPUT | {
    "output": null().label("output"),
    "error_detail": _text("null").label("error_detail"),
    "error_message": _BEGINNING.label("error_message"),
    "dialogue": null().label("dialogue"),
}
_SIZES: Columns = [func.length(column).label(f"{column.name}_bytes") for column in (tasks.c.input, tasks.c.output)]
"""A database knows a value's length without reading the pages that it spills to."""
_SUMMARY: Columns = [*(_NO_PAYLOAD.get(column.name, column) for column in TASKS.read), *_SIZES]
_WITHOUT_INPUT: Columns = [_NO_INPUT.get(column.name, column) for column in TASKS.read]


class SqlTasks:
    """`ports.Tasks`."""

    def __init__(self, writer: Writer, readers: Readers, followers: Readers) -> None:
        """Take who reads for callers, and who reads events: those who follow tasks never keep callers waiting."""
        self._writer = writer
        self._readers = readers
        self._followers = followers
        self._ended: dict[str, Summary] = {}
        """Those that were shown last. Threads look into it, and only the loop writes."""

    def add(self, change: Change) -> Write[Submitted]:
        """See the port."""
        return self._writer.submit(add_task(change))

    def change(self, task_id: str, decide: Decide) -> Write[Changed]:
        """See the port."""
        return self._writer.submit(change_task(task_id, decide))

    def claim(
        self, agent_id: str, slots: Sequence[InstanceRef], now: float, skills: Collection[str] | None = None
    ) -> Write[list[Changed]]:
        """See the port."""
        return self._writer.submit(
            claim_slots(agent_id, tuple(slots), now, None if skills is None else frozenset(skills))
        )

    def shift(self, seconds: float) -> Write[None]:
        """See the port."""
        return self._writer.submit(statement(partial(_shift, seconds=seconds)))

    async def get(self, task_id: str) -> Task | None:
        """See the port."""
        return next(iter(await self._tasks(_task(task_id))), None)

    async def summary(self, task_id: str) -> Summary | None:
        """See the port."""
        return next(iter(await self._readers.run(lambda connection: _summaries(connection, [task_id]))), None)

    async def with_key(self, caller: CallerRef, idempotency_key: str) -> Task | None:
        """See the port."""
        return next(iter(await self._tasks(_with_key(caller, idempotency_key))), None)

    async def find(
        self, which: TaskFilter, *, limit: int, after: str | None = None
    ) -> tuple[list[Summary], str | None]:
        """See the port."""
        before = None if after is None else id_in(after)
        items, more = await self._readers.run(lambda connection: self._part(connection, which, limit, before))
        self._remember(items)
        return items, None if more is None else cursor_after(more)

    async def events(
        self, task_id: str, *, after: int = 0, limit: int = 1000, most_bytes: int = EVENT_PAGE_BYTES
    ) -> list[TaskEvent]:
        """See the port."""
        query = _events(task_id, after, limit)
        return await self._followers.run(lambda connection: _as_many(connection, query, most_bytes))

    async def open(self) -> list[Task]:
        """See the port."""
        return await self._tasks(_waiting(_WITHOUT_INPUT), _held(_WITHOUT_INPUT))

    async def held_by(self, *instance_ids: str) -> list[Task]:
        """See the port."""
        return await self._tasks(_held().where(tasks.c.instance_id.in_(instance_ids)))

    def _part(
        self, connection: Connection, which: TaskFilter, limit: int, before: str | None
    ) -> tuple[list[Summary], str | None]:
        found = newest(connection, which, limit, before)
        return self._of(connection, found.ids), found.more

    def _of(self, connection: Connection, ids: Sequence[str]) -> list[Summary]:
        """Those of these tasks that there are; read are the ones that are not remembered."""
        found = {id_: one for id_ in ids if (one := self._ended.get(id_)) is not None}
        found |= {one.task.id: one for one in _summaries(connection, [id_ for id_ in ids if id_ not in found])}
        return [found[id_] for id_ in ids if id_ in found]

    def _remember(self, found: Sequence[Summary]) -> None:
        self._ended |= {one.task.id: one for one in found if one.task.id not in self._ended and one.task.terminal}
        while len(self._ended) > _MOST_ENDED:
            del self._ended[next(iter(self._ended))]

    async def _tasks(self, *queries: Query) -> list[Task]:
        return await self._readers.run(
            lambda connection: [TASKS.value(row) for query in queries for row in connection.execute(query)]
        )


def _summaries(connection: Connection, ids: Sequence[str]) -> list[Summary]:
    """Those of these tasks that there are, without their payloads; the ids come newest first, and so do they."""
    queries = _page(connection.dialect).of([(id_,) for id_ in ids])
    return [
        Summary(TASKS.value(row), *row[-len(_SIZES) :])
        for query, given in queries
        for row in query.all(connection, given)
    ]


@cache
def _page(dialect: Dialect) -> Lookup:
    """Return what reads summaries by their ids: compiled once, for that takes longer than to read a page."""
    return Lookup(dialect, _by_ids, width=1, most=_PAGE)


def _by_ids(names: Sequence[str]) -> Query:
    return select(*_SUMMARY).where(tasks.c.id.in_([bindparam(name) for name in names])).order_by(tasks.c.id.desc())


def _task(task_id: str) -> Query:
    """One task."""
    return select(*TASKS.read).where(tasks.c.id == task_id)


def _with_key(caller: CallerRef, idempotency_key: str) -> Query:
    """The task that a caller submitted with a key."""
    theirs = (tasks.c.caller_user_id, tasks.c.caller_kind, tasks.c.caller_id, tasks.c.idempotency_key)
    return select(*TASKS.read).where(
        *(column == value for column, value in zip(theirs, caller.key(idempotency_key), strict=True))
    )


def _waiting(columns: Columns = TASKS.read) -> Query:
    """Tasks that nobody has, of all agents."""
    return select(*columns).where(tasks.c.state == SUBMITTED)


def _held(columns: Columns = TASKS.read) -> Query:
    """Tasks that an instance has."""
    return select(*columns).where(tasks.c.state.in_(HELD))


def _shift(connection: Connection, seconds: float) -> None:
    """Move the stamps of all open tasks, and of the questions they ask."""
    is_open = tasks.c.state.in_((SUBMITTED, *HELD))
    moved = {column: column + seconds for column in _STAMPS}
    connection.execute(update(tasks).where(is_open).values(moved))
    asking = select(tasks.c.id, tasks.c.dialogue).where(is_open, tasks.c.dialogue.is_not(None))
    for task_id, dialogue in connection.execute(asking).all():
        shifted = dialogue_blob(dialogue_of(dialogue).shifted(seconds))
        connection.execute(update(tasks).where(tasks.c.id == task_id).values(dialogue=shifted))


_STAMPS = (tasks.c.queue_expires_at, tasks.c.not_before, tasks.c.accepted_at, tasks.c.cancel_at)


def _events(task_id: str, after: int, limit: int) -> Query:
    """Events of a task, in order, from the one after `after`."""
    return (
        select(*EVENTS.read)
        .where(events.c.task_id == task_id, events.c.seq > after)
        .order_by(events.c.seq)
        .limit(limit)
    )


def _as_many(connection: Connection, query: Query, most_bytes: int) -> list[TaskEvent]:
    """The events that a query finds, as many as there is room for; the others are not read."""
    found: list[TaskEvent] = []
    with connection.execute(query) as rows:
        for row in rows:
            event = EVENTS.value(row)
            most_bytes -= len(event.data)
            if found and most_bytes < 0:
                break
            found.append(event)
    return found
