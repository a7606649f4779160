"""What happened to the tasks of a trace, without what their agents reported meanwhile."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Final

from sqlalchemy import ColumnElement, Connection, Dialect, Integer, and_, bindparam, case, func, literal_column, select

from agentic_atlas.backend.domain.logs import TaskOwner
from agentic_atlas.backend.domain.records import TaskEvent, TaskEventKind
from agentic_atlas.backend.ports import MOST_TOLD, SAYING, STEPS
from agentic_atlas.backend.store.readers import Readers
from agentic_atlas.backend.store.rows import EVENTS, Prepared
from agentic_atlas.backend.store.tables import events, tasks

FIRST: Final = 200
"""Events at the beginning of a task that are looked at for what happened."""
LAST: Final = 50
"""Events at its end that are looked at too."""

MOST: Final = 1_000
"""Events of a task between those that are told."""
MANY: Final = 20_000
"""Events of a whole trace after which only few of each further task are told."""
FEW: Final = 10
"""How many of those at its beginning are looked at then, and how many at its end."""
_OWNERS: Final = 1_000
"""Tasks that are read by one query of whose they are."""
_EMPTY: Final = "X'7B7D'"
_BETWEEN: Final = frozenset((TaskEventKind.CONNECTION, TaskEventKind.ARTIFACT))


class SqlTraces:
    """`ports.Traces`."""

    def __init__(self, readers: Readers) -> None:
        self._readers = readers

    async def steps(self, lasts: Sequence[tuple[str, int]], cuts_of: str = "") -> list[TaskEvent]:
        """See the port."""
        return await self._readers.run(lambda connection: list(_steps(connection, lasts, cuts_of)))

    async def owners(self, task_ids: Collection[str]) -> Mapping[str, TaskOwner]:
        """See the port."""
        wanted = list(task_ids)
        return await self._readers.run(lambda connection: _owners(connection, wanted))


def _owners(connection: Connection, task_ids: Sequence[str]) -> dict[str, TaskOwner]:
    """Whose tasks are, some hundred at a time."""
    columns = (tasks.c.id, tasks.c.agent_id, tasks.c.owner_id, tasks.c.caller_id, tasks.c.trace_id)
    found: dict[str, TaskOwner] = {}
    for start in range(0, len(task_ids), _OWNERS):
        query = select(*columns).where(tasks.c.id.in_(task_ids[start : start + _OWNERS]))
        found |= {id_: TaskOwner(*whose) for id_, *whose in connection.execute(query)}
    return found


def _steps(connection: Connection, lasts: Sequence[tuple[str, int]], cuts_of: str) -> Iterator[TaskEvent]:
    others = _prepared(connection.dialect, STEPS, artifacts=False)
    its, between = (_prepared(connection.dialect, kinds, artifacts=True) for kinds in (STEPS, _BETWEEN))
    told = 0
    for task_id, last in lasts:
        asked = task_id == cuts_of
        steps = its if asked else others
        first, final = (FIRST, LAST) if told < MANY or asked else (FEW, FEW)
        if last <= first + final:
            found = [(steps, 0, last)]
        else:
            found = [
                (steps, 0, first),
                *([(between, first, last - final)] if asked else []),
                (steps, last - final, last),
            ]
        for query, after, to in found:
            for row in query.all(connection, (task_id, after, to)):
                told += 1
                yield EVENTS.value(row)


@lru_cache
def _prepared(dialect: Dialect, kinds: Collection[TaskEventKind], *, artifacts: bool) -> Prepared:
    """Compiled once, for a trace may have a thousand tasks; `artifacts`: it is read what is said of those too."""
    after, to = (bindparam(name, type_=Integer) for name in ("after", "to"))
    said = events.c.kind.in_(_named(SAYING)), events.c.data
    brief = func.length(events.c.data) <= literal_column(str(MOST_TOLD))
    artifact = and_(events.c.kind == literal_column(f"'{TaskEventKind.ARTIFACT}'"), brief), events.c.data
    short = case(said, *([artifact] if artifacts else []), else_=literal_column(_EMPTY))
    query = select(*(short if column is events.c.data else column for column in EVENTS.read)).where(
        events.c.task_id == bindparam("task_id"),
        events.c.seq > after,
        events.c.seq <= to,
        events.c.kind.in_(_named(kinds)),
    )
    # Both written out: what is left out becomes a parameter.
    most = query.order_by(events.c.seq).limit(literal_column(str(MOST))).offset(literal_column("0"))
    return Prepared(dialect, most, ("task_id", "after", "to"))


def _named(kinds: Collection[TaskEventKind]) -> list[ColumnElement[str]]:
    return [literal_column(f"'{kind}'") for kind in sorted(kinds)]
