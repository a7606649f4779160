"""Promises of what `Tasks` reads."""

from __future__ import annotations

import random

import msgspec
import pytest

from agentic_atlas.backend.domain import lifecycle
from agentic_atlas.backend.domain.names import TASK, sortable
from agentic_atlas.backend.domain.records import AgentRecord, CallerRef, Task, TaskEventKind, TaskFailure
from agentic_atlas.backend.ports import Store, TaskFilter
from agentic_atlas.backend.rights import Visible
from agentic_atlas.errors import InvalidInput
from agentic_atlas.protocol.tasks import TaskState
from tests.conformance.store.conftest import Open
from tests.conformance.store.samples import ADA, BOB, LIBRARY, NOW, claimed, completed, populate, task


async def add(store: Store, *tasks: Task) -> None:
    futures = [store.tasks.add(lifecycle.submit(task)) for task in tasks]
    for future in futures:
        await future


async def found(store: Store, which: TaskFilter, limit: int = 100) -> list[int]:
    """Return the numbers of the tasks, after paging to the end with this limit."""
    numbers: list[int] = []
    cursor = None
    while True:
        items, cursor = await store.tasks.find(which, limit=limit, after=cursor)
        assert len(items) <= limit
        numbers += [number_of(item.task) for item in items]
        if cursor is None:
            return numbers
        assert len(items) == limit


def number_of(task: Task) -> int:
    return int(task.id.removeprefix("task_"))


async def test_a_task_that_is_not_there_is_none(opened: Open) -> None:
    async with opened() as store:
        assert await store.tasks.get("task_00000001") is None
        assert await store.tasks.events("task_00000001") == []


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 6, 7])
async def test_pages_hold_all_tasks_once_newest_first(opened: Open, limit: int) -> None:
    async with opened() as store:
        await add(store, *(task(n) for n in (3, 1, 6, 2, 5, 4)))
        assert await found(store, TaskFilter(), limit) == [6, 5, 4, 3, 2, 1]
        assert await found(store, TaskFilter(visible=Visible(BOB.id)), limit) == [6, 5, 4, 3, 2, 1]


async def test_tasks_are_narrowed_to_a_skill_a_beginning_of_the_id_and_a_time(opened: Open) -> None:
    async with opened() as store:
        made = [
            task(n, id=sortable(TASK, int(1000 * (NOW + n)), n), skill="search" if n % 2 else "index") for n in range(4)
        ]
        await add(store, *made)

        async def numbers(which: TaskFilter) -> list[float]:
            return [one.task.created_at - NOW for one in (await store.tasks.find(which, limit=9))[0]]

        assert await numbers(TaskFilter(skill="index")) == [2, 0]
        assert await numbers(TaskFilter(since=NOW + 2)) == [3, 2]
        assert await numbers(TaskFilter(since=NOW + 1, skill="search", visible=Visible(BOB.id))) == [3, 1]
        assert await numbers(TaskFilter(prefix=made[1].id)) == [1]
        assert await numbers(TaskFilter(prefix=made[1].id[:-1])) == [1]
        assert await numbers(TaskFilter(prefix="tsk_")) == [3, 2, 1, 0]
        assert await numbers(TaskFilter(prefix="tsk_zzz")) == []


async def test_a_page_is_not_disturbed_by_newer_tasks(opened: Open) -> None:
    async with opened() as store:
        await add(store, *(task(n) for n in range(4)))
        first, cursor = await store.tasks.find(TaskFilter(), limit=2)
        await add(store, task(9))
        rest, end = await store.tasks.find(TaskFilter(), limit=2, after=cursor)
        assert [item.task.id for item in first + rest] == [f"task_{n:08}" for n in (3, 2, 1, 0)]
        assert end is None


@pytest.mark.parametrize(
    "cursor", ["", "x", "MTo", "MjphYmM", "task_00000001", "ü", "MTp0YXNrXzE=", "A" * 10_000, "\ud800"]
)
async def test_a_cursor_that_is_not_ours_is_invalid(opened: Open, cursor: str) -> None:
    async with opened() as store:
        with pytest.raises(InvalidInput):
            await store.tasks.find(TaskFilter(), limit=2, after=cursor)


