"""Tasks that were called by an attempt of another task, and end with it.

The attempt is named in the child's idempotency key, so that the same call sent again finds the same child.
"""

from collections.abc import Iterable, Iterator, Mapping

from agentic_atlas.backend.domain.records import Task
from agentic_atlas.protocol.tasks import LEASED


def call_key(parent_id: str, attempt: int, call_id: str) -> str:
    """Return the idempotency key of the child that a call becomes."""
    return f"{parent_id}:{attempt}:{call_id}"


def orphans(open_tasks: Iterable[Task]) -> Iterator[Task]:
    """Return the open children whose calling attempt does not run any more, or is to stop."""
    by_id = {task.id: task for task in open_tasks}
    return (task for task in by_id.values() if task.parent_id is not None and not _is_called(task, by_id))


def _is_called(child: Task, open_tasks: Mapping[str, Task]) -> bool:
    parent = open_tasks.get(child.parent_id or "")
    if parent is None or parent.state not in LEASED or parent.cancel_reason is not None:
        return False
    return (child.idempotency_key or "").startswith(call_key(parent.id, parent.attempt, ""))
