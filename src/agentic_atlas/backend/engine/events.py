"""The events of a task, those that are there and those that come, and its end."""

from collections.abc import AsyncIterator
from functools import partial

from agentic_atlas.backend.domain.records import Task, TaskEvent
from agentic_atlas.backend.engine.engine import Engine
from agentic_atlas.backend.engine.feed import Story, Watch
from agentic_atlas.backend.ports import Summary
from agentic_atlas.errors import Busy, Unavailable

AT_ONCE = 32
"""Events read for a follower at a time."""
BYTES_AT_ONCE = 256 * 1024
"""Events read for a follower at a time: as many as one that does not read may keep in memory."""

IN_PAGE = 500
"""Events in an answer that is not a stream; see also `ports.EVENT_PAGE_BYTES`."""


async def page(engine: Engine, task_id: str, after: int) -> tuple[list[TaskEvent], int | None]:
    """Return events after this number, and the number after which there are more."""
    found = await engine.store.tasks.events(task_id, after=after, limit=IN_PAGE)
    # Looked at afterwards: what is stored meanwhile belongs to the part that follows.
    newest = await engine.store.tasks.summary(task_id) if found else None
    return found, found[-1].seq if newest is not None and newest.task.last_seq > found[-1].seq else None


async def follow(engine: Engine, task_id: str, after: int, keep_alive: float) -> AsyncIterator[list[TaskEvent]]:
    """Yield the task's events with a `seq` above `after`, in order and without gaps, until it has ended.

    It ends early when the server stops; the reader resumes after the last `seq` it has.
    Yields an empty list after `keep_alive` seconds without one, and while the store is busy or away.
    Leaving early changes nothing.
    """
    read = partial(_read, engine, task_id)
    known: Summary | None = None
    with engine.feed.follow(task_id) as (watch, story):
        while True:
            try:
                known = known or await _look(engine, task_id, story)
                found = await story.after(after, read)
            except (Busy, Unavailable) as error:
                # What has begun can't be answered "later" any more: it is read again then, and nothing is missing.
                yield []
                if watch.closed:
                    return
                await watch.changed(error.retry_after)
                continue
            if found:
                yield found
                after = found[-1].seq
                continue
            if watch.closed or watch.ended or known is None or known.task.terminal:
                return
            if not await watch.changed(keep_alive):
                yield []


async def _look(engine: Engine, task_id: str, story: Story) -> Summary | None:
    found = await engine.store.tasks.summary(task_id)
    if found is not None:
        story.goes_on(found.task.last_seq)
    return found


async def _read(engine: Engine, task_id: str, after: int) -> list[TaskEvent]:
    return await engine.store.tasks.events(task_id, after=after, limit=AT_ONCE, most_bytes=BYTES_AT_ONCE)


async def until_ended(engine: Engine, task_id: str, seconds: float) -> Task | None:
    """Return the task when it has ended, or as it is after `seconds`; None when there is none.

    Nothing of its payloads is in memory meanwhile: there may be many who wait.
    """
    with engine.feed.watch(task_id) as watch:
        found = await engine.store.tasks.summary(task_id)
        if found is None or found.task.terminal:
            return None if found is None else await engine.store.tasks.get(task_id)
        return await end(engine, task_id, watch, seconds)


async def end(engine: Engine, task_id: str, watch: Watch, seconds: float) -> Task | None:
    """Wait for the end of a task that had not ended after the watch began."""
    await watch.end(seconds)
    if watch.task is not None and watch.task.terminal:
        return watch.task
    return await engine.store.tasks.get(task_id)
