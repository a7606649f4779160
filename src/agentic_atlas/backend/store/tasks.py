"""Tasks and their events behind the port: writes go to the writer, reads are the queries below."""

from asyncio import Future
from collections.abc import Collection, Sequence
from functools import partial
from typing import Any, TypeAlias

from sqlalchemy import ColumnElement, Connection, func, literal, null, or_, select, union_all, update

from agentic_atlas.backend.domain.ids import TASK, earliest
from agentic_atlas.backend.domain.lifecycle import Change
from agentic_atlas.backend.domain.records import CallerRef, Task, TaskEvent
from agentic_atlas.backend.ports import EVENT_PAGE_BYTES, Added, Changed, Decide, Page, Slot, Summary, TaskFilter
from agentic_atlas.backend.store.cursors import cursor_after, id_in
from agentic_atlas.backend.store.operations import Add, ChangeTask, Claim, Statement
from agentic_atlas.backend.store.readers import Readers
from agentic_atlas.backend.store.rows import EVENTS, TASKS, dialogue_blob, dialogue_of
from agentic_atlas.backend.store.statements import Query, key_of
from agentic_atlas.backend.store.tables import HELD, SUBMITTED, agents, events, tasks
from agentic_atlas.backend.store.writer import Writer

Columns: TypeAlias = Sequence[ColumnElement[Any]]

_MOST_MESSAGE = 500
"""Characters of an error's message in a list."""

_NO_INPUT: dict[str, ColumnElement[Any]] = {"input": literal(b"").label("input")}
_NO_PAYLOAD: dict[str, ColumnElement[Any]] = _NO_INPUT | {
    "output": null().label("output"),
    "error_detail": literal(b"null").label("error_detail"),
    "error_message": func.substr(tasks.c.error_message, 1, _MOST_MESSAGE).label("error_message"),
    "dialogue": null().label("dialogue"),
}
_WITHOUT_INPUT: Columns = [_NO_INPUT.get(column.name, column) for column in TASKS.read]
_SIZES: Columns = [func.length(column).label(f"{column.name}_bytes") for column in (tasks.c.input, tasks.c.output)]
"""A database knows a value's length without reading the pages that it spills to."""
_SUMMARY: Columns = [*(_NO_PAYLOAD.get(column.name, column) for column in TASKS.read), *_SIZES]

_APART = 60.0
"""Seconds that the time in an id and that of its task may be apart; more than a small correction of the clock."""

_BRANCHES = 100
"""Parts of one union; SQLite takes at most 500."""


class SqlTasks:
    """`ports.Tasks`."""

    def __init__(self, writer: Writer, readers: Readers, followers: Readers) -> None:
        """Take who reads for callers, and who reads events: those who follow tasks never keep callers waiting."""
        self._writer = writer
        self._readers = readers
        self._followers = followers

    def add(self, change: Change) -> "Future[Added]":
        """See the port."""
        return self._writer.submit(Add(change))

    def change(self, task_id: str, decide: Decide) -> "Future[Changed]":
        """See the port."""
        return self._writer.submit(ChangeTask(task_id, decide))

    def claim(
        self, agent_id: str, slots: Sequence[Slot], now: float, skills: Collection[str] | None = None
    ) -> "Future[list[Changed]]":
        """See the port."""
        return self._writer.submit(Claim(agent_id, tuple(slots), now, None if skills is None else frozenset(skills)))

    def shift(self, seconds: float) -> "Future[None]":
        """See the port."""
        return self._writer.submit(Statement(partial(_shift, seconds=seconds)))

    async def get(self, task_id: str) -> Task | None:
        """See the port."""
        return next(iter(await self._tasks(_task(task_id))), None)

    async def summary(self, task_id: str) -> Summary | None:
        """See the port."""
        query = select(*_SUMMARY).where(tasks.c.id == task_id)
        found = await self._readers.run(lambda connection: connection.execute(query).first())
        return None if found is None else _summary_of(found)

    async def with_key(self, caller: CallerRef, idempotency_key: str) -> Task | None:
        """See the port."""
        return next(iter(await self._tasks(_with_key(caller, idempotency_key))), None)

    async def find(self, which: TaskFilter, *, limit: int, after: str | None = None) -> Page:
        """See the port."""
        before = None if after is None else id_in(after)
        found = await self._readers.run(lambda connection: _find(connection, which, limit + 1, before))
        items = found[:limit]
        return Page(tuple(items), cursor_after(items[-1].task.id) if len(found) > limit else None)

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

    async def _tasks(self, *queries: Query) -> list[Task]:
        return await self._readers.run(
            lambda connection: [TASKS.value(row) for query in queries for row in connection.execute(query)]
        )


