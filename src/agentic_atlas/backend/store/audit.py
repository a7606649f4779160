"""The audit log behind the port. Its table refuses to change or lose a row, whoever asks (see `tables`)."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Row, and_, delete, false, func, insert, inspect, or_, select, union

from agentic_atlas.backend.domain.audit import NAMELESS, AuditEvent, ChainHead, broken, chained, changed, genesis
from agentic_atlas.backend.ports import AuditFilter, Write
from agentic_atlas.backend.store.readers import Readers
from agentic_atlas.backend.store.tables import audit, audit_archives
from agentic_atlas.backend.store.writer import Operation, WriteGroup, Writer
from agentic_atlas.protocol.caller.audit import AuditActor, AuditEntry, AuditObject

_DROPPED = 2_000
"""Rows that are removed in one go."""
_MOST_NAMES = 200
"""Names with one beginning, each of which is looked for by itself."""


class SqlAudit:
    """`ports.AuditLog`."""

    def __init__(self, writer: Writer, readers: Readers, network: str, last: ChainHead | None) -> None:
        """Take the last row that is there now: from here on nobody else writes any."""
        self._writer = writer
        self._readers = readers
        self._genesis = genesis(network)
        self._last = last or self._genesis
        self._group: WriteGroup | None = None

    def append(self, events: Sequence[AuditEvent]) -> Write[tuple[ChainHead, str | None]]:
        """See the port."""
        return self._writer.submit(Operation(partial(self._append, events)))

    async def find(self, which: AuditFilter, *, limit: int, before: int | None = None) -> list[AuditEntry]:
        """See the port."""
        return await self._readers.run(lambda connection: _find(connection, which, limit, before))

    async def after(self, seq: int, *, limit: int) -> list[AuditEntry]:
        """See the port."""
        return await self._readers.run(lambda connection: _after(connection, seq, limit))

    async def head(self) -> ChainHead:
        """See the port."""
        return await self._readers.run(lambda connection: last_row(connection) or self._genesis)

    async def older(self, before: float) -> int:
        """See the port."""
        return await self._readers.run(lambda connection: _older(connection, before))

    def drop(self, until: int) -> Write[int]:
        """See the port."""
        return self._writer.submit(Operation(partial(_drop, until)))

    def _append(self, events: Sequence[AuditEvent], group: WriteGroup) -> tuple[ChainHead, str | None]:
        """Add rows behind the last one, which is looked up each time: a group that failed is done again."""
        head, why = last_row(group.connection) or self._genesis, None
        if group is not self._group:  # Between two appends of one transaction nobody else can have written.
            why = changed(self._last, head, _hash_now(group.connection, self._last.seq))
        head = add_rows(group.connection, head, [broken(events[0].at, why), *events] if why else events)
        self._group = group
        group.afterwards.append(partial(self._committed, head))
        return head, why

    def _committed(self, head: ChainHead) -> None:
        self._last, self._group = head, None


def add_rows(connection: Connection, head: ChainHead, events: Sequence[AuditEvent]) -> ChainHead:
    """Add rows behind this last one; return that of them."""
    rows = []
    for event in events:
        entry = chained(event, head)
        head = ChainHead(entry.seq, entry.hash)
        rows.append(_row(entry))
    connection.execute(insert(audit), rows)
    return head


def _hash_now(connection: Connection, seq: int) -> str | None:
    """The hash of the row that has this number by now."""
    return connection.scalar(select(audit.c.hash).where(audit.c.seq == seq))


def last_row(connection: Connection) -> ChainHead | None:
    """The last row, as far as the next one has to know it."""
    row = connection.execute(select(audit.c.seq, audit.c.hash).order_by(audit.c.seq.desc()).limit(1)).one_or_none()
    return None if row is None else ChainHead(*row)


def _find(connection: Connection, which: AuditFilter, limit: int, before: int | None) -> list[AuditEntry]:
    """Rows, newest first.

    Each way in which a row may fit has an index with the rows in their order: the newest of each, and of these the
    newest, are found without looking at the rest of the log, which may have millions.
    """
    within, ways = _within(connection, which, before), _ways(connection, which)
    newest = audit.c.seq.desc()
    query = select(audit).where(*within).order_by(newest).limit(limit)
    if ways:
        first, *others = ways
        within += [or_(*other) for other in others]
        each = [select(audit.c.seq).where(way, *within).order_by(newest).limit(limit).subquery() for way in first]
        query = select(audit).where(audit.c.seq.in_(union(*(select(one.c.seq) for one in each))))
        query = query.order_by(newest).limit(limit)
    return [_entry(row) for row in connection.execute(query)]


def _after(connection: Connection, seq: int, limit: int) -> list[AuditEntry]:
    """Rows in their order."""
    query = select(audit).where(audit.c.seq > seq).order_by(audit.c.seq).limit(limit)
    return [_entry(row) for row in connection.execute(query)]


def _older(connection: Connection, before: float) -> int:
    """The rows before the first one that is not older; a clock may have been set back meanwhile."""
    newer = select(func.min(audit.c.seq)).where(audit.c.at >= before)
    found, last = connection.execute(newer).scalar(), last_row(connection)
    return 0 if last is None else min(last.seq, found or last.seq) - 1


def _drop(until: int, group: WriteGroup) -> int:
    """Say first that they are archived, else the table keeps them; whoever waits for the disk waits for few."""
    last = select(func.max(audit.c.seq)).scalar_subquery()
    done = select(audit.c.seq, audit.c.hash).where(audit.c.seq == until, audit.c.seq < last)
    known = insert(audit_archives).prefix_with("OR IGNORE").from_select(["seq", "hash"], done)
    group.connection.execute(known)
    some = select(audit.c.seq).where(audit.c.seq <= until).order_by(audit.c.seq).limit(_DROPPED)
    return group.connection.execute(delete(audit).where(audit.c.seq.in_(some))).rowcount


def all_rows(connection: Connection) -> Iterator[AuditEntry]:
    """Yield every row in its order, of a database that was made before there was such a log: none."""
    if inspect(connection).has_table(audit.name):
        for row in connection.execute(select(audit).order_by(audit.c.seq)).yield_per(1_000):
            yield _entry(row)


def _within(connection: Connection, which: AuditFilter, before: int | None) -> list[ColumnElement[bool]]:
    """Between which rows something is looked for: of times the first and the last, for rows are in another order."""
    found = [] if before is None else [audit.c.seq < before]
    if which.since is not None:
        first = connection.scalar(select(func.min(audit.c.seq)).where(audit.c.at >= which.since))
        found += [audit.c.seq >= first, audit.c.at >= which.since] if first else [false()]
    if which.until is not None:
        last = connection.scalar(select(func.max(audit.c.seq)).where(audit.c.at < which.until))
        found += [audit.c.seq <= last, audit.c.at < which.until] if last else [false()]
    return found


def _ways(connection: Connection, which: AuditFilter) -> list[list[ColumnElement[bool]]]:
    """For each thing that is looked for, the ways in which a row may fit; first what is likely to be of the fewest."""
    table, found = audit.c, list[list[ColumnElement[bool]]]()
    if which.object is not None:
        found.append([table.object_id == which.object, table.object_name == which.object])
    if which.who in NAMELESS:
        # Nobody else has no name: of those there are few rows between the others' or most of a log is theirs.
        found.append([and_(table.who_name == "", table.who_kind == which.who), *_who(connection, which.who)])
    elif which.who is not None:
        found.append(_who(connection, which.who))
    if which.address is not None:
        found.append([table.address == which.address])
    if which.action is not None:
        found.append([table.action == which.action, *_beginning(connection, table.action, f"{which.action}.")])
    return found


def _who(connection: Connection, who: str) -> list[ColumnElement[bool]]:
    """What somebody's key did bears the user's name, and the key's behind it."""
    is_who = [column == who for column in (audit.c.who_id, audit.c.who_user_id, audit.c.who_name)]
    return [*is_who, *_beginning(connection, audit.c.who_name, f"{who}/")]


