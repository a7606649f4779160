"""What happened to the tasks of a trace, without what their agents reported meanwhile."""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Final

from sqlalchemy import ColumnElement, Connection, Dialect, Integer, bindparam, literal_column, select

from agentic_atlas.backend.domain.records import TaskEvent
from agentic_atlas.backend.ports import STEPS
from agentic_atlas.backend.store.readers import Readers
from agentic_atlas.backend.store.rows import EVENTS, Prepared
from agentic_atlas.backend.store.tables import events

FIRST: Final = 200
"""Events at the beginning of a task that are looked at for what happened."""
LAST: Final = 50
"""Events at its end that are looked at too."""


class SqlTraces:
    """`ports.Traces`."""

    def __init__(self, readers: Readers) -> None:
        self._readers = readers

    async def steps(self, lasts: Sequence[tuple[str, int]]) -> list[TaskEvent]:
        """See the port."""
        return await self._readers.run(lambda connection: list(_steps(connection, lasts)))


def _steps(connection: Connection, lasts: Sequence[tuple[str, int]]) -> Iterator[TaskEvent]:
    query = _prepared(connection.dialect)
    for task_id, last in lasts:
        ranges = [(0, last)] if last <= FIRST + LAST else [(0, FIRST), (last - LAST, last)]
        for after, to in ranges:
            for row in query.all(connection, (task_id, after, to)):
                yield EVENTS.value(row)


@lru_cache
def _prepared(dialect: Dialect) -> Prepared:
    """Compiled once, for a trace may have a thousand tasks."""
    after, to = (bindparam(name, type_=Integer) for name in ("after", "to"))
    kinds: list[ColumnElement[str]] = [literal_column(f"'{kind}'") for kind in sorted(STEPS)]
    query = select(*EVENTS.read).where(
        events.c.task_id == bindparam("task_id"), events.c.seq > after, events.c.seq <= to, events.c.kind.in_(kinds)
    )
    return Prepared(dialect, query.order_by(events.c.seq), ("task_id", "after", "to"))
