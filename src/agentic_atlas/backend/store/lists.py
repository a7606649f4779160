"""Lists of tasks, newest first: each way to narrow one walks an index from its end, and stops when the page is full.

What is found here are the ids of a page, by one query for each state that is asked for, of each owner and agent that is
looked at. The index of each ends in the id; the newest of what all find are the page. One condition with OR would sort
all there are.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import NamedTuple, TypeAlias

from sqlalchemy import ColumnElement, CompoundSelect, Connection, Select, or_, select, union, union_all

from agentic_atlas.backend.domain.names import TASK, earliest
from agentic_atlas.backend.domain.records import AccessLevel
from agentic_atlas.backend.ports import TaskFilter
from agentic_atlas.backend.rights import Tie, Visible
from agentic_atlas.backend.store.tables import HELD, RESTING, UNHELD, agent_shares, agents, tasks
from agentic_atlas.protocol.tasks import LEASED, TaskState

Condition: TypeAlias = ColumnElement[bool]

_APART = 60.0
"""Seconds that the time in an id and that of its task may be apart; more than a small correction of the clock."""

_BRANCHES = 100
"""Parts of one union; SQLite takes at most 500."""


def newest(connection: Connection, which: TaskFilter, limit: int, before: str | None) -> list[str]:
    """The ids of tasks that a filter lets through, newest first, from the one before `before`."""
    own = [] if which.visible.user_id is None else list(connection.scalars(_managed_agents(which.visible)))
    parts = [query.limit(limit).subquery() for query in _queries(which, own, before)]
    found: set[str] = set()
    for start in range(0, len(parts), _BRANCHES):
        found.update(connection.scalars(union_all(*(select(part.c.id) for part in parts[start : start + _BRANCHES]))))
    return sorted(found, reverse=True)[:limit]


class _By(NamedTuple):
    """The columns by which a list is narrowed that have an index."""

    id: ColumnElement[str]
    owner_id: ColumnElement[str]
    agent_id: ColumnElement[str]
    skill: ColumnElement[str]


_INDEXED = _By(tasks.c.id, tasks.c.owner_id, tasks.c.agent_id, tasks.c.skill)
_READ = _By(*(column.concat("") for column in _INDEXED))
"""The same values for which no index is taken: where another condition finds few rows, which are then looked at."""


def _queries(which: TaskFilter, own: Sequence[str], before: str | None) -> Iterator[Select[str]]:
    """Return the queries that together find the ids, each by one index."""
    if (which.parent_id, which.trace_id, which.visible.key_id) != (None, None, None):
        by = _READ._replace(id=tasks.c.id)
        yield _ids(by.id, *_family(which), *_seen(by, which), *_narrow(by, which, before))
        return
    for whose in _whose(which, own):
        for state in _resting(which.states):
            yield _ids(tasks.c.id, *whose, *state, *_narrow(_INDEXED, which, before))
    held = LEASED.intersection(which.states)
    if held:
        # No more than there are slots.
        ones = (tasks.c.state.in_(HELD), tasks.c.state.in_(held))
        yield _ids(_READ.id, *ones, *_seen(_READ, which), *_narrow(_READ, which, before))


def _ids(order: ColumnElement[str], *conditions: Condition) -> Select[str]:
    return select(tasks.c.id).where(*conditions).order_by(order.desc())


def _family(which: TaskFilter) -> Iterator[Condition]:
    """Conditions that few tasks meet, whatever else is asked for."""
    if which.parent_id is not None:
        yield tasks.c.parent_id == which.parent_id
    if which.trace_id is not None:
        yield tasks.c.trace_id == which.trace_id
    if which.visible.key_id is not None:
        yield tasks.c.caller_id == which.visible.key_id
    if which.states:
        yield tasks.c.state.in_(which.states)


def _whose(which: TaskFilter, own: Sequence[str]) -> Iterator[list[Condition]]:
    """Conditions under which all tasks are visible, one set for each index to walk."""
    user_id = which.visible.user_id
    if which.agent_id is not None:
        mine = [] if user_id is None or which.agent_id in own else [_READ.owner_id == user_id]
        yield [tasks.c.agent_id == which.agent_id, *mine]
        return
    if user_id is None:
        yield []
        return
    for tie in Tie:
        yield from ([condition] for condition in _WALKS[tie](user_id, own))


def _resting(states: Collection[TaskState]) -> Iterator[list[Condition]]:
    """Conditions of each state that has an index of its own; none at all where every state is wanted."""
    if not states:
        yield []
    for state in sorted(RESTING.keys() & set(states)):
        yield [*UNHELD, tasks.c.state == RESTING[state]]


def _seen(by: _By, which: TaskFilter) -> Iterator[Condition]:
    """Who looks is tied to a task, and it is of the agent that is looked at."""
    if which.visible.user_id is not None:
        yield or_(*(_TIED[tie](by, which.visible) for tie in Tie))
    if which.agent_id is not None:
        yield by.agent_id == which.agent_id


def _managed_agents(visible: Visible) -> Select[str] | CompoundSelect[str]:
    own = select(agents.c.id).where(agents.c.owner_id == visible.user_id)
    to_manage = agent_shares.c.access == AccessLevel.MANAGE.value
    shared = select(agent_shares.c.agent_id).where(agent_shares.c.subject.in_(visible.subjects), to_manage)
    return union(own, shared) if visible.subjects else own


_TIED: Mapping[Tie, Callable[[_By, Visible], Condition]] = {
    Tie.ASKED: lambda by, visible: by.owner_id == visible.user_id,
    Tie.MANAGES: lambda by, visible: by.agent_id.in_(_managed_agents(visible)),
}
"""What `rights.Visible` asks of a task, as a condition."""

_WALKS: Mapping[Tie, Callable[[str, Sequence[str]], Sequence[Condition]]] = {
    Tie.ASKED: lambda user_id, _: [tasks.c.owner_id == user_id],
    Tie.MANAGES: lambda _, own: [tasks.c.agent_id == agent_id for agent_id in own],
}
"""The same, of which each walks an index: with a user, and the agents that are theirs or that they manage."""


def _narrow(by: _By, which: TaskFilter, before: str | None) -> Iterator[Condition]:
    """What holds in every index: ids sort by the time of their making, so no more of one is walked than is shown."""
    if before is not None:
        yield by.id < before
    if which.prefix is not None:
        yield by.id >= which.prefix
        # Behind every id that begins so: `{` follows `z`, the last character that ids have.
        yield by.id < which.prefix + "{"
    if which.since is not None:
        yield by.id >= earliest(TASK, which.since - _APART)
        yield tasks.c.created_at >= which.since
    if which.skill is not None:
        yield by.skill == which.skill