async def test_a_user_sees_what_they_called_and_what_their_agents_were_called_for(opened: Open) -> None:
    async with opened() as store:
        await populate(store)
        await store.agents.add(msgspec.structs.replace(LIBRARY, id="agent_bobs", owner_id=BOB.id, owner="bob"))
        await add(
            store,
            task(1, owner_id=BOB.id, agent_id=LIBRARY.id),
            task(2, owner_id=ADA.id, agent_id="agent_bobs"),
            task(3, owner_id="user_other", agent_id="agent_other"),
            task(4, owner_id=ADA.id, agent_id=LIBRARY.id),
            task(5, owner_id="user_other", agent_id=LIBRARY.id),
            task(6, owner_id=BOB.id, agent_id="agent_deleted", caller=CallerRef("api_key", "key_2", BOB.id)),
        )
        for limit in (1, 2, 10):
            assert await found(store, TaskFilter(visible=Visible(BOB.id)), limit) == [6, 2, 1]
            assert await found(store, TaskFilter(visible=Visible(ADA.id)), limit) == [5, 4, 2, 1]
            assert await found(store, TaskFilter(visible=Visible("user_nobody")), limit) == []
        assert await found(store, TaskFilter()) == [6, 5, 4, 3, 2, 1]
        everything = [summary.task for summary in (await store.tasks.find(TaskFilter(), limit=10))[0]]
        agents = {one.agent_id: await store.agents.get(one.agent_id) for one in everything}
        people = (ADA.id, BOB.id, "user_other", "user_nobody", None)
        for visible in [Visible(who, key) for who in people for key in (None, "key_1", "key_2")]:
            # What is listed is what the predicate shows of each.
            listed = (await store.tasks.find(TaskFilter(visible=visible), limit=10))[0]
            shown = [one.id for one in everything if visible.task(one.caller.id, one.owner_id, agents[one.agent_id])]
            assert [summary.task.id for summary in listed] == shown
        assert await found(store, TaskFilter(visible=Visible(BOB.id), agent_id=LIBRARY.id)) == [1]
        assert await found(store, TaskFilter(visible=Visible(ADA.id), agent_id=LIBRARY.id)) == [5, 4, 1]


async def test_tasks_are_narrowed_by_who_asked_by_their_error_and_to_a_time(opened: Open) -> None:
    async with opened() as store:
        await add(
            store,
            *(
                task(
                    n, id=sortable(TASK, int(1000 * (NOW + n)), n), caller=CallerRef("api_key", f"key_{n % 3}", BOB.id)
                )
                for n in range(6)
            ),
        )
        for number in (1, 2):
            broken = TaskFailure("timeout" if number == 1 else "handler_error", "it broke")
            id_ = sortable(TASK, int(1000 * (NOW + number)), number)
            await store.tasks.change(id_, claimed)
            await store.tasks.change(id_, lambda one, broken=broken: lifecycle.fail(one, 1, broken, NOW + 9))

        async def numbers(which: TaskFilter) -> list[float]:
            return [one.task.created_at - NOW for one in (await store.tasks.find(which, limit=9))[0]]

        assert await numbers(TaskFilter(caller_ids=("key_1",))) == [4, 1]
        assert await numbers(TaskFilter(caller_ids=("key_1", "key_2"))) == [5, 4, 2, 1]
        assert await numbers(TaskFilter(error="timeout")) == [1]
        assert await numbers(TaskFilter(error="timeout", caller_ids=("key_2",))) == []
        assert await numbers(TaskFilter(error="timeout", states=(TaskState.COMPLETED,))) == []
        assert await numbers(TaskFilter(until=NOW + 2)) == [1, 0]
        assert await numbers(TaskFilter(since=NOW + 1, until=NOW + 3)) == [2, 1]
        assert await numbers(TaskFilter(owner_id=BOB.id, until=NOW + 1)) == [0]
        assert await numbers(TaskFilter(owner_id=ADA.id)) == []


async def test_whatever_a_list_is_narrowed_by_it_has_what_fits_and_nothing_else(opened: Open) -> None:
    chance = random.Random(5)
    async with opened() as store:
        await populate(store)
        await store.agents.add(msgspec.structs.replace(LIBRARY, id="agent_bobs", owner_id=BOB.id, owner="bob"))
        await add(store, *(some_task(n, chance) for n in range(60)))
        for number in range(60):
            for step in chance.choice([(), (claimed,), (claimed, completed), (claimed, broken), (claimed, canceled)]):
                await store.tasks.change(f"task_{number:08}", step)
        everything = [summary.task for summary in (await store.tasks.find(TaskFilter(), limit=100))[0]]
        agents = {one.agent_id: await store.agents.get(one.agent_id) for one in everything}
        for _ in range(150):
            which = some_filter(chance)
            fitting = [one for one in everything if fits(which, one, agents[one.agent_id])]
            assert await found(store, which, chance.choice((3, 100))) == [number_of(one) for one in fitting], which


