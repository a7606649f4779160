"""The trace of a question as a tree: which agent called which, when, and for how long."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agentic_atlas.protocol.caller.tasks import TaskSummary


@dataclass(frozen=True)
class Branch:
    """A task in its place.

    Attributes:
        lines: what is drawn before it, for instance `│  └─ `.
        began: seconds from the beginning of the trace to its own.
        took: seconds it took; None when it has not ended.
    """

    lines: str
    task: TaskSummary
    began: float
    took: float | None


def tree(tasks: Iterable[TaskSummary]) -> list[Branch]:
    """Return the tasks of one trace in the order a tree is read, each under the one that called it.

    A task whose parent is not among them stands at the top, so that nothing is left out.
    """
    ordered = sorted(tasks, key=_age)
    known = {task.id for task in ordered}
    called: dict[str | None, list[TaskSummary]] = {}
    for task in ordered:
        called.setdefault(task.parent_id if task.parent_id in known else None, []).append(task)
    begin = ordered[0].created_at if ordered else None
    return list(_branches(called, None, "", begin))


def _branches(
    called: dict[str | None, list[TaskSummary]], parent: str | None, before: str, begin: datetime | None
) -> Iterator[Branch]:
    children = called.get(parent, [])
    for task in children:
        last = task is children[-1]
        began = (task.created_at - begin).total_seconds() if begin else 0.0
        took = (task.ended_at - task.created_at).total_seconds() if task.ended_at else None
        top = parent is None
        yield Branch("" if top else before + ("└─ " if last else "├─ "), task, began, took)
        yield from _branches(called, task.id, "" if top else before + ("   " if last else "│  "), begin)


def _age(task: TaskSummary) -> tuple[datetime, str]:
    return task.created_at, task.id
