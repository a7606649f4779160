"""What became of tasks, counted: how many ended how, how long they took, who asked whom.

How long something took is counted in intervals of which each is a tenth wider than the one before, as HDR histograms
do: a percentile of any number of tasks is then known to within 5 %, and counts of any times and agents can be added.
"""

import heapq
import math
from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Final, NamedTuple, TypeVar

from agentic_atlas.backend.domain.records import Task
from agentic_atlas.protocol.tasks import TaskState

MINUTE, HOUR, DAY = 60, 3_600, 86_400
"""Seconds of the spans that are counted."""

EVERYBODY: Final = ""
"""Scope of a summary: all tasks. Others are the id of an agent, or of the user in whose name tasks are."""

MOST: Final = 300
"""Skills and callers that a summary tells of, of each kind: more than are shown."""

_SHORTEST: Final = 0.0001
"""Seconds; what takes less is counted as taking this."""
_WIDER: Final = math.log(1.1)
_COMPLETED: Final = TaskState.COMPLETED.value
T = TypeVar("T")


class Ended(NamedTuple):
    """What is counted of a task: those of which all this is the same are one number."""

    agent_id: str
    owner_id: str
    skill: str
    caller_kind: str
    """`agent`, or `user` for whatever a person or their program asked with."""
    caller_id: str
    """Of the agent or the user."""
    state: str
    code: str
    """Of its error; empty without one."""
    took: int
    """The interval of how long it took, from its submit to its end."""


class Tallies:
    """Counts of tasks that have ended, by what they are looked at for.

    Attributes:
        by_time: of each span of time, by its beginning, state and interval.
        by_skill: of each agent, skill, state and code.
        by_caller: of each kind and id of who asked, and agent.
        names: what those agents and users are called, as far as they are there.
        managed: ids of the agents of which who looks sees all tasks, if not of all.
    """

    def __init__(self) -> None:
        self.by_time: Counter[tuple[int, str, int]] = Counter()
        self.by_skill: Counter[tuple[str, str, str, str]] = Counter()
        self.by_caller: Counter[tuple[str, str, str]] = Counter()
        self.names: dict[str, str] = {}
        self.managed: frozenset[str] = frozenset()

    def copy(self) -> "Tallies":
        """Return the same counts, to be added to."""
        other = Tallies()
        for name, counts in vars(self).items():
            setattr(other, name, counts.copy())
        return other

    def add(self, at: int, ended: Ended, number: int = 1) -> None:
        """Count so many tasks that ended in the span that begins then."""
        self.by_time[at, ended.state, ended.took] += number
        self.by_skill[ended.agent_id, ended.skill, ended.state, ended.code] += number
        self.by_caller[ended.caller_kind, ended.caller_id, ended.agent_id] += number


class SpanCounts:
    """What ended in one span of time, in one scope: no more of it than is told, however many tasks there were.

    How many there were and how long they took is of all of them; of skills and callers there are the busiest alone.

    Attributes:
        times: of each state and interval; in the scope of a user of each agent's, of which they may manage some.
        skills: as in tallies.
        callers: likewise.
    """

    def __init__(self) -> None:
        self.times: Counter[tuple[str, str, int]] = Counter()
        self.skills: Counter[tuple[str, str, str, str]] = Counter()
        self.callers: Counter[tuple[str, str, str]] = Counter()

    def add(self, ended: Ended, number: int, agent_id: str = "") -> None:
        """Count so many tasks; with an agent's id, in the scope of a user."""
        self.times[agent_id, ended.state, ended.took] += number
        self.skills[ended.agent_id, ended.skill, ended.state, ended.code] += number
        self.callers[ended.caller_kind, ended.caller_id, ended.agent_id] += number


def by_scope(counts: Mapping[Ended, int]) -> Mapping[str, SpanCounts]:
    """Return what is told of these tasks in each scope."""
    found: defaultdict[str, SpanCounts] = defaultdict(SpanCounts)
    for ended, number in counts.items():
        found[EVERYBODY].add(ended, number)
        found[ended.agent_id].add(ended, number)
        found[ended.owner_id].add(ended, number, ended.agent_id)
    return found


def busiest_skills(skills: Counter[tuple[str, str, str, str]]) -> Counter[tuple[str, str, str, str]]:
    """Leave out the rarest of more than are told of: apart of what completed and of what did not, which is less."""
    if len(skills) <= MOST:
        return skills
    parts: tuple[Counter[tuple[str, str, str, str]], ...] = (Counter(), Counter())
    for key, number in skills.items():
        parts[key[2] == _COMPLETED][key] = number
    return Counter(dict(busiest(parts[0])) | busiest(parts[1]))


def busiest(counts: Counter[T]) -> Counter[T]:
    """Leave out the rarest of more than are told of."""
    if len(counts) <= MOST:
        return counts
    return Counter(dict(heapq.nlargest(MOST, counts.items(), key=lambda one: (one[1], one[0]))))


def beginning(at: float, span: int) -> int:
    """Return when the span of so many seconds begins that a moment is in."""
    return int(at // span) * span


def interval_of(seconds: float) -> int:
    """Return the number of the interval that a duration falls into."""
    return 0 if seconds <= _SHORTEST else math.ceil(math.log(seconds / _SHORTEST) / _WIDER)


def seconds_of(interval: int) -> float:
    """Return the duration that stands for an interval: at most 5 % from any in it."""
    return _SHORTEST if interval == 0 else _SHORTEST * math.exp(_WIDER * (interval - 0.5))


def percentile(intervals: Mapping[int, int], part: float) -> float | None:
    """Return how long so large a part of the counted took at the most, in seconds; None without any."""
    rest = math.ceil(part * sum(intervals.values()))
    for interval in sorted(intervals):
        rest -= intervals[interval]
        if rest <= 0:
            return seconds_of(interval)
    return None


def ended(task: Task) -> Ended | None:
    """Return what is counted of a task; None while it has not ended."""
    if task.ended_at is None:
        return None
    by_agent = task.caller.kind == "agent"
    return Ended(
        task.agent_id,
        task.owner_id,
        task.skill,
        "agent" if by_agent else "user",
        task.caller.id if by_agent else task.caller.user_id,
        task.state.value,
        task.error.code if task.error else "",
        interval_of(task.ended_at - task.created_at),
    )