def some_task(number: int, chance: random.Random) -> Task:
    return task(
        number,
        agent_id=chance.choice((LIBRARY.id, "agent_bobs", "agent_gone")),
        skill=chance.choice(("search", "index")),
        owner_id=chance.choice((ADA.id, BOB.id, "user_other")),
        caller=CallerRef("api_key", chance.choice(("key_1", "key_2")), BOB.id),
        parent_id=chance.choice((None, None, None, "task_x")),
    )


def broken(task: Task) -> lifecycle.Change | None:
    return lifecycle.fail(task, task.attempt, TaskFailure("timeout", "it took too long"), NOW + 200)


def canceled(task: Task) -> lifecycle.Change | None:
    return lifecycle.canceled(task, task.attempt, TaskFailure("canceled", "no"), NOW + 200)


def some_filter(chance: random.Random) -> TaskFilter:
    """Return a filter of which each field is set or not."""
    fields = {
        "visible": (Visible(BOB.id), Visible(ADA.id), Visible(None, "key_1"), Visible(BOB.id, "key_2")),
        "agent_id": (LIBRARY.id, "agent_bobs"),
        "states": ((TaskState.FAILED,), (TaskState.WORKING, TaskState.COMPLETED), (TaskState.INPUT_REQUIRED,)),
        "skill": ("search", "index"),
        "caller_ids": (("key_1",), ("key_1", "key_2"), ("nobody",)),
        "owner_id": (BOB.id, "user_other"),
        "error": ("timeout", "canceled"),
        "parent_id": ("task_x",),
        "prefix": ("task_0000000", "task_0000001"),
    }
    return TaskFilter(**{name: chance.choice(some) for name, some in fields.items() if chance.random() < 0.3})


def fits(which: TaskFilter, task: Task, agent: AgentRecord | None) -> bool:
    code = task.error.code if task.error else None
    return (
        which.visible.task(task.caller.id, task.owner_id, agent)
        and which.agent_id in (None, task.agent_id)
        and (not which.states or task.state in which.states)
        and which.skill in (None, task.skill)
        and (not which.caller_ids or task.caller.id in which.caller_ids)
        and which.owner_id in (None, task.owner_id)
        and which.error in (None, code)
        and which.parent_id in (None, task.parent_id)
        and task.id.startswith(which.prefix or "")
    )


async def test_a_user_with_many_agents_sees_the_tasks_of_all(opened: Open) -> None:
    async with opened() as store:
        await populate(store)
        agents = [msgspec.structs.replace(LIBRARY, id=f"agent_{n}", name=f"a{n}") for n in range(230)]
        for agent in agents:
            await store.agents.add(agent)
        await add(store, *(task(n, agent_id=agent.id) for n, agent in enumerate(agents)))
        assert await found(store, TaskFilter(visible=Visible(ADA.id)), 50) == list(range(229, -1, -1))


async def test_every_filter_narrows(opened: Open) -> None:
    async with opened() as store:
        trace = f"00-{'ab' * 16}-{1:016x}-01"
        await add(
            store,
            task(1, agent_id="agent_a", parent_id="task_x"),
            task(2, agent_id="agent_a", trace=trace),
            task(3, agent_id="agent_b", trace=trace, parent_id="task_x"),
            task(4, agent_id="agent_a", parent_id="task_x", trace=trace),
        )
        await store.tasks.change("task_00000004", claimed)
        assert await found(store, TaskFilter(agent_id="agent_a")) == [4, 2, 1]
        assert await found(store, TaskFilter(parent_id="task_x")) == [4, 3, 1]
        assert await found(store, TaskFilter(trace_id="ab" * 16)) == [4, 3, 2]
        assert await found(store, TaskFilter(states=(TaskState.WORKING,))) == [4]
        assert await found(store, TaskFilter(states=(TaskState.WORKING, TaskState.SUBMITTED))) == [4, 3, 2, 1]
        assert await found(store, TaskFilter(visible=Visible(BOB.id), states=(TaskState.SUBMITTED,))) == [3, 2, 1]
        everything = TaskFilter(Visible(BOB.id), "agent_a", (TaskState.WORKING,), "task_x", "ab" * 16)
        assert await found(store, everything) == [4]


async def test_events_are_paged_by_their_number(opened: Open) -> None:
    async with opened() as store:
        await add(store, task(1))
        await store.tasks.change("task_00000001", claimed)
        for n in range(1, 9):
            await store.tasks.change(
                "task_00000001",
                lambda task, n=n: lifecycle.report(task, 1, n, TaskEventKind.CHUNK, b"%d" % n, NOW + n),  # type: ignore[misc]
            )
        everything = await store.tasks.events("task_00000001")
        assert [event.seq for event in everything] == list(range(1, 11))
        assert [event.data for event in everything[2:]] == [b"%d" % n for n in range(1, 9)]
        assert await store.tasks.events("task_00000001", after=3, limit=4) == everything[3:7]
        assert await store.tasks.events("task_00000001", after=10) == []


