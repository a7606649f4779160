"""Tasks that were called by an attempt of another task, and end with it.

The attempt is named in the child's idempotency key, so that the same call sent again finds the same child.
"""

from collections.abc import Iterable, Iterator, Mapping

from msgspec import Raw

from agentic_atlas.backend.domain.records import Task
from agentic_atlas.errors import InvalidInput
from agentic_atlas.protocol.messages import NULL, Fault, Reply, ReplyKind
from agentic_atlas.protocol.tasks import LEASED

MAX_DEPTH = 16
"""Longest chain of agents that call agents."""


def call_key(parent_id: str, attempt: int, call_id: str) -> str:
    """Return the idempotency key of the child that a call becomes."""
    return f"{parent_id}:{attempt}:{call_id}"


def depth_below(parent: Task) -> int:
    """Return the depth of a child of this task. Raises InvalidInput when no task may be as deep."""
    if parent.depth + 1 > MAX_DEPTH:
        raise InvalidInput(f"more than {MAX_DEPTH} agents call one another: is it a circle?", code="call_too_deep")
    return parent.depth + 1


def final_reply(call_id: str, ended: Task) -> Reply:
    """Return the answer to a call whose child has ended."""
    error = None
    if ended.error is not None:
        error = Fault(ended.error.code, ended.error.message, Raw(ended.error.detail))
    output = NULL if ended.output is None else Raw(ended.output)
    return Reply(call_id, ReplyKind.RESULT, ended.id, ended.last_seq, data=output, state=ended.state.value, error=error)


def orphans(open_tasks: Iterable[Task]) -> Iterator[Task]:
    """Return the open children whose calling attempt does not run any more, or is to stop."""
    by_id = {task.id: task for task in open_tasks}
    return (task for task in by_id.values() if task.parent_id is not None and not _is_called(task, by_id))


def _is_called(child: Task, open_tasks: Mapping[str, Task]) -> bool:
    parent = open_tasks.get(child.parent_id or "")
    if parent is None or parent.state not in LEASED or parent.cancel_reason is not None:
        return False
    return (child.idempotency_key or "").startswith(call_key(parent.id, parent.attempt, ""))
