"""How many watch the events of tasks at the same time: of one task, and with one API key. Pure."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from agentic_atlas.errors import Busy

_LATER = 5.0
"""Seconds after which one who found no place may try again."""


class Watchers:
    """The places of watchers, each taken for as long as somebody watches."""

    def __init__(self, per_task: int, per_key: int) -> None:
        self._per_task = per_task
        self._per_key = per_key
        self._of_task: Counter[str] = Counter()
        self._of_key: Counter[str] = Counter()

    def __len__(self) -> int:
        return self._of_task.total()

    @contextmanager
    def place(self, task_id: str, key_id: str) -> Iterator[None]:
        """Take a place until the end of the block.

        Raises:
            Busy: all places of the task, or of the key, are taken (`too_many_watchers`).
        """
        if self._of_task[task_id] >= self._per_task:
            raise _full(f"{self._per_task} watch this task already")
        if self._of_key[key_id] >= self._per_key:
            raise _full(f"this API key watches {self._per_key} tasks already")
        self._of_task[task_id] += 1
        self._of_key[key_id] += 1
        try:
            yield
        finally:
            _leave(self._of_task, task_id)
            _leave(self._of_key, key_id)


def _leave(places: Counter[str], key: str) -> None:
    places[key] -= 1
    if not places[key]:
        del places[key]


def _full(why: str) -> Busy:
    return Busy(
        f"{why}: end some of them, or ask for the task with `wait`", code="too_many_watchers", retry_after=_LATER
    )
