"""Tells who waits for a task that there is something new, and hands out the events that were stored last.

Whoever follows a task's events and stands where the others stand gets each event from memory, once for all of them.
Only one who is behind reads from the store, and those who are behind at the same number read together.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager

from agentic_atlas.backend.domain.records import Task, TaskEvent
from agentic_atlas.bus.base import Bus

_PREFIX = "task."
_END = b"end"

REMEMBERED_BYTES = 32 * 1024 * 1024
"""Events of all followed tasks that are kept in memory; the oldest are forgotten first."""
_RECORD = 256
"""Bytes counted for an event besides its data."""

Read = Callable[[int], Awaitable[list[TaskEvent]]]
"""Reads the events after a number from the store: some of them at least."""


class Watch:
    """One watcher's bell: rings when its task changed."""

    def __init__(self) -> None:
        self._rung = False
        self._for_end = False
        self._waiting: asyncio.Future[None] | None = None
        self.task: Task | None = None
        """The task as this process last changed it; None when another one did, or nobody."""
        self.ended = False
        """True once the task is known to have ended."""
        self.closed = False
        """True once the server is stopping: whoever watches ends."""

    def ring(self, _subject: str, payload: bytes) -> None:
        """There is something new."""
        self.ended = self.ended or payload.endswith(_END)
        self._ring()

    def close(self) -> None:
        """The server is stopping."""
        self.closed = True
        self._ring()

    async def changed(self, timeout: float) -> bool:
        """Wait until it rings, at most `timeout` seconds; False when the time is over. For one who waits at a time."""
        if not self._rung:
            await self._wait(timeout)
        rung, self._rung = self._rung, False
        return rung

    async def end(self, timeout: float) -> None:
        """Wait until the task is known to have ended or the server is stopping, at most `timeout` seconds."""
        self._for_end = True
        if not (self.ended or self.closed):
            await self._wait(timeout)
        self._for_end = False

    async def _wait(self, timeout: float) -> None:
        loop = asyncio.get_running_loop()
        self._waiting = loop.create_future()
        late = loop.call_later(timeout, self._wake)
        try:
            await self._waiting
        finally:
            late.cancel()
            self._waiting = None

    def _ring(self) -> None:
        self._rung = True
        # Whoever waits for the end is not woken for every step on the way there.
        if self.ended or self.closed or not self._for_end:
            self._wake()

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)


class _Memory:
    """The events that were handed out last, of all tasks together: so many bytes of them."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._bytes = 0
        self._order: deque[deque[TaskEvent]] = deque()

    def keep(self, log: deque[TaskEvent], event: TaskEvent) -> None:
        """Put an event at the end of a task's log; what is over is taken from the beginning of the oldest."""
        log.append(event)
        self._order.append(log)
        self._bytes += _RECORD + len(event.data)
        while self._bytes > self._most_bytes:
            self._bytes -= _RECORD + len(self._order.popleft().popleft().data)


class Story:
    """What is known of the events of one task that is followed.

    Attributes:
        followers: how many follow it.
    """

    def __init__(self, memory: _Memory) -> None:
        self.followers = 0
        self._memory = memory
        self._log: deque[TaskEvent] = deque()
        self._newest = 0
        self._page: tuple[int, list[TaskEvent]] | None = None
        self._reading = asyncio.Lock()
        self._readers = 0

    def goes_on(self, newest: int, events: Sequence[TaskEvent] = ()) -> None:
        """The task's last event has this number; these are the newest, as far as they are known."""
        self._newest = max(self._newest, newest)
        for event in events:
            if self._log and event.seq != self._log[-1].seq + 1:
                self._log = deque()
            self._memory.keep(self._log, event)

    async def after(self, seq: int, read: Read) -> list[TaskEvent]:
        """Return events after this number, in order and without a gap; none when there are none yet.

        Raises:
            AtlasError: as `read` does.
        """
        if seq >= self._newest:
            return []
        if self._log and self._log[0].seq <= seq + 1 <= self._log[-1].seq:
            return [event for event in self._log if event.seq > seq]
        self._readers += 1
        try:
            async with self._reading:
                if self._page is None or self._page[0] != seq:
                    self._page = seq, await read(seq)
                return self._page[1]
        finally:
            self._readers -= 1
            if not self._readers:
                self._page = None


class Feed:
    """The changes of tasks, as subjects of the bus."""

    def __init__(self, bus: Bus, *, remembered_bytes: int = REMEMBERED_BYTES) -> None:
        self._bus = bus
        self._watches: dict[str, set[Watch]] = {}
        self._stories: dict[str, Story] = {}
        self._memory = _Memory(remembered_bytes)
        self._closed = False

    def tell(self, task: Task, events: Sequence[TaskEvent] = ()) -> None:
        """The task has changed, with these new events, and that is committed."""
        for watch in self._watches.get(task.id, ()):
            watch.task = task
        story = self._stories.get(task.id)
        if story is not None:
            story.goes_on(task.last_seq, events)
        self._bus.publish(_PREFIX + task.id, b"%d %s" % (task.last_seq, _END if task.terminal else b""))

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

    @contextmanager
    def follow(self, task_id: str) -> Iterator[tuple[Watch, Story]]:
        """Watch a task, and have its events from now on; those before are read from the store."""
        story = self._stories.setdefault(task_id, Story(self._memory))
        story.followers += 1
        subscription = self._bus.subscribe(_PREFIX + task_id, lambda _, said: story.goes_on(int(said.split()[0])))
        try:
            with self.watch(task_id) as watch:
                yield watch, story
        finally:
            subscription.cancel()
            story.followers -= 1
            if not story.followers:
                del self._stories[task_id]

    def close(self) -> None:
        """End every watch, and each that begins from now on: watchers come back to the server's successor."""
        self._closed = True
        for watches in self._watches.values():
            for watch in watches:
                watch.close()
