"""The events of a task, those that are there and those that come, and its end: for whoever watches it.

Whoever waits for a task is told that there is something new. Whoever follows a task's events and stands where the
others stand gets each event from memory, once for all of them. Only one who is behind reads from the store, and those
who are behind at the same number read together.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import msgspec

from agentic_atlas.backend.domain.records import Submitted, Task, TaskEvent, TaskEventKind
from agentic_atlas.backend.ports import Clock, Summary, Tasks, Write
from agentic_atlas.backend.rights import Principal, key_expired
from agentic_atlas.bus.local import Bus
from agentic_atlas.errors import AtlasError, Busy, Unavailable
from agentic_atlas.protocol.tasks import TaskState

_PREFIX = "task."
_END = b"end"

AT_ONCE = 32
"""Events read for a follower at a time."""
BYTES_AT_ONCE = 256 * 1024
"""Events read for a follower at a time: as many as one that does not read may keep in memory."""

IN_PAGE = 500
"""Events in an answer that is not a stream; see also `ports.EVENT_PAGE_BYTES`."""

REMEMBERED_BYTES = 32 * 1024 * 1024
"""Events of all followed tasks that are kept in memory; the oldest are forgotten first."""
_RECORD = 256
"""Bytes counted for an event besides its data."""

EVERYTHING = ""
"""Stands in place of a task's id for whoever watches all that changes; see `engine.changes`."""

Read = Callable[[int], Awaitable[list[TaskEvent]]]
"""Reads the events after a number from the store: some of them at least."""


class Moved(msgspec.Struct, frozen=True, gc=False):
    """What is counted of a task whose state has changed, or whose attempt was accepted: no payload is kept for it."""

    id: str
    agent: str
    skill: str
    state: TaskState
    attempt: int
    code: str
    """Of its error; empty without one."""
    created_at: float
    at: float


