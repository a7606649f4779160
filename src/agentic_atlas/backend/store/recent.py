"""Tasks that this process wrote last and that still change: what would be read again for their next change."""

from agentic_atlas.backend.domain.questions import TaskQuestion
from agentic_atlas.backend.domain.records import Task

_RECORD = 1_024
"""Bytes counted for a task besides its payloads."""
_QUESTION = 256
"""Bytes counted for a question besides its text, schema and answer."""


class Recent:
    """Tasks exactly as they are in the database, the least recently written forgotten first.

    Only right where nobody else writes: a process that shares its database keeps none (`most_bytes=0`).
    """

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._bytes = 0
        self._tasks: dict[str, Task] = {}

    def __len__(self) -> int:
        return len(self._tasks)

    def get(self, task_id: str) -> Task | None:
        """Return the task, or None when it has to be read."""
        return self._tasks.get(task_id)

    def keep(self, task: Task) -> None:
        """Remember a task that was committed; one that has ended is forgotten."""
        before = self._tasks.pop(task.id, None)
        if before is not None:
            self._bytes -= _size(before)
        if not task.terminal:
            self._tasks[task.id] = task
            self._bytes += _size(task)
        while self._bytes > self._most_bytes:
            self._bytes -= _size(self._tasks.pop(next(iter(self._tasks))))

    def clear(self) -> None:
        """Forget everything: something may have been written that is not known here."""
        self._tasks.clear()
        self._bytes = 0


def _size(task: Task) -> int:
    return _RECORD + len(task.input) + sum(map(_size_of, task.dialogue.questions))


def _size_of(question: TaskQuestion) -> int:
    return _QUESTION + sum(memoryview(part).nbytes for part in (question.schema, question.answer)) + len(question.text)
