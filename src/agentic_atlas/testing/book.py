"""The tasks of a network in memory, their events, and whoever waits for them.

Tasks change only by `backend.domain.lifecycle`: attempts, retries, fencing and numbers are those of a real network.
"""

import asyncio
from collections.abc import Callable, Iterator

from agentic_atlas.backend.domain.lifecycle import Change
from agentic_atlas.backend.domain.records import Task, TaskEvent
from agentic_atlas.protocol.tasks import TaskState


class Entry:
    """One task with its events; `ring` tells who waits that there is something new."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.events: list[TaskEvent] = []
        self._news = asyncio.Event()

    def ring(self) -> None:
        """Wake whoever waits."""
        self._news.set()
        self._news = asyncio.Event()

    async def changed(self) -> None:
        """Return at the next ring; whoever waits is bounded by the clock of the network, on which all tasks end."""
        await self._news.wait()


class Book:
    """All tasks since the beginning; `follow` is told of each change."""

    def __init__(self, follow: Callable[[Task], None]) -> None:
        self._follow = follow
        self._entries: dict[str, Entry] = {}
        self._open: dict[str, Entry] = {}
        self._keys: dict[tuple[str, str], Entry] = {}

    def entry(self, task_id: str) -> Entry | None:
        """Return the task's entry."""
        return self._entries.get(task_id)

    def of_key(self, caller: str, key: str) -> Entry | None:
        """Return what this caller submitted with this idempotency key."""
        return self._keys.get((caller, key))

    def open(self) -> Iterator[Task]:
        """Return the tasks that have not ended."""
        return (entry.task for entry in list(self._open.values()))

    def waiting(self, agent_id: str, now: float) -> Iterator[Task]:
        """Return the agent's tasks that may be claimed, the next one first."""
        waiting = [task for task in self.open() if task.agent_id == agent_id and task.state is TaskState.SUBMITTED]
        due = [task for task in waiting if task.not_before is None or task.not_before <= now]
        return iter(sorted(due, key=lambda task: (-task.priority, task.position)))

    def add(self, change: Change) -> Entry:
        """Keep a new task."""
        task = change.task
        entry = self._entries[task.id] = self._open[task.id] = Entry(task)
        if task.idempotency_key is not None:
            self._keys[task.caller.id, task.idempotency_key] = entry
        self._keep(entry, change)
        return entry

    def change(self, task_id: str, decide: Callable[[Task], Change | None]) -> bool:
        """Let `decide` see the task, and keep what it decides; False when that is nothing."""
        entry = self._entries.get(task_id)
        change = decide(entry.task) if entry is not None else None
        if entry is None or change is None:
            return False
        self._keep(entry, change)
        return True

    def close(self) -> None:
        """The network is over: wake whoever waits."""
        for entry in self._open.values():
            entry.ring()

    def _keep(self, entry: Entry, change: Change) -> None:
        entry.task = change.task
        entry.events.extend(change.events)
        if change.task.terminal:
            self._open.pop(change.task.id, None)
        self._follow(change.task)
        entry.ring()
