"""Tasks: what may be asked of them, and how they, their questions and their events are shown."""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import Meta, Raw

from agentic_atlas.errors import TaskError
from agentic_atlas.protocol.caller.values import Asked, ErrorInfo, Json, NotNegative, Page, Positive, Shown
from agentic_atlas.protocol.messages import Delivery
from agentic_atlas.protocol.tasks import TERMINAL, TaskState


class TaskOptions(Asked, frozen=True, kw_only=True):
    """What may be asked of a task beside its input; None leaves it to the skill or the server."""

    idempotency_key: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    """The same key from the same caller is one task."""
    deadline: Annotated[datetime, Meta(tz=True)] | None = None
    """When it must have ended."""
    timeout: Positive | None = None
    """Seconds from its start to its end; in place of the skill's."""
    priority: Annotated[int, Meta(ge=0, le=9)] = 0
    """Higher ones first."""
    queue_ttl: NotNegative | None = None
    """Seconds to wait for a slot; 0: as long as the agent is there, and for one on its way back after a restart of the
    server. Without it: a day."""
    delivery: Literal["at_least_once", "at_most_once"] | None = None
    """In place of the skill's: stricter, not laxer."""
    retries: Annotated[int, Meta(ge=0, le=100)] | None = None
    """Further attempts after an error of the handler itself, in place of the skill's."""
    max_attempts: Annotated[int, Meta(ge=1, le=100)] | None = None
    """Attempts that may be lost with their instance, in place of the skill's."""


class SubmitRequest(TaskOptions, frozen=True):
    """One call of one skill."""

    agent: Annotated[str, Meta(min_length=1, max_length=129)]
    """`name`, or `owner/name`."""
    skill: Annotated[str, Meta(min_length=1, max_length=64)]
    input: Raw = msgspec.field(default_factory=lambda: Raw(b"{}"))
    """The skill's parameters, as an object."""


class BatchRequest(Asked, frozen=True, kw_only=True):
    """Several tasks at once, each accepted or not by itself."""

    tasks: Annotated[list[SubmitRequest], Meta(min_length=1, max_length=100)]


class CancelRequest(Asked, frozen=True, kw_only=True):
    """Why a task is to be stopped."""

    reason: Annotated[str, Meta(max_length=500)] = "canceled by the caller"


class AnswerRequest(Asked, frozen=True, kw_only=True):
    """What a person says to a question of a task."""

    answer: Raw
    """Any JSON value that fits the question's schema."""
    question: Annotated[int, Meta(ge=1, le=1_000)] | None = None
    """Number of the question; without it the oldest that is open."""


def _one_of(values: Iterable[str]) -> Meta:
    # Told by the reference and not checked: a newer server may have another one.
    return Meta(extra_json_schema={"enum": [str(value) for value in values]})


class CallerInfo(Shown, frozen=True, kw_only=True):
    """Who asked for a task; `kind` is `user`, `api_key` or `agent`."""

    kind: str
    id: str
    name: str


class QuestionInfo(Shown, frozen=True, kw_only=True):
    """A question that a task asks, or asked, a person."""

    number: int
    question: str
    state: str
    """`open`, `answered` or `expired`."""
    schema: Json
    """JSON Schema of the answer while it is open; null when any JSON value will do."""
    asked_at: datetime
    expires_at: datetime | None
    answer: Json
    """Null unless it was answered."""
    settled_at: datetime | None
    """When it was answered or expired."""
    answered_by: str | None

    @property
    def open(self) -> bool:
        """True while it waits for an answer."""
        return self.state == "open"


class TaskSummary(Shown, frozen=True, kw_only=True):
    """A task as it was when the server answered, without its payloads: what lists have."""

    id: str
    agent: str
    """`owner/name`."""
    skill: str
    state: Annotated[str, _one_of(TaskState)]
    input_bytes: int
    """Length of the input as JSON."""
    output_bytes: int | None
    """Length of the output as JSON; null without one."""
    error: ErrorInfo | None
    """In lists without its detail, and with at most 500 characters of its message."""
    caller: CallerInfo
    created_at: datetime
    updated_at: datetime
    ended_at: datetime | None
    deadline: datetime | None
    timeout: float | None
    priority: int
    delivery: Annotated[str, _one_of(Delivery)]
    retries: int
    max_attempts: int
    waits_until: datetime | None
    """When it fails if no instance has taken it by then; null unless it waits, and with `queue_ttl` 0."""
    attempt: int
    parent_id: str | None
    retry_of: str | None
    trace_id: str
    instance_id: str | None
    last_seq: int
    """Number of its newest event."""
    cancel_requested: bool

    @property
    def done(self) -> bool:
        """True when the state is final and nothing about the task changes any more."""
        return self.state in TERMINAL

    @property
    def failure(self) -> TaskError | None:
        """The error a finished task without an output stands for; None while it runs or when it completed."""
        if not self.done or self.state == "completed":
            return None
        why = self.error or ErrorInfo(code=self.state, message=f"the task ended {self.state}")
        return TaskError(why.message, code=why.code, detail=why.detail, task_id=self.id, state=self.state)


class TaskInfo(TaskSummary, frozen=True, kw_only=True):
    """A task as it was when the server answered."""

    input: Json
    output: Json
    """Null without one."""
    questions: list[QuestionInfo]
    """What it asked, by number; of those that an attempt left without an answer, only what the present one asks."""
    note: str | None = None
    """Why it waits, or has not ended yet, in a sentence."""

    @property
    def question(self) -> QuestionInfo | None:
        """The oldest question that waits for an answer."""
        return next((question for question in self.questions if question.open), None)


class TaskPage(Page[TaskSummary, str], frozen=True, kw_only=True):
    """Part of a list of tasks, newest first."""


class BatchItem(Shown, frozen=True, kw_only=True, omit_defaults=True):
    """What became of one of several tasks: `task`, or `error`."""

    task: TaskSummary | None = None
    error: ErrorInfo | None = None


class BatchAnswer(Shown, frozen=True, kw_only=True):
    """What became of several tasks, in their order."""

    results: list[BatchItem]


class EventInfo(Shown, frozen=True, kw_only=True):
    """Something that happened to a task; `seq` numbers them in order."""

    seq: int
    at: datetime
    kind: Annotated[str, _one_of(("state", "progress", "chunk", "log", "artifact", "question", "answer", "connection"))]
    attempt: int
    data: Json

    @property
    def ends(self) -> bool:
        """True for the last event of a task."""
        return self.kind == "state" and self.data.get("state") in TERMINAL


class CallEvent(msgspec.Struct, frozen=True):
    """Something that happened to a called task; the last one has kind `result` and the output as data."""

    kind: str
    """`progress`, `chunk`, `log`, `artifact`, `question`, `answer`, and at the end `result`."""
    data: Json
    """JSON values as Python has them; of a `chunk`, `{"value": …}`."""
    task_id: str
    seq: int = 0


EventPage: TypeAlias = Page[EventInfo, int]
"""Part of a task's events, in order."""
