"""Tasks, their questions and events, as the API shows them."""

from datetime import datetime

import msgspec
from msgspec import Raw

from agentic_atlas.api.views.times import at, maybe
from agentic_atlas.backend.domain.questions import Question
from agentic_atlas.backend.domain.records import (
    EventKind,
    Task,
    TaskEvent,
)
from agentic_atlas.backend.ports import Summary
from agentic_atlas.http.answers import ErrorBody
from agentic_atlas.protocol.messages import NULL, Delivery
from agentic_atlas.protocol.tasks import TaskState

MOST_MESSAGE = 500
"""Characters of an error's message in a summary."""


class CallerView(msgspec.Struct):
    """Who asked."""

    kind: str
    id: str
    name: str


class FaultView(msgspec.Struct):
    """Why a task has no output."""

    code: str
    message: str
    detail: Raw


class QuestionView(msgspec.Struct):
    """A question of a task to a person."""

    number: int
    question: str
    state: str
    """`open`, `answered` or `expired`."""
    schema: Raw
    """JSON Schema of the answer while it is open; null when any JSON value will do."""
    asked_at: datetime
    expires_at: datetime | None
    answer: Raw
    """Null unless it was answered."""
    settled_at: datetime | None
    """When it was answered or expired."""
    answered_by: str | None


class TaskSummaryView(msgspec.Struct):
    """A task without its payloads, as lists have it."""

    id: str
    agent: str
    skill: str
    state: TaskState
    input_bytes: int
    """Length of the input as JSON."""
    output_bytes: int | None
    """Length of the output as JSON; null without one."""
    error: FaultView | None
    """In lists without its detail, and with at most 500 characters of its message."""
    caller: CallerView
    created_at: datetime
    updated_at: datetime
    ended_at: datetime | None
    deadline: datetime | None
    timeout: float | None
    priority: int
    delivery: Delivery
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
    cancel_requested: bool


class TaskView(TaskSummaryView):
    """A task."""

    input: Raw
    output: Raw | None
    questions: list[QuestionView]
    """What it asked, by number; of those that an attempt left without an answer, only what the present one asks."""
    note: str | None = None
    """Why it waits, or has not ended yet, in a sentence."""


class TaskPage(msgspec.Struct):
    """Part of a list of tasks, newest first."""

    items: list[TaskSummaryView]
    next: str | None


class BatchItem(msgspec.Struct, omit_defaults=True):
    """What became of one of several tasks: `task`, or `error`."""

    task: TaskSummaryView | None = None
    error: ErrorBody | None = None


class BatchView(msgspec.Struct):
    """What became of several tasks, in their order."""

    results: list[BatchItem]


class EventView(msgspec.Struct):
    """Something that happened to a task."""

    seq: int
    at: datetime
    kind: EventKind
    attempt: int
    data: Raw


class EventPage(msgspec.Struct):
    """Part of a task's events, in order."""

    items: list[EventView]
    next: int | None
    """What to give as `after` for the part that follows; null when these are all that there are now."""


def task_view(task: Task, note: str | None = None) -> TaskView:
    """Show a task."""
    error = None if task.error is None else FaultView(task.error.code, task.error.message, Raw(task.error.detail))
    summary = msgspec.structs.replace(summary_of(task), error=error)
    output = None if task.output is None else Raw(task.output)
    questions = [question_view(question) for question in task.dialogue.questions]
    return TaskView(
        **msgspec.structs.asdict(summary), input=Raw(task.input), output=output, questions=questions, note=note
    )


def summary_of(task: Task) -> TaskSummaryView:
    """Show a task that is known in full, without its payloads."""
    return summary_view(Summary(task, len(task.input), None if task.output is None else len(task.output)))


def summary_view(summary: Summary) -> TaskSummaryView:
    """Show a task without its payloads."""
    task, error = summary.task, summary.task.error
    return TaskSummaryView(
        id=task.id,
        agent=task.agent,
        skill=task.skill,
        state=task.state,
        input_bytes=summary.input_bytes,
        output_bytes=summary.output_bytes,
        error=None if error is None else FaultView(error.code, error.message[:MOST_MESSAGE], NULL),
        caller=CallerView(task.caller.kind, task.caller.id, task.caller.name),
        created_at=at(task.created_at),
        updated_at=at(task.updated_at),
        ended_at=maybe(task.ended_at),
        deadline=maybe(task.deadline),
        timeout=task.timeout,
        priority=task.priority,
        delivery=task.delivery,
        retries=task.retries,
        max_attempts=task.max_attempts,
        waits_until=maybe(task.queue_expires_at) if task.state is TaskState.SUBMITTED else None,
        attempt=task.attempt,
        parent_id=task.parent_id,
        retry_of=task.retry_of,
        trace_id=task.trace_id,
        instance_id=task.instance_id,
        last_seq=task.last_seq,
        cancel_requested=task.cancel_reason is not None,
    )


def question_view(question: Question) -> QuestionView:
    """Show a question."""
    return QuestionView(
        number=question.number,
        question=question.text,
        state=question.state,
        schema=question.schema,
        asked_at=at(question.asked_at),
        expires_at=maybe(question.expires_at),
        answer=question.answer,
        settled_at=maybe(question.settled_at),
        answered_by=question.answered_by or None,
    )


def event_view(event: TaskEvent) -> EventView:
    """Show an event."""
    return EventView(event.seq, at(event.at), event.kind, event.attempt, Raw(event.data))
