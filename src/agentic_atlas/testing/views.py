"""Tasks and events as a client shows them."""

from datetime import UTC, datetime
from typing import Any

import msgspec

from agentic_atlas.backend.domain.questions import Question
from agentic_atlas.backend.domain.records import Task, TaskEvent
from agentic_atlas.sdk.client import records as records


def task_info(task: Task) -> records.TaskInfo:
    """Return the task as `GET /tasks/{id}` answers it."""
    fault = None
    if task.error is not None:
        fault = records.TaskFault(code=task.error.code, message=task.error.message, detail=_json(task.error.detail))
    return records.TaskInfo(
        id=task.id,
        state=task.state.value,
        agent=task.agent,
        skill=task.skill,
        input_bytes=len(task.input),
        output_bytes=None if task.output is None else len(task.output),
        input=_json(task.input),
        output=None if task.output is None else _json(task.output),
        error=fault,
        caller=records.CallerInfo(kind=task.caller.kind, id=task.caller.id, name=task.caller.name),
        created_at=_at(task.created_at),
        updated_at=_at(task.updated_at),
        ended_at=None if task.ended_at is None else _at(task.ended_at),
        deadline=None if task.deadline is None else _at(task.deadline),
        timeout=task.timeout,
        priority=task.priority,
        delivery=task.delivery.value,
        retries=task.retries,
        max_attempts=task.max_attempts,
        attempt=task.attempt,
        parent_id=task.parent_id,
        trace_id=task.trace_id,
        instance_id=task.instance_id,
        last_seq=task.last_seq,
        cancel_requested=task.cancel_reason is not None,
        questions=[question_info(question) for question in task.dialogue.questions],
    )


def question_info(question: Question) -> records.QuestionInfo:
    """Return a question as its task has it."""
    return records.QuestionInfo(
        number=question.number,
        question=question.text,
        state=question.state,
        schema=_json(question.schema),
        asked_at=_at(question.asked_at),
        expires_at=None if question.expires_at is None else _at(question.expires_at),
        answer=_json(question.answer),
        settled_at=None if question.settled_at is None else _at(question.settled_at),
        answered_by=question.answered_by or None,
    )


def task_event(event: TaskEvent) -> records.TaskEvent:
    """Return the event as the task's stream of events has it."""
    return records.TaskEvent(
        seq=event.seq, kind=event.kind.value, at=_at(event.at), attempt=event.attempt, data=_json(event.data)
    )


def _json(data: bytes | msgspec.Raw) -> Any:
    return msgspec.json.decode(data)


def _at(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
