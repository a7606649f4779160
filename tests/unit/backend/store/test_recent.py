"""What the writer remembers: the newest state of tasks that still change, within a number of bytes."""

from __future__ import annotations

from agentic_atlas.backend.domain.records import Task
from agentic_atlas.backend.store.recent import Recent
from tests.conformance.store.samples import claimed, completed, submitted, task


def changed(before: Task, change: object) -> Task:
    assert callable(change)
    after = change(before).task
    assert isinstance(after, Task)
    return after


def test_a_task_is_remembered_as_it_was_kept_last() -> None:
    recent = Recent(10_000)
    waiting = submitted(1).task
    recent.keep(waiting)
    recent.keep(changed(waiting, claimed))
    assert recent.get(waiting.id) == changed(waiting, claimed)
    assert len(recent) == 1


def test_a_task_that_has_ended_is_forgotten() -> None:
    recent = Recent(10_000)
    working = changed(submitted(1).task, claimed)
    recent.keep(working)
    recent.keep(changed(working, completed))
    assert recent.get(working.id) is None


def test_what_was_kept_longest_ago_is_forgotten_first() -> None:
    recent = Recent(5_000)
    for number in (1, 2, 3, 1, 4, 5):
        recent.keep(task(number))
    assert [number for number in range(1, 6) if recent.get(f"task_{number:08}")] == [1, 3, 4, 5][-len(recent) :]
    assert len(recent) == 4


def test_long_inputs_count_by_their_length() -> None:
    recent = Recent(10_000)
    for number in range(5):
        recent.keep(task(number, input=bytes(3_000)))
    assert len(recent) == 2
    recent.keep(task(9, input=bytes(20_000)))
    assert len(recent) == 0


def test_nothing_is_remembered_without_room_or_after_clearing() -> None:
    none, cleared = Recent(0), Recent(10_000)
    none.keep(task(1))
    cleared.keep(task(1))
    cleared.clear()
    for number in range(2, 12):
        cleared.keep(task(number))
    assert len(none) == 0
    assert cleared.get("task_00000001") is None
    assert len(cleared) == 9
