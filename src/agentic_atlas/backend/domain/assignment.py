"""What a router is told of a task."""

from msgspec import Raw

from agentic_atlas.backend.domain.records import Task
from agentic_atlas.protocol import messages
from agentic_atlas.protocol.inside.messages import Stop
from agentic_atlas.protocol.passing import passed_on


def assignment(task: Task) -> messages.Task:
    """Return the message that delivers the task's current attempt."""
    return passed_on(
        messages.Task,
        task,
        task=task.id,
        input=Raw(task.input),
        caller=messages.Caller(kind=task.caller.kind, id=task.caller.id, name=task.caller.name),
        parent=task.parent_id,
        answers=task.dialogue.reactions,
    )


def stop(task: Task) -> Stop:
    """Return what has the task's current attempt stopped: it is to be canceled, or ended without its agent."""
    return Stop(task.id, task.attempt, task.cancel_reason or (task.error.message if task.error else ""))
