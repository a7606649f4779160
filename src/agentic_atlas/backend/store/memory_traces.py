"""What happened to the tasks of a trace, in memory."""

from collections.abc import Callable, Sequence

from msgspec.structs import replace

from agentic_atlas.backend.domain.records import TaskEvent, TaskEventKind
from agentic_atlas.backend.ports import MOST_TOLD, SAYING, STEPS, Tasks


class MemoryTraces:
    """`ports.Traces`."""

    def __init__(self, tasks: Callable[[], Tasks]) -> None:
        """Take where the tasks are."""
        self._tasks = tasks

    async def steps(self, lasts: Sequence[tuple[str, int]], cuts_of: str = "") -> list[TaskEvent]:
        """See the port."""
        found: list[TaskEvent] = []
        for task_id, last in lasts:
            found += await self._tasks().events(task_id, limit=last, most_bytes=1 << 40)
        told = (one if _said(one, cuts_of) else replace(one, data=b"{}") for one in found)
        return [one for one in told if one.kind in STEPS]


def _said(event: TaskEvent, cuts_of: str) -> bool:
    artifact = event.kind is TaskEventKind.ARTIFACT and event.task_id == cuts_of
    return event.kind in SAYING or (artifact and len(event.data) <= MOST_TOLD)
