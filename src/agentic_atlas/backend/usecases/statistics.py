"""What became of tasks, and what is to be done now, as far as one sees it."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

from agentic_atlas.auth import Scope
from agentic_atlas.backend.domain.statistics import DAY, HOUR, MINUTE, Tallies, beginning, percentile
from agentic_atlas.backend.engine.engine import Engine
from agentic_atlas.backend.rights import Principal, insufficient
from agentic_atlas.backend.usecases.application import use_case
from agentic_atlas.errors import InvalidInput
from agentic_atlas.protocol.caller.statistics import CallCount, FailureCount, SkillCounts, StatisticsInfo, TimedCounts
from agentic_atlas.protocol.tasks import TERMINAL, TaskState

LONGEST: Final = 31 * DAY
"""Seconds that can be looked at at once."""
BY_MINUTES: Final = 3 * HOUR
"""Seconds of what is shown by minutes; more, and what is longer ago, is shown by hours."""
BY_HOURS: Final = 7 * DAY + HOUR
"""Seconds of what is shown by hours; more, and what is longer ago, is shown by days, which begin at midnight UTC."""
MOST_SKILLS: Final = 200
"""Skills of agents in an answer: those with the most tasks."""
MOST_FAILURES: Final = 100
"""Errors of skills in an answer: the most frequent."""
MOST_CALLERS: Final = 200
"""Callers and whom they asked in an answer: those with the most tasks."""

_Three: TypeAlias = tuple[str, str, str]


@use_case
async def read(
    who: Principal, engine: Engine, *, since: float | None = None, until: float | None = None, agent: str | None = None
) -> StatisticsInfo:
    """Return what became of tasks: of the last hour, unless times are given; of one agent, where one is named.

    Raises:
        NotFound: no such agent (`agent_not_found`).
        InvalidInput: the times are not in their order, or too far apart.
        Forbidden: the key sees its own tasks only (`insufficient_scope`).
    """
    if who.visible.key_id is not None:
        raise insufficient(Scope.TASKS_READ)
    agent_id = (await engine.access.agent(who.user, agent)).id if agent else None
    now = engine.clock()
    end = now if until is None else min(until, now)
    begin = end - HOUR if since is None else since
    if not 0 < end - begin <= LONGEST:
        raise InvalidInput(f"`since` comes before `until` and now, and is at most {LONGEST // 86_400} days before it")
    step = MINUTE if now - begin <= BY_MINUTES else HOUR if now - begin <= BY_HOURS else DAY
    first = beginning(begin, step)
    tallies = await engine.store.statistics.read(who.visible, first, end, step=step, agent_id=agent_id)
    waiting, running = _now(who, engine, tallies, agent_id)
    return StatisticsInfo(
        since=_moment(first),
        until=_moment(end),
        step=step,
        total=_timed(first, _of_all(tallies)),
        spans=_spans(tallies, range(first, int(end) + 1, step)),
        skills=_skills(tallies),
        failures=_failures(tallies),
        callers=_callers(tallies),
        waiting=waiting,
        running=running,
    )


@use_case
async def rates(who: Principal, engine: Engine, names: Sequence[str], *, since: float) -> Mapping[str, float]:
    """Return what part of the tasks of each agent of these full names completed, of those that nobody canceled.

    Only agents that had such a task are told of, and whole hours are counted. Raises Forbidden as `read` does.
    """
    if who.visible.key_id is not None:
        raise insufficient(Scope.TASKS_READ)
    first = beginning(since, HOUR)
    found = await engine.store.statistics.of_agents(who.visible, first, engine.clock(), names)
    told = {name: _counts(states)["success_rate"] for name, states in found.items()}
    return {name: rate for name, rate in told.items() if rate is not None}


def _now(who: Principal, engine: Engine, tallies: Tallies, agent_id: str | None) -> tuple[int, int]:
    """Return how many tasks wait and run now that are seen; of one agent, where one is given."""
    user_id = who.visible.user_id
    seen = [
        one.state
        for one in engine.dispatcher.census
        if agent_id in (None, one.agent_id) and (user_id in (None, one.owner_id) or one.agent_id in tallies.managed)
    ]
    waiting = sum(state is TaskState.SUBMITTED for state in seen)
    return waiting, len(seen) - waiting


def _of_all(tallies: Tallies) -> Counter[tuple[str, int]]:
    total: Counter[tuple[str, int]] = Counter()
    for (_, state, took), number in tallies.by_time.items():
        total[state, took] += number
    return total


def _spans(tallies: Tallies, begins: range) -> list[TimedCounts]:
    found: defaultdict[int, Counter[tuple[str, int]]] = defaultdict(Counter)
    for (at, state, took), number in tallies.by_time.items():
        found[at][state, took] += number
    return [_timed(at, found[at]) for at in begins]


def _timed(at: int, counted: Mapping[tuple[str, int], int]) -> TimedCounts:
    states: Counter[str] = Counter()
    completed: dict[int, int] = {}
    for (state, took), number in counted.items():
        states[state] += number
        if state == TaskState.COMPLETED:
            completed[took] = number
    p50, p95, p99 = (percentile(completed, part) for part in (0.5, 0.95, 0.99))
    return TimedCounts(at=_moment(at), p50=p50, p95=p95, p99=p99, **_counts(states))


def _skills(tallies: Tallies) -> list[SkillCounts]:
    found: defaultdict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for (agent_id, skill, state, _), number in tallies.by_skill.items():
        found[agent_id, skill][state] += number
    most = sorted(found.items(), key=lambda one: (-one[1].total(), one[0]))[:MOST_SKILLS]
    return [SkillCounts(agent=_named(tallies, id_), skill=skill, **_counts(states)) for (id_, skill), states in most]


def _failures(tallies: Tallies) -> list[FailureCount]:
    found: Counter[_Three] = Counter()
    for (agent_id, skill, state, code), number in tallies.by_skill.items():
        if state in (TaskState.FAILED, TaskState.REJECTED):
            found[agent_id, skill, code] += number
    return [
        FailureCount(agent=_named(tallies, agent_id), skill=skill, code=code, tasks=number)
        for (agent_id, skill, code), number in _most(found, MOST_FAILURES)
    ]


def _callers(tallies: Tallies) -> list[CallCount]:
    return [
        CallCount(caller_kind=kind, caller=_named(tallies, caller_id), agent=_named(tallies, agent_id), tasks=number)
        for (kind, caller_id, agent_id), number in _most(tallies.by_caller, MOST_CALLERS)
    ]


def _most(counted: Counter[_Three], limit: int) -> list[tuple[_Three, int]]:
    """Return what is counted most; of as much, in an order that stays."""
    return sorted(counted.items(), key=lambda one: (-one[1], one[0]))[:limit]


def _counts(states: Mapping[str, int]) -> Mapping[str, Any]:
    counts = {state.value: states.get(state.value, 0) for state in sorted(TERMINAL)}
    judged = sum(counts.values()) - counts[TaskState.CANCELED]
    return counts | {"success_rate": counts[TaskState.COMPLETED] / judged if judged else None}


def _named(tallies: Tallies, id_: str) -> str:
    return tallies.names.get(id_, id_)


def _moment(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)
