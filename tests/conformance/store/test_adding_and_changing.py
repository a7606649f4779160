"""Promises of `Tasks.add` and `Tasks.change`."""

from __future__ import annotations

import asyncio

import msgspec
import pytest
from msgspec import Raw

from agentic_atlas.backend.domain import lifecycle
from agentic_atlas.backend.domain.lifecycle import Change
from agentic_atlas.backend.domain.questions import Dialogue, TaskQuestion
from agentic_atlas.backend.domain.records import CallerRef, Submitted, Task, TaskEvent, TaskEventKind, TaskFailure
from agentic_atlas.backend.ports import Changed, TaskFilter
from agentic_atlas.errors import Conflict
from agentic_atlas.protocol import messages
from agentic_atlas.protocol.messages import NULL, Delivery
from agentic_atlas.protocol.tasks import TaskState
from tests.conformance.store.conftest import Open
from tests.conformance.store.samples import CALLER, NOW, claimed, completed, submitted, task

FULL = Task(
    id="task_full",
    agent_id="agent_1",
    agent="ada/library",
    skill="search",
    state=TaskState.FAILED,
    input=b"\x00\xff not even JSON",
    caller=CallerRef("agent", "agent_2", "user_2", "bob/asker ☂"),
    owner_id="user_2",
    created_at=1.25,
    updated_at=2.5,
    trace=f"00-{'ab' * 16}-{'cd' * 8}-01",
    delivery=Delivery.AT_MOST_ONCE,
    max_attempts=7,
    retries=6,
    backoff=0.5,
    timeout=30.5,
    deadline=1e9,
    queue_expires_at=2e9,
    priority=-3,
    position=17.5,
    parent_id="task_parent",
    depth=16,
    idempotency_key="Schlüssel",
    body_digest=b"\x01" * 32,
    retry_of="task_before",
    attempt=2,
    instance_id="inst_9",
    accepted_at=3.5,
    last_n=11,
    losses=1,
    failures=4,
    not_before=5.5,
    cancel_reason="no longer needed",
    cancel_at=6.5,
    last_seq=12,
    output=b"null",
    error=TaskFailure("handler_error", "it broke", b'{"line": 3}'),
    ended_at=7.5,
    dialogue=Dialogue(
        (
            TaskQuestion(
                1, "Größe? ☂", 3.75, NULL, 13.75, Raw(b'{"size": [1, 2]}'), settled_at=4.5, answered_by="bob/phone"
            ),
            TaskQuestion(2, "Sure?", 4.75, NULL, 5.75, expired=True, settled_at=5.75),
            TaskQuestion(3, "And now?", 6.25, Raw(b'{"type":"boolean"}')),
        ),
        asked_at=6.25,
        waited=2.5,
    ),
)


async def test_every_field_of_a_task_comes_back_as_it_was(opened: Open) -> None:
    defaults = [field.default for field in msgspec.structs.fields(Task)]
    assert all(value != default for value, default in zip(msgspec.structs.astuple(FULL), defaults, strict=True))

    async with opened() as store:
        await store.tasks.add(Change(FULL))
        assert await store.tasks.get(FULL.id) == FULL
        plain = task(1)
        await store.tasks.add(Change(plain))
        assert await store.tasks.get(plain.id) == plain


async def test_a_new_task_is_there_with_its_events_when_the_write_is_done(opened: Open) -> None:
    async with opened() as store:
        change = submitted()
        assert await store.tasks.add(change) == Submitted(change.task, created=True)
        assert await store.tasks.get(change.task.id) == change.task
        assert tuple(await store.tasks.events(change.task.id)) == change.events


async def test_the_same_idempotency_key_of_the_same_caller_is_one_task(opened: Open) -> None:
    async with opened() as store:
        first = store.tasks.add(submitted(1, idempotency_key="k"))
        second = store.tasks.add(submitted(2, idempotency_key="k"))
        task_1 = (await first).task
        assert await second == Submitted(task_1, created=False)
        assert await store.tasks.add(submitted(3, idempotency_key="k")) == Submitted(task_1, created=False)
        assert [found.task.id for found in (await store.tasks.find(TaskFilter(), limit=10))[0]] == [task_1.id]
        assert await store.tasks.events("task_00000002") == []