def _beginning(connection: Connection, column: ColumnElement[str], start: str) -> list[ColumnElement[bool]]:
    """What begins so, value by value as the index has them; of very many values, all of them at once."""
    end, last, values = f"{start[:-1]}{chr(ord(start[-1]) + 1)}", start, list[str]()
    while len(values) <= _MOST_NAMES:
        following = connection.scalar(select(func.min(column)).where(column > last, column < end))
        if following is None:
            return [column == value for value in values]
        values.append(last := following)
    return [and_(column > start, column < end)]


def _row(entry: AuditEntry) -> dict[str, object]:
    return {
        "seq": entry.seq,
        "at": entry.at.timestamp(),
        "who_kind": entry.who.kind,
        "who_id": entry.who.id,
        "who_user_id": entry.who.user_id,
        "who_name": entry.who.name,
        "action": entry.action,
        "object_kind": entry.object.kind,
        "object_id": entry.object.id,
        "object_name": entry.object.name,
        "outcome": entry.outcome,
        "address": entry.address,
        "detail": msgspec.json.encode(entry.detail),
        "previous": entry.previous,
        "hash": entry.hash,
    }


def _entry(row: Row[Any]) -> AuditEntry:
    return AuditEntry(
        seq=row.seq,
        at=datetime.fromtimestamp(row.at, UTC),
        who=AuditActor(kind=row.who_kind, id=row.who_id, user_id=row.who_user_id, name=row.who_name),
        action=row.action,
        object=AuditObject(kind=row.object_kind, id=row.object_id, name=row.object_name),
        outcome=row.outcome,
        address=row.address,
        detail=msgspec.json.decode(row.detail),
        previous=row.previous,
        hash=row.hash,
    )
