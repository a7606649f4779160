"""What happened to the tasks of a trace, in memory."""

from collections.abc import Callable, Collection, Mapping, Sequence

from msgspec.structs import replace

from agentic_atlas.backend.domain.logs import TaskOwner
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

    async def owners(self, task_ids: Collection[str]) -> Mapping[str, TaskOwner]:
        """See the port."""
        found = [await self._tasks().get(id_) for id_ in task_ids]
        return {
            task.id: TaskOwner(task.agent_id, task.owner_id, task.caller.id, task.trace_id)
            for task in found
            if task is not None
        }


def _said(event: TaskEvent, cuts_of: str) -> bool:
    artifact = event.kind is TaskEventKind.ARTIFACT and event.task_id == cuts_of
    return event.kind in SAYING or (artifact and len(event.data) <= MOST_TOLD)
