"""The trace of a task: all tasks that belong together, with their attempts, for a timeline."""

from datetime import datetime

from agentic_atlas.protocol.caller.tasks import TaskSummary
from agentic_atlas.protocol.caller.values import ErrorInfo, Shown


class TraceCut(Shown, frozen=True, kw_only=True):
    """A time in which the instance that had an attempt was not connected; the attempt went on there, or was lost."""

    began_at: datetime
    ended_at: datetime | None
    """When it was connected again, or the attempt ended; null while it is away."""
    resumed: bool
    """It came back."""
    why: str | None
    """`cut`, `silent`, `left`, `shut_out`, `replaced`, or `absent` since a start of the server; null when nobody had
    noticed it until it was there again."""


class TraceAttempt(Shown, frozen=True, kw_only=True):
    """One delivery of a task to an instance."""

    number: int
    instance_id: str
    host: str
    """Where the instance ran; empty where that is not remembered, and for who does not manage the agent."""
    began_at: datetime
    """When the instance was given the task."""
    accepted_at: datetime | None
    """When the instance had begun it."""
    ended_at: datetime | None
    end: str | None
    """The state of the task by its end: `submitted` when it waits for another attempt; null while it goes on."""
    error: ErrorInfo | None
    """Why it ended, where it did not complete."""
    returned: str | None = None
    """Why the instance gave it back without having begun it: `busy`, `draining`, `unknown_skill` or `guard`."""
    cuts: tuple[TraceCut, ...] = ()
    """When its connection was lost meanwhile."""


class ArtifactInfo(Shown, frozen=True, kw_only=True):
    """A file that a skill made and told of; it stays on the agent's machine."""

    name: str
    media_type: str = ""
    size: int = 0
    """In bytes."""
    sha256: str = ""


class TraceStep(Shown, frozen=True, kw_only=True):
    """Something that happened to a task between its attempts' beginnings and ends."""

    seq: int
    at: datetime
    kind: str
    """`question`, `answer` or `artifact`."""
    attempt: int
    artifact: ArtifactInfo | None = None
    """What was told of an artifact; only of the task that was asked for."""


class TraceTask(Shown, frozen=True, kw_only=True):
    """One task of a trace."""

    task: TaskSummary
    depth: int
    """How many of the tasks before it, that are shown, called for it."""
    attempts: list[TraceAttempt]
    steps: list[TraceStep]
    """The first ones and the last ones, where there are very many."""


class TraceInfo(Shown, frozen=True, kw_only=True):
    """All tasks of a trace that one sees, each behind the one that called it, and in the order of their making."""

    trace_id: str
    tasks: list[TraceTask]
    more: bool
    """There are more tasks in it than are shown: the newest are, and the one that was asked for."""