async def test_a_repeated_add_tells_what_the_task_had_become(opened: Open) -> None:
    async with opened() as store:
        added = store.tasks.add(submitted(1, idempotency_key="k"))
        changed = store.tasks.change("task_00000001", claimed)
        again = store.tasks.add(submitted(2, idempotency_key="k"))
        assert (await added).task.state is TaskState.SUBMITTED
        assert (await again).task == (await changed).task
        await store.tasks.change("task_00000001", completed)
        assert (await store.tasks.add(submitted(2, idempotency_key="k"))).task.state is TaskState.COMPLETED


@pytest.mark.parametrize(
    "caller",
    [
        CallerRef("user", "user_other", CALLER.user_id),
        CallerRef("api_key", CALLER.id, CALLER.user_id),
        CallerRef("user", CALLER.id, "user_other"),
    ],
)
async def test_an_idempotency_key_of_another_caller_is_another_task(opened: Open, caller: CallerRef) -> None:
    async with opened() as store:
        assert (await store.tasks.add(submitted(1, idempotency_key="k"))).created
        assert (await store.tasks.add(submitted(2, idempotency_key="k", caller=caller))).created
        assert (await store.tasks.add(submitted(3, idempotency_key="K"))).created


async def test_tasks_without_a_key_are_never_taken_for_each_other(opened: Open) -> None:
    async with opened() as store:
        added = [store.tasks.add(submitted(n)) for n in range(5)]
        assert [(await write).created for write in added] == [True] * 5


async def test_many_keys_in_one_burst_are_each_found_again(opened: Open) -> None:
    async with opened() as store:
        first = [store.tasks.add(submitted(n, idempotency_key=f"k{n}")) for n in range(200)]
        tasks = [(await write).task for write in first]
        again = [store.tasks.add(submitted(n + 500, idempotency_key=f"k{n}")) for n in range(200)]
        assert [await write for write in again] == [Submitted(task, created=False) for task in tasks]


async def test_an_id_that_is_taken_is_a_conflict_and_the_older_task_stays(opened: Open) -> None:
    async with opened() as store:
        writes = [store.tasks.add(submitted(1)), store.tasks.add(submitted(1, skill="other"))]
        older = (await writes[0]).task
        for write in (writes[1], store.tasks.add(submitted(1, skill="third"))):
            with pytest.raises(Conflict):
                await write
        assert await store.tasks.get(older.id) == older


async def test_a_decision_sees_every_write_that_was_asked_for_before_it(opened: Open) -> None:
    async with opened() as store:
        seen: list[TaskState] = []

        def look(task: Task) -> None:
            seen.append(task.state)

        early = store.tasks.change("task_00000001", look)
        store.tasks.add(submitted(1))
        store.tasks.change("task_00000001", look)
        store.tasks.change("task_00000001", claimed)
        store.tasks.change("task_00000001", look)
        store.tasks.change("task_00000001", completed)
        last = store.tasks.change("task_00000001", look)
        assert (await last).task == await store.tasks.get("task_00000001")
        assert await early == Changed(None)
        assert seen == [TaskState.SUBMITTED, TaskState.WORKING, TaskState.COMPLETED]


async def test_a_change_is_stored_with_its_events(opened: Open) -> None:
    async with opened() as store:
        added = (await store.tasks.add(submitted(1))).task
        expected = claimed(added)
        assert expected is not None
        assert await store.tasks.change(added.id, claimed) == Changed(expected.task, expected.events, changed=True)
        assert await store.tasks.get(added.id) == expected.task
        assert (await store.tasks.events(added.id))[1:] == list(expected.events)


async def test_a_task_that_fails_keeps_its_error(opened: Open) -> None:
    async with opened() as store:
        error = TaskFailure("handler_error", "it broke", b'{"line": 3}')
        await store.tasks.add(submitted(1))
        await store.tasks.change("task_00000001", claimed)
        changed = await store.tasks.change("task_00000001", lambda task: lifecycle.fail(task, 1, error, NOW))
        assert changed.task == await store.tasks.get("task_00000001")
        assert changed.task is not None
        assert changed.task.error == error