class Watch:
    """One watcher's bell: rings when its task changed.

    Attributes:
        who: watches, by what they have shown; None: this process itself, or who has a connection that ends with it.
    """

    def __init__(self, who: Principal | None = None) -> None:
        self.who = who
        self._refused: AtlasError | None = None
        self._rung = False
        self._for_end = False
        self._endless = False
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

    def refuse(self, error: AtlasError) -> None:
        """What the watcher has shown is good no more: they are told so when they would be told anything."""
        self._refused = error
        self._wake()

    def check(self) -> None:
        """Raise what the watcher was refused with (`refuse`)."""
        if self._refused is not None:
            raise self._refused

    async def changed(self, timeout: float) -> bool:
        """Wait until it rings, at most `timeout` seconds; False when the time is over. For one who waits at a time."""
        if not self._rung:
            await self._wait(timeout)
        self.check()
        rung, self._rung = self._rung, False
        return rung

    async def end(self, timeout: float, unless: Write[Submitted] | None = None) -> None:
        """Wait until the task is known to have ended or the server is stopping, at most `timeout` seconds.

        `unless` adds the task: when that comes to nothing, there is no end to wait for.
        """
        self._for_end = True
        if unless is not None:
            unless.then(self._stored)
        if not (self.ended or self.closed or self._endless):
            await self._wait(timeout)
        self.check()
        self._for_end = False

    async def _wait(self, timeout: float) -> None:
        self.check()
        loop = asyncio.get_running_loop()
        self._waiting = loop.create_future()
        late = loop.call_later(timeout, self._wake)
        try:
            await self._waiting
        finally:
            late.cancel()
            self._waiting = None

    def _stored(self, write: Write[Submitted]) -> None:
        if write.value is None or not write.value.created:
            self._endless = True
            self._wake()

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
    """The changes of tasks, as subjects of the bus, and the events that the store has of them.

    Attributes:
        told: number of the last change. Numbers are microseconds of the clock, but for the few that would not grow, so
            that whoever is given one learns nothing of how much changes that they do not see.
        given: the highest number that was given to a change or to somebody who looks; see `now`.
        hear: is told of every change, while somebody wants to know of all of them.
        moves: is told of every change of a state, likewise.
    """

    def __init__(self, bus: Bus, tasks: Tasks, clock: Clock, *, remembered_bytes: int = REMEMBERED_BYTES) -> None:
        self.told = self.given = int(clock() * 1_000_000)  # no process tells of so many changes in a second
        self.hear: Callable[[Task], None] | None = None
        self.moves: Callable[[Moved], None] | None = None
        self._bus = bus
        self._clock = clock
        self._tasks = tasks
        self._watches: dict[str, set[Watch]] = {}
        self._stories: dict[str, Story] = {}
        self._memory = _Memory(remembered_bytes)
        self._closed = False

    def now(self) -> int:
        """Return a number as high as that of every change that there was, and lower than that of each that comes."""
        self.given = max(self.given, int(self._clock() * 1_000_000))
        return self.given

    def count(self) -> None:
        """There is a change, of whatever it is."""
        self.told = self.given = self.now() + 1

    def tell(self, task: Task, events: Sequence[TaskEvent] = ()) -> None:
        """The task has changed, with these new events, and that is committed."""
        self.count()
        if self.hear is not None:
            self.hear(task)
        if self.moves is not None and events and events[-1].kind is TaskEventKind.STATE:
            code = "" if task.error is None else task.error.code
            known = (task.id, task.agent, task.skill, task.state, task.attempt, code, task.created_at)
            self.moves(Moved(*known, task.updated_at))
        for watch in self._watches.get(task.id, ()):
            watch.task = task
        story = self._stories.get(task.id)
        if story is not None:
            story.goes_on(task.last_seq, events)
        self._bus.publish(_PREFIX + task.id, b"%d %s" % (task.last_seq, _END if task.terminal else b""))

    @contextmanager
    def watch(self, task_id: str, who: Principal | None = None) -> Iterator[Watch]:
        """Watch a task; begin before the first read, and nothing is missed between.

        Waiting raises Unauthenticated once what `who` has shown is good no more.
        """
        watch = Watch(who)
        expires = who.expires_at if who is not None else None
        late = expires and asyncio.get_running_loop().call_later(
            max(0.0, expires - self._clock()), watch.refuse, key_expired()
        )
        watch.closed = self._closed
        self._watches.setdefault(task_id, set()).add(watch)
        unsubscribe = self._bus.subscribe(_PREFIX + task_id, watch.ring)
        try:
            yield watch
        finally:
            if late:
                late.cancel()
            unsubscribe()
            self._watches[task_id].discard(watch)
            if not self._watches[task_id]:
                del self._watches[task_id]

    @contextmanager
    def story(self, task_id: str, who: Principal | None = None) -> Iterator[tuple[Watch, Story]]:
        """Watch a task, and have its events from now on; those before are read from the store."""
        story = self._stories.setdefault(task_id, Story(self._memory))
        story.followers += 1
        unsubscribe = self._bus.subscribe(_PREFIX + task_id, lambda _, said: story.goes_on(int(said.split()[0])))
        try:
            with self.watch(task_id, who) as watch:
                yield watch, story
        finally:
            unsubscribe()
            story.followers -= 1
            if not story.followers:
                del self._stories[task_id]

    def ring(self) -> None:
        """There is something new for those who watch everything."""
        for watch in self._watches.get(EVERYTHING, ()):
            watch.ring(EVERYTHING, b"")

    def close(self) -> None:
        """End every watch, and each that begins from now on: watchers come back to the server's successor."""
        self._closed = True
        for watches in self._watches.values():
            for watch in watches:
                watch.close()

    def refuse(self, whose: str, error: AtlasError) -> None:
        """End the waiting of all who watch by this credential, or as this user; given by its id."""
        for watch in [watch for watches in self._watches.values() for watch in watches]:
            if watch.who is not None and whose in (watch.who.credential.id, watch.who.user.id):
                watch.refuse(error)

    def watched_by(self, user_id: str) -> dict[str, list[Watch]]:
        """Return by the ids of the tasks which watches there are of this user's, whatever they have shown."""
        theirs = {
            task_id: [watch for watch in watches if watch.who is not None and watch.who.user.id == user_id]
            for task_id, watches in self._watches.items()
        }
        return {task_id: watches for task_id, watches in theirs.items() if watches}

    async def page(self, task_id: str, after: int) -> tuple[list[TaskEvent], int | None]:
        """Return events after this number, and the number after which there are more."""
        found = await self._tasks.events(task_id, after=after, limit=IN_PAGE)
        # Looked at afterwards: what is stored meanwhile belongs to the part that follows.
        newest = await self._tasks.summary(task_id) if found else None
        return found, found[-1].seq if newest is not None and newest.task.last_seq > found[-1].seq else None

    async def follow(
        self,
        task_id: str,
        after: int,
        keep_alive: float,
        who: Principal | None = None,
        look: Callable[[], Awaitable[Summary | None]] | None = None,
    ) -> AsyncGenerator[list[TaskEvent], None]:
        """Yield the task's events with a `seq` above `after`, in order and without gaps, until it has ended.

        It ends early when the server stops; the reader resumes after the last `seq` it has.
        Yields an empty list after `keep_alive` seconds without one, and while the store is busy or away.
        Leaving early changes nothing. Raises Unauthenticated once what `who` has shown is good no more.

        `look` finds the task once it is watched, and raises when `who` does not see it any more: between the request
        and the first step of this, nobody who loses their right would be found.
        """
        look = look or partial(self._tasks.summary, task_id)
        read = partial(self._read, task_id)
        known: Summary | None = None
        with self.story(task_id, who) as (watch, story):
            while True:
                try:
                    known = known or await self._look(look, story)
                    found = await story.after(after, read)
                except (Busy, Unavailable) as error:
                    # What has begun can't be answered "later" any more: it is read again then, and nothing is missing.
                    yield []
                    if watch.closed:
                        return
                    await watch.changed(error.retry_after)
                    continue
                watch.check()  # after all that was waited for
                if found:
                    yield found
                    after = found[-1].seq
                    continue
                if watch.closed or watch.ended or known is None or known.task.terminal:
                    return
                if not await watch.changed(keep_alive):
                    yield []

    async def until_ended(self, task_id: str, seconds: float, who: Principal | None = None) -> Task | None:
        """Return the task when it has ended, or as it is after `seconds`; None when there is none.

        Nothing of its payloads is in memory meanwhile: there may be many who wait. Raises Unauthenticated once what
        `who` has shown is good no more.
        """
        with self.watch(task_id, who) as watch:
            found = await self._tasks.summary(task_id)
            if found is None or found.task.terminal:
                return None if found is None else await self._tasks.get(task_id)
            return await self.end(task_id, watch, seconds)

    async def end(self, task_id: str, watch: Watch, seconds: float) -> Task | None:
        """Wait for the end of a task that had not ended after the watch began."""
        await watch.end(seconds)
        if watch.task is not None and watch.task.terminal:
            return watch.task
        return await self._tasks.get(task_id)

    async def _look(self, look: Callable[[], Awaitable[Summary | None]], story: Story) -> Summary | None:
        found = await look()
        if found is not None:
            story.goes_on(found.task.last_seq)
        return found

    async def _read(self, task_id: str, after: int) -> list[TaskEvent]:
        return await self._tasks.events(task_id, after=after, limit=AT_ONCE, most_bytes=BYTES_AT_ONCE)
