"""Promises of `Tasks.claim`."""

from __future__ import annotations

from collections.abc import Sequence

from agentic_atlas.backend.domain import lifecycle
from agentic_atlas.backend.domain.lifecycle import Change
from agentic_atlas.backend.domain.records import Task
from agentic_atlas.backend.ports import Changed, Store
from agentic_atlas.protocol.inside.messages import InstanceRef
from agentic_atlas.protocol.tasks import TaskState
from tests.conformance.store.conftest import Open
from tests.conformance.store.samples import LIBRARY, NOW, claimed, completed, refused, submitted, task


def slots(count: int, agent_id: str = LIBRARY.id) -> list[InstanceRef]:
    return [InstanceRef(agent_id, f"inst_{n}", 1) for n in range(count)]


def numbers(claimed: Sequence[Changed]) -> list[int]:
    return [int(change.task.id.removeprefix("task_")) for change in claimed if change.task is not None]


async def add(store: Store, *tasks: Task) -> None:
    futures = [store.tasks.add(lifecycle.submit(task)) for task in tasks]
    for future in futures:
        await future


async def test_the_highest_priority_comes_first_and_then_the_lowest_position(opened: Open) -> None:
    async with opened() as store:
        await add(
            store,
            task(1, priority=0, position=2.0),
            task(2, priority=0, position=1.0),
            task(3, priority=5, position=9.0),
            task(4, priority=-1, position=0.0),
            task(5, priority=5, position=8.5),
        )
        assert numbers(await store.tasks.claim(LIBRARY.id, slots(4), NOW)) == [5, 3, 2, 1]
        assert numbers(await store.tasks.claim(LIBRARY.id, slots(4), NOW)) == [4]


async def test_slots_are_given_in_their_order(opened: Open) -> None:
    async with opened() as store:
        await add(store, *(task(n) for n in range(3)))
        changes = await store.tasks.claim(LIBRARY.id, slots(3), NOW + 7)
        assert [change.task and change.task.instance_id for change in changes] == ["inst_0", "inst_1", "inst_2"]
        assert numbers(changes) == [0, 1, 2]


async def test_a_claim_is_a_change_like_the_one_of_the_lifecycle(opened: Open) -> None:
    async with opened() as store:
        added = (await store.tasks.add(submitted(1))).task
        expected = lifecycle.claim(added, "inst_0", NOW + 7)
        assert expected is not None
        (change,) = await store.tasks.claim(LIBRARY.id, slots(1), NOW + 7)
        assert change == Changed(expected.task, expected.events, changed=True)
        assert await store.tasks.get(added.id) == expected.task
        assert (await store.tasks.events(added.id))[1:] == list(expected.events)


async def test_fewer_tasks_than_slots_mean_that_no_more_wait(opened: Open) -> None:
    async with opened() as store:
        assert await store.tasks.claim(LIBRARY.id, slots(2), NOW) == []
        await add(store, task(1))
        assert numbers(await store.tasks.claim(LIBRARY.id, slots(2), NOW)) == [1]
        assert await store.tasks.claim(LIBRARY.id, [], NOW) == []


async def test_only_tasks_of_the_agent_that_wait_are_claimed(opened: Open) -> None:
    async with opened() as store:
        await add(store, task(1), task(2), task(3), task(4, agent_id="agent_other"))
        await store.tasks.change("task_00000001", claimed)
        await store.tasks.change("task_00000002", lambda task: lifecycle.cancel(task, "no", NOW))
        assert numbers(await store.tasks.claim(LIBRARY.id, slots(9), NOW)) == [3]


async def test_a_task_is_not_claimed_before_its_time(opened: Open) -> None:
    async with opened() as store:
        await add(store, task(1, not_before=NOW + 10, priority=9), task(2))
        assert numbers(await store.tasks.claim(LIBRARY.id, slots(2), NOW + 9.5)) == [2]
        assert numbers(await store.tasks.claim(LIBRARY.id, slots(2), NOW + 10)) == [1]


async def test_a_claim_sees_what_was_asked_for_just_before_it(opened: Open) -> None:
    async with opened() as store:
        first = [store.tasks.add(submitted(n)) for n in range(4)]
        canceled = store.tasks.change("task_00000000", lambda task: lifecycle.cancel(task, "no", NOW))
        claim = store.tasks.claim(LIBRARY.id, slots(2), NOW)
        refusal = store.tasks.change("task_00000001", refused)
        again = store.tasks.claim(LIBRARY.id, slots(3), NOW)
        outcome = store.tasks.change("task_00000002", completed)
        assert [(await future).created for future in first] == [True] * 4
        assert (await canceled).changed
        assert (await refusal).changed
        assert numbers(await claim) == [1, 2]
        assert numbers(await again) == [1, 3]
        finished = (await outcome).task
        assert finished is not None
        assert finished.state is TaskState.COMPLETED
        assert finished == await store.tasks.get("task_00000002")


async def test_a_task_given_back_keeps_its_place(opened: Open) -> None:
    async with opened() as store:
        await add(store, *(task(n) for n in range(3)))
        await store.tasks.claim(LIBRARY.id, slots(1), NOW)
        await store.tasks.change("task_00000000", refused)
        again = await store.tasks.claim(LIBRARY.id, slots(2), NOW)
        assert numbers(again) == [0, 1]
        assert [change.task and change.task.attempt for change in again] == [2, 1]


async def test_no_task_is_given_to_two_slots(opened: Open) -> None:
    async with opened() as store:
        await add(store, *(task(n) for n in range(40)))
        claims = [store.tasks.claim(LIBRARY.id, slots(3), NOW) for _ in range(15)]
        given = [number for claim in claims for number in numbers(await claim)]
        assert given == list(range(40))


async def test_a_task_may_be_added_claimed(opened: Open) -> None:
    async with opened() as store:
        waiting = submitted(1)
        working = claimed(waiting.task)
        assert working is not None
        await store.tasks.add(Change(working.task, waiting.events + working.events))
        assert await store.tasks.claim(LIBRARY.id, slots(1), NOW) == []
        assert await store.tasks.held_by("inst_1") == [working.task]


async def test_a_claim_of_some_skills_leaves_the_others_where_they_are(opened: Open) -> None:
    async with opened() as store:
        skills = ("search", "old", "search", "new", "old")
        await add(store, *(task(n, skill=skill, position=float(n)) for n, skill in enumerate(skills)))
        assert numbers(await store.tasks.claim(LIBRARY.id, slots(1), NOW, {"old", "new", "none"})) == [1]
        assert numbers(await store.tasks.claim(LIBRARY.id, slots(5), NOW, {"new"})) == [3]
        assert numbers(await store.tasks.claim(LIBRARY.id, slots(5), NOW)) == [0, 2, 4]
