"""Events from memory: to everybody who is in step, without a gap, and in bounded memory."""

from __future__ import annotations

import asyncio
from functools import partial

import msgspec
import pytest

from agentic_atlas.backend.domain.records import Submitted, Task, TaskEvent, TaskEventKind
from agentic_atlas.backend.engine.feed import Feed, Watch
from agentic_atlas.backend.ports import Write
from agentic_atlas.backend.store.memory import MemoryStore
from agentic_atlas.bus.local import Bus
from agentic_atlas.compose.sources import wall
from agentic_atlas.errors import Busy
from agentic_atlas.protocol.tasks import TaskState
from tests.conformance.store.samples import task

TASKS = MemoryStore(lambda prefix: f"{prefix}_1").tasks


def event(seq: int, size: int = 1) -> TaskEvent:
    return TaskEvent("task_00000001", seq, 0.0, TaskEventKind.LOG, b"x" * size)


def changed(seq: int, state: TaskState = TaskState.WORKING) -> Task:
    return msgspec.structs.replace(task(1), last_seq=seq, state=state)


class Log:
    """What is stored, and how often it was read."""

    def __init__(self, *stored: TaskEvent) -> None:
        self.stored = list(stored)
        self.reads: list[int] = []

    async def read(self, after: int) -> list[TaskEvent]:
        self.reads.append(after)
        await asyncio.sleep(0)
        return [event for event in self.stored if event.seq > after][:2]


async def test_who_is_in_step_gets_each_event_without_a_read() -> None:
    feed, log = Feed(Bus(), TASKS, wall), Log()
    with feed.story("task_00000001") as (watch, story), feed.story("task_00000001") as (_, other):
        assert other is story
        story.goes_on(3)
        assert await story.after(3, log.read) == []
        feed.tell(changed(5), [event(4), event(5)])
        assert await watch.changed(1)
        assert await story.after(3, log.read) == [event(4), event(5)]
        assert await story.after(4, log.read) == [event(5)]
        assert await story.after(5, log.read) == []
    assert log.reads == []


async def test_those_who_are_behind_at_the_same_number_read_together() -> None:
    feed, log = Feed(Bus(), TASKS, wall), Log(*map(event, range(1, 9)))
    with feed.story("task_00000001") as (_, story):
        story.goes_on(8)
        async with asyncio.TaskGroup() as group:
            read = [group.create_task(story.after(after, log.read)) for after in (0, 0, 4, 0, 4)]
        assert [[one.seq for one in task.result()] for task in read] == [[1, 2], [1, 2], [5, 6], [1, 2], [5, 6]]
        assert len(log.reads) <= 4
        assert story._page is None


async def test_a_reader_that_leaves_in_the_middle_does_not_take_the_others_with_it() -> None:
    feed, log = Feed(Bus(), TASKS, wall), Log(*map(event, range(1, 9)))
    with feed.story("task_00000001") as (_, story):
        story.goes_on(8)
        async with asyncio.TaskGroup() as group:
            leaving = group.create_task(story.after(0, log.read))
            staying = group.create_task(story.after(0, log.read))
            await asyncio.sleep(0)
            leaving.cancel()
        assert [one.seq for one in staying.result()] == [1, 2]


async def test_what_was_changed_elsewhere_is_read_and_never_left_out() -> None:
    bus = Bus()
    feed, elsewhere, log = Feed(bus, TASKS, wall), Feed(bus, TASKS, wall), Log(*map(event, range(1, 9)))
    with feed.story("task_00000001") as (watch, story):
        story.goes_on(4)
        elsewhere.tell(changed(6, TaskState.COMPLETED), [event(5), event(6)])
        assert await watch.changed(1)
        assert (watch.ended, watch.task) == (True, None)
        assert [one.seq for one in await story.after(4, log.read)] == [5, 6]
        feed.tell(changed(8), [event(8)])
        assert [one.seq for one in await story.after(6, log.read)] == [7, 8]
        assert log.reads == [4, 6]


async def test_events_in_memory_are_bounded_for_all_tasks_together_and_the_oldest_go_first() -> None:
    feed, log = (
        Feed(Bus(), TASKS, wall, remembered_bytes=10_000),
        Log(*(event(seq, 1_000) for seq in range(1, 41))),
    )
    with feed.story("task_00000001") as (_, story):
        for seq in range(1, 41):
            feed.tell(changed(seq), [event(seq, 1_000)])
        assert feed._memory._bytes <= 10_000
        assert [one.seq for one in await story.after(36, log.read)] == [37, 38, 39, 40]
        assert log.reads == []
        assert [one.seq for one in await story.after(1, log.read)] == [2, 3]
        assert log.reads == [1]


async def test_nothing_is_kept_of_a_task_that_nobody_follows() -> None:
    feed = Feed(Bus(), TASKS, wall)
    feed.tell(changed(1), [event(1)])
    assert feed._memory._bytes == 0
    with feed.story("task_00000001"):
        feed.tell(changed(2), [event(2)])
    assert (feed._stories, feed._watches) == ({}, {})


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("outcome", [Busy("no room"), Submitted(task(), created=False)])
async def test_there_is_no_end_to_wait_for_where_no_task_was_stored(outcome: Submitted | Busy, *, before: bool) -> None:
    write: Write[Submitted] = Write()
    settle = partial(write.settle, outcome)
    if before:
        settle()
    else:
        asyncio.get_running_loop().call_soon(settle)
    async with asyncio.timeout(10):
        await Watch().end(60, unless=write)
    assert write.done


async def test_the_end_of_a_task_is_waited_for_while_it_is_stored_and_after() -> None:
    write: Write[Submitted] = Write()
    watch = Watch()
    waiting = asyncio.ensure_future(watch.end(60, unless=write))
    await asyncio.sleep(0)
    write.settle(Submitted(task(), created=True))
    for _ in range(3):
        await asyncio.sleep(0)
    assert not waiting.done()
    watch.ring("", b"3 end")
    async with asyncio.timeout(10):
        await waiting
