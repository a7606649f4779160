"""Tells who waits for a task that there is something new. The news itself is read from the store, in order."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from agentic_atlas.backend.domain.records import Task
from agentic_atlas.bus.base import Bus

_PREFIX = "task."
END = b"end"


class Watch:
    """One watcher's bell: rings when its task changed."""

    def __init__(self) -> None:
        self._bell = asyncio.Event()
        self.task: Task | None = None
        """The task as this process last changed it; None when another one did, or nobody."""
        self.ended = False
        """True once the task is known to have ended."""
        self.closed = False
        """True once the server is stopping: whoever watches ends."""

    def ring(self, _subject: str, payload: bytes) -> None:
        """There is something new."""
        self.ended = self.ended or payload == END
        self._bell.set()

    def close(self) -> None:
        """The server is stopping."""
        self.closed = True
        self._bell.set()

    async def changed(self, timeout: float) -> bool:
        """Wait until it rings, at most `timeout` seconds; False when the time is over."""
        try:
            async with asyncio.timeout(timeout):
                await self._bell.wait()
        except TimeoutError:
            return False
        self._bell.clear()
        return True


class Feed:
    """The changes of tasks, as subjects of the bus."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._watches: dict[str, set[Watch]] = {}
        self._closed = False

    def tell(self, task: Task) -> None:
        """The task has changed, and that is committed."""
        for watch in self._watches.get(task.id, ()):
            watch.task = task
        self._bus.publish(_PREFIX + task.id, END if task.terminal else b"")

    @contextmanager
    def watch(self, task_id: str) -> Iterator[Watch]:
        """Watch a task; begin before the first read, and nothing is missed between."""
        watch = Watch()
        watch.closed = self._closed
        self._watches.setdefault(task_id, set()).add(watch)
        subscription = self._bus.subscribe(_PREFIX + task_id, watch.ring)
        try:
            yield watch
        finally:
            subscription.cancel()
            self._watches[task_id].discard(watch)
            if not self._watches[task_id]:
                del self._watches[task_id]

    def close(self) -> None:
        """End every watch, and each that begins from now on: watchers come back to the server's successor."""
        self._closed = True
        for watches in self._watches.values():
            for watch in watches:
                watch.close()
