"""Promises of what is told of what became of tasks."""

from __future__ import annotations

from functools import partial

from agentic_atlas.backend.domain import lifecycle
from agentic_atlas.backend.domain.logs import TaskOwner
from agentic_atlas.backend.domain.records import Task, TaskEventKind
from agentic_atlas.protocol.tasks import Loss
from tests.conformance.store.conftest import Open
from tests.conformance.store.samples import NOW, claimed, completed, submitted


def reported(n: int, kind: TaskEventKind, task: Task) -> lifecycle.Change | None:
    return lifecycle.report(task, 1, n, kind, b'{"data":"long"}', NOW + n)


async def test_what_became_of_tasks_is_told_without_what_they_reported_meanwhile(opened: Open) -> None:
    async with opened() as store:
        for number in (1, 2):
            await store.tasks.add(submitted(number))
            await store.tasks.change(f"task_{number:08}", claimed)
        for n, kind in enumerate((TaskEventKind.CHUNK, TaskEventKind.ARTIFACT, TaskEventKind.LOG), 1):
            await store.tasks.change("task_00000001", partial(reported, n, kind))
        await store.tasks.change("task_00000001", completed)
        found = await store.traces.steps([("task_00000001", 6), ("task_00000002", 2)])
        assert [(one.task_id[-1], one.seq, one.kind.value) for one in found] == [
            ("1", 1, "state"),
            ("1", 2, "state"),
            ("1", 4, "artifact"),
            ("1", 6, "state"),
            ("2", 1, "state"),
            ("2", 2, "state"),
        ]
        assert [one.data == b"{}" for one in found] == [False, False, True, False, False, False]
        assert await store.traces.steps([("task_none", 9)]) == []


async def test_of_a_task_with_very_many_events_the_first_and_the_last_are_told(opened: Open) -> None:
    async with opened() as store:
        await store.tasks.add(submitted(1))
        await store.tasks.change("task_00000001", claimed)
        for n in range(1, 301):
            await store.tasks.change("task_00000001", partial(reported, n, TaskEventKind.CHUNK))
        await store.tasks.change("task_00000001", completed)
        found = await store.traces.steps([("task_00000001", 303)])
        assert [one.seq for one in found] == [1, 2, 303]


async def test_of_the_task_that_is_asked_about_every_cut_is_told(opened: Open) -> None:
    async with opened() as store:
        await store.tasks.add(submitted(1))
        await store.tasks.change("task_00000001", claimed)
        for n in range(1, 301):
            await store.tasks.change("task_00000001", partial(reported, n, TaskEventKind.CHUNK))
        for n in range(2):
            told = lifecycle.ConnectionData("lost", "inst_1", why=Loss.CUT)
            cut = partial(lifecycle.connection, attempt=1, said=told, now=NOW + 301 + n)
            await store.tasks.change("task_00000001", cut)
        for n in range(301, 401):
            await store.tasks.change("task_00000001", partial(reported, n, TaskEventKind.CHUNK))
        found = await store.traces.steps([("task_00000001", 404)], cuts_of="task_00000001")
        assert [(one.seq, one.kind.value) for one in found] == [
            (1, "state"), (2, "state"), (303, "connection"), (304, "connection"),
        ]  # fmt: skip


async def test_what_is_said_of_artifacts_is_told_unless_it_is_long(opened: Open) -> None:
    async with opened() as store:
        await store.tasks.add(submitted(1))
        await store.tasks.change("task_00000001", claimed)
        for n, data in enumerate((b'{"name":"a"}', b'{"name":"%b"}' % (b"x" * 5_000)), 1):
            made = partial(lifecycle.report, attempt=1, n=n, kind=TaskEventKind.ARTIFACT, data=data, now=NOW + n)
            await store.tasks.change("task_00000001", made)
        found = await store.traces.steps([("task_00000001", 4)], cuts_of="task_00000001")
        assert [one.data for one in found if one.kind is TaskEventKind.ARTIFACT] == [b'{"name":"a"}', b"{}"]


async def test_of_tasks_it_is_told_whose_they_are(opened: Open) -> None:
    async with opened() as store:
        change = submitted(1)
        await store.tasks.add(change)
        task = change.task
        owner = TaskOwner(task.agent_id, task.owner_id, task.caller.id, task.trace_id)
        assert await store.traces.owners(["task_none", task.id]) == {task.id: owner}
        assert await store.traces.owners([]) == {}
