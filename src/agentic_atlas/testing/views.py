"""Tasks and events as a client has them: what the API shows, read as a client reads it."""

from typing import TypeVar

import msgspec

from agentic_atlas.backend.domain.records import Task, TaskEvent
from agentic_atlas.backend.usecases import shown
from agentic_atlas.protocol.caller.tasks import EventInfo, TaskInfo

T = TypeVar("T", TaskInfo, EventInfo)


def task_info(task: Task) -> TaskInfo:
    """Return the task as `GET /tasks/{id}` answers it."""
    return _read(shown.task_info(task))


def event_info(event: TaskEvent) -> EventInfo:
    """Return the event as the task's stream of events has it."""
    return _read(shown.event_info(event))


def _read(answer: T) -> T:
    return msgspec.json.decode(msgspec.json.encode(answer), type=type(answer))
