"""The trace of a question as a tree: which agent called which, when, and for how long."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from datetime import datetime

    from agentic_atlas.protocol.caller.tasks import TaskSummary


Branch: TypeAlias = "tuple[str, TaskSummary]"
"""What is drawn before a task, for instance `│  └─ `, and the task."""


def tree(tasks: Iterable[TaskSummary]) -> list[Branch]:
    """Return the tasks of one trace in the order a tree is read, each under the one that called it.

    A task whose parent is not among them stands at the top, so that nothing is left out.
    """
    ordered = sorted(tasks, key=_age)
    known = {task.id for task in ordered}
    called: dict[str | None, list[TaskSummary]] = {}
    for task in ordered:
        called.setdefault(task.parent_id if task.parent_id in known else None, []).append(task)
    return list(_branches(called, None, ""))


def _branches(called: dict[str | None, list[TaskSummary]], parent: str | None, before: str) -> Iterator[Branch]:
    children = called.get(parent, [])
    for task in children:
        last = task is children[-1]
        top = parent is None
        yield "" if top else before + ("└─ " if last else "├─ "), task
        yield from _branches(called, task.id, "" if top else before + ("   " if last else "│  "))


def _age(task: TaskSummary) -> tuple[datetime, str]:
    return task.created_at, task.id