async def test_a_decision_to_change_nothing_changes_nothing(opened: Open) -> None:
    async with opened() as store:
        added = (await store.tasks.add(submitted(1))).task
        assert await store.tasks.change(added.id, lambda task: None) == Changed(added)
        assert len(await store.tasks.events(added.id)) == 1


async def test_what_a_decision_raises_is_for_its_caller_alone(opened: Open) -> None:
    async with opened() as store:

        def broken(task: Task) -> None:
            raise LookupError("a fault in a decision")

        writes = [store.tasks.add(submitted(n)) for n in range(3)]
        guilty = store.tasks.change("task_00000001", broken)
        after = store.tasks.change("task_00000001", claimed)
        with pytest.raises(LookupError, match="a fault in a decision"):
            await guilty
        assert [(await write).created for write in writes] == [True] * 3
        assert (await after).changed


async def test_a_decision_may_not_rewrite_what_was_asked_for(opened: Open) -> None:
    async with opened() as store:
        added = (await store.tasks.add(submitted(1))).task
        with pytest.raises(AssertionError):
            await store.tasks.change(added.id, lambda task: Change(msgspec.structs.replace(task, input=b"{}")))
        assert await store.tasks.get(added.id) == added


async def test_a_write_that_cant_be_stored_fails_alone(opened: Open) -> None:
    """Its events have a number that is taken, which the database refuses."""

    async with opened() as store:

        def repeats_an_event(task: Task) -> Change:
            return Change(task, (TaskEvent(task.id, 1, NOW, TaskEventKind.LOG, b"null"),))

        writes = [store.tasks.add(submitted(n)) for n in range(20)]
        guilty = store.tasks.change("task_00000007", repeats_an_event)
        others = [store.tasks.change(f"task_{n:08}", claimed) for n in range(20)]
        with pytest.raises(Conflict):
            await guilty
        assert [(await write).created for write in writes] == [True] * 20
        assert [(await write).changed for write in others] == [True] * 20
        assert [event.seq for event in await store.tasks.events("task_00000007")] == [1, 2]


async def test_a_question_and_its_answer_are_kept_with_their_task(opened: Open) -> None:
    async with opened() as store:
        await store.tasks.add(submitted(1))
        await store.tasks.change("task_00000001", claimed)
        asked = messages.Question(1, "Really?", Raw(b'{"type":"boolean"}'), 60.0)
        asking = await store.tasks.change("task_00000001", lambda task: lifecycle.ask(task, 1, 1, asked, NOW))
        assert asking.task is not None
        (question,) = asking.task.dialogue.open
        assert await store.tasks.held_by("inst_1") == [asking.task]
        done = await store.tasks.change(
            "task_00000001", lambda task: lifecycle.answer(task, question, b"true", "ada", NOW + 5)
        )
        assert await store.tasks.get("task_00000001") == done.task
        kinds = [event.kind.value for event in await store.tasks.events("task_00000001", after=2)]
        assert kinds == ["question", "state", "answer", "state"]
        assert (await store.tasks.find(TaskFilter(states=(TaskState.INPUT_REQUIRED,)), limit=5))[0] == []


async def test_long_payloads_among_short_ones_are_stored_whole(opened: Open) -> None:
    async with opened() as store:
        inputs = [bytes([n]) * (2_000_000 if n % 4 == 0 else 10) for n in range(12)]
        writes = [store.tasks.add(submitted(n, input=data)) for n, data in enumerate(inputs)]
        assert [(await write).created for write in writes] == [True] * 12
        for n, data in enumerate(inputs):
            stored = await store.tasks.get(f"task_{n:08}")
            assert stored is not None
            assert stored.input == data


async def test_whoever_stops_waiting_does_not_take_a_write_back(opened: Open) -> None:
    async with opened() as store:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await store.tasks.add(submitted(1))
        assert (await store.tasks.add(submitted(2))).created
        assert await store.tasks.get("task_00000001") is not None
