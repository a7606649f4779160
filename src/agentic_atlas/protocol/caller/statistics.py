"""Statistics: how many tasks ended how, how long they took, and who asked whom."""

from datetime import datetime

from agentic_atlas.protocol.caller.values import Shown


class TaskCounts(Shown, frozen=True, kw_only=True):
    """Tasks that have ended."""

    completed: int
    failed: int
    rejected: int
    canceled: int
    success_rate: float | None
    """The part that completed of those that nobody canceled, 0 to 1; null without any."""

    @property
    def ended(self) -> int:
        """All of them."""
        return self.completed + self.failed + self.rejected + self.canceled


class TimedCounts(TaskCounts, frozen=True, kw_only=True):
    """Tasks that ended in a span of time, and how long those that completed took, from submit to end.

    Durations are seconds, to within 5 %; null where none completed.
    """

    at: datetime
    """When the span begins."""
    p50: float | None
    """Half of them took no longer."""
    p95: float | None
    p99: float | None


class SkillCounts(TaskCounts, frozen=True, kw_only=True):
    """Tasks of one skill that have ended."""

    agent: str
    """`owner/name`; its id once it is gone."""
    skill: str


class FailureCount(Shown, frozen=True, kw_only=True):
    """Tasks of one skill that ended with the same error."""

    agent: str
    skill: str
    code: str
    tasks: int


class CallCount(Shown, frozen=True, kw_only=True):
    """Tasks that one caller asked of one agent."""

    caller_kind: str
    """`agent`, or `user`: they themselves, or one of their API keys."""
    caller: str
    """`owner/name` of the agent, or the user's name; the id once they are gone."""
    agent: str
    tasks: int


class StatisticsInfo(Shown, frozen=True, kw_only=True):
    """What became of tasks in some time, and what is to be done now, of what one sees."""

    since: datetime
    until: datetime
    step: int
    """Seconds of each span in `spans`: a minute, an hour or a day (UTC), for the longer or the longer ago."""
    total: TimedCounts
    spans: list[TimedCounts]
    """Those of all spans, the oldest first."""
    skills: list[SkillCounts]
    """The 200 with the most tasks."""
    failures: list[FailureCount]
    """The 100 most frequent."""
    callers: list[CallCount]
    """The 200 that ask most."""
    waiting: int
    """Tasks in the queue now."""
    running: int
    """Tasks that an agent has now."""
