"""What a router is told of a task."""

from msgspec import Raw

from agentic_atlas.backend.domain.records import Task
from agentic_atlas.protocol import messages
from agentic_atlas.protocol.inside.messages import Stop


def assignment(task: Task) -> messages.Task:
    """Return the message that delivers the task's current attempt."""
    return messages.Task(
        task=task.id,
        attempt=task.attempt,
        skill=task.skill,
        input=Raw(task.input),
        caller=messages.Caller(kind=task.caller.kind, id=task.caller.id, name=task.caller.name),
        trace=task.trace,
        created_at=task.created_at,
        deadline=task.deadline,
        timeout=task.timeout,
        parent=task.parent_id,
        depth=task.depth,
        answers=task.dialogue.reactions,
    )


def stop(task: Task) -> Stop:
    """Return what has the task's current attempt stopped: it is to be canceled, or ended without its agent."""
    return Stop(task.id, task.attempt, task.cancel_reason or (task.error.message if task.error else ""))