async def test_a_page_of_events_is_bounded_in_bytes_and_never_empty_before_the_end(opened: Open) -> None:
    async with opened() as store:
        await add(store, task(1))
        await store.tasks.change("task_00000001", claimed)
        for n, size in enumerate((100, 100, 900, 100), start=1):
            await store.tasks.change(
                "task_00000001",
                lambda task, n=n, size=size: lifecycle.report(  # type: ignore[misc]
                    task, 1, n, TaskEventKind.CHUNK, b'"%s"' % (b"x" * size), NOW + n
                ),
            )
        pages: list[list[int]] = []
        after = 2
        while page := await store.tasks.events("task_00000001", after=after, most_bytes=250):
            pages.append([event.seq for event in page])
            after = page[-1].seq
        assert pages == [[3, 4], [5], [6]]


async def test_a_summary_has_the_sizes_of_payloads_in_their_place(opened: Open) -> None:
    async with opened() as store:
        await add(store, task(1, input=b'{"x":"' + b"x" * 100_000 + b'"}'), task(2, input=b"{}"))
        await store.tasks.change("task_00000002", claimed)
        await store.tasks.change("task_00000002", completed)
        whole = await store.tasks.get("task_00000002")
        assert whole is not None and whole.output is not None
        second, first = (await store.tasks.find(TaskFilter(), limit=10))[0]
        assert (first.input_bytes, first.output_bytes) == (100_008, None)
        assert (second.input_bytes, second.output_bytes) == (2, len(whole.output))
        assert (first.task.input, second.task.input, second.task.output) == (b"", b"", None)
        assert msgspec.structs.replace(second.task, input=whole.input, output=whole.output) == whole
        assert await store.tasks.summary("task_00000002") == second
        assert await store.tasks.summary("task_00000009") is None


async def test_a_list_shows_what_has_become_of_a_task_since_it_was_looked_at_last(opened: Open) -> None:
    async with opened() as store:
        await add(store, *(task(n) for n in range(2)))
        states = []
        for change in (claimed, completed, lambda _: None):
            await store.tasks.change("task_00000001", change)
            found, _ = await store.tasks.find(TaskFilter(), limit=9)
            assert found == [await store.tasks.summary(one.task.id) for one in found]
            states.append([one.task.state for one in found])
        assert states == [[state, TaskState.SUBMITTED] for state in (TaskState.WORKING, *2 * [TaskState.COMPLETED])]


async def test_a_summary_of_a_task_that_failed_has_the_beginning_of_why(opened: Open) -> None:
    async with opened() as store:
        await add(store, task(1))
        await store.tasks.change("task_00000001", claimed)
        error = TaskFailure("handler_error", "é" * 5_000, b'"' + b"x" * 100_000 + b'"')
        await store.tasks.change("task_00000001", lambda task: lifecycle.fail(task, 1, error, NOW))
        found = await store.tasks.summary("task_00000001")
        assert found is not None
        assert found.task.error == TaskFailure("handler_error", "é" * 500)


async def test_open_tasks_are_those_that_have_not_ended(opened: Open) -> None:
    async with opened() as store:
        await add(store, *(task(n) for n in range(4)))
        for number in (1, 2):
            await store.tasks.change(f"task_{number:08}", claimed)
        await store.tasks.change("task_00000002", completed)
        await store.tasks.change("task_00000003", lambda task: lifecycle.cancel(task, "no", NOW))
        found = await store.tasks.open()
        assert sorted(task.id for task in found) == ["task_00000000", "task_00000001"]
        assert {task.input for task in found} == {b""}


async def test_an_instance_holds_what_it_has_and_has_not_ended(opened: Open) -> None:
    async with opened() as store:
        await add(store, *(task(n) for n in range(4)))
        for number, instance_id in ((1, "inst_1"), (2, "inst_1"), (3, "inst_2")):
            await store.tasks.change(f"task_{number:08}", lambda task, i=instance_id: claimed(task, i))  # type: ignore[misc]
        held = await store.tasks.change("task_00000002", completed)
        assert [task.id for task in await store.tasks.held_by("inst_1")] == ["task_00000001"]
        assert [task.id for task in await store.tasks.held_by("inst_2")] == ["task_00000003"]
        assert held.task not in await store.tasks.held_by("inst_1")
        both = await store.tasks.held_by("inst_1", "inst_2", "inst_none")
        assert sorted(task.id for task in both) == ["task_00000001", "task_00000003"]