def _task(task_id: str) -> Query:
    """One task."""
    return select(*TASKS.read).where(tasks.c.id == task_id)


def _with_key(caller: CallerRef, idempotency_key: str) -> Query:
    """The task that a caller submitted with a key."""
    theirs = (tasks.c.caller_user_id, tasks.c.caller_kind, tasks.c.caller_id, tasks.c.idempotency_key)
    return select(*TASKS.read).where(
        *(column == value for column, value in zip(theirs, key_of(caller, idempotency_key), strict=True))
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


def _summary_of(row: Any) -> Summary:
    return Summary(TASKS.value(row), row.input_bytes, row.output_bytes)


def _find(connection: Connection, which: TaskFilter, limit: int, before: str | None) -> list[Summary]:
    """Tasks that a filter lets through, newest first, from the one before `before`."""
    narrow = [
        column == value
        for column, value in (
            (tasks.c.agent_id, which.agent_id),
            (tasks.c.parent_id, which.parent_id),
            (tasks.c.trace_id, which.trace_id),
        )
        if value is not None
    ]
    filters = [*narrow, *_made(which)]
    if which.skill is not None:
        filters.append(tasks.c.skill == which.skill)
    if which.states:
        filters.append(tasks.c.state.in_([state.value for state in which.states]))
    if before is not None:
        filters.append(tasks.c.id < before)
    if which.visible_to is not None and narrow:
        filters.append(_visible(which.visible_to))
    elif which.visible_to is not None:
        filters = [tasks.c.id.in_(_newest_visible(connection, which.visible_to, filters, limit))]
    query = select(*_SUMMARY).where(*filters).order_by(tasks.c.id.desc()).limit(limit)
    return [_summary_of(row) for row in connection.execute(query)]


def _made(which: TaskFilter) -> list[ColumnElement[bool]]:
    """Narrow to ids, which sort by the time of their making, so that no more of an index is walked than is shown."""
    bounds = []
    if which.prefix is not None:
        # Behind every id that begins so: `{` follows `z`, the last character that ids have.
        bounds += [tasks.c.id >= which.prefix, tasks.c.id < which.prefix + "{"]
    if which.since is not None:
        bounds += [tasks.c.id >= earliest(TASK, which.since - _APART), tasks.c.created_at >= which.since]
    return bounds


def _visible(user_id: str) -> ColumnElement[bool]:
    """A task's caller or its agent belongs to the user."""
    return or_(tasks.c.owner_id == user_id, tasks.c.agent_id.in_(select(agents.c.id).where(_owned_by(user_id))))


def _owned_by(user_id: str) -> ColumnElement[bool]:
    return agents.c.owner_id == user_id


def _newest_visible(
    connection: Connection, user_id: str, filters: Sequence[ColumnElement[bool]], limit: int
) -> list[str]:
    """Ids of the user's newest tasks: the newest as caller and the newest of each agent, then the newest of those.

    Each part walks an index from its end and stops after `limit`; one condition with OR would sort all there are.
    """
    own_agents = connection.scalars(select(agents.c.id).where(_owned_by(user_id))).all()
    parts = [tasks.c.owner_id == user_id, *(tasks.c.agent_id == agent_id for agent_id in own_agents)]
    ids: set[str] = set()
    for start in range(0, len(parts), _BRANCHES):
        branches = [
            select(tasks.c.id).where(part, *filters).order_by(tasks.c.id.desc()).limit(limit).subquery()
            for part in parts[start : start + _BRANCHES]
        ]
        ids.update(connection.scalars(union_all(*(select(branch.c.id) for branch in branches))))
    return sorted(ids, reverse=True)[:limit]
