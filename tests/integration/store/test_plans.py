"""The queries that run for every task, or over all tasks, walk an index and sort nothing."""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable

import msgspec
import pytest
from sqlalchemy import Engine, event

from agentic_atlas.backend.domain import lifecycle
from agentic_atlas.backend.ports import Store, Summary, TaskFilter
from agentic_atlas.backend.rights import Visible
from agentic_atlas.backend.store import lists
from agentic_atlas.backend.store.database import open_store
from agentic_atlas.protocol.inside.messages import InstanceRef
from agentic_atlas.protocol.tasks import LEASED, TaskState
from tests.conformance.store.samples import ADA, BOB, LIBRARY, NOW, Numbered, populate, submitted

SLOTS = [InstanceRef(LIBRARY.id, "inst_1", 1)]
LIBRARY_OF_BOB = msgspec.structs.replace(LIBRARY, id="agent_2", owner_id=BOB.id, owner=BOB.name)

HOT: dict[str, tuple[Callable[[Store], Awaitable[object]], set[str]]] = {
    "claim": (
        lambda store: store.tasks.claim(LIBRARY.id, SLOTS, NOW),
        {"SEARCH tasks USING INDEX tasks_waiting (agent_id=?)"},
    ),
    "idempotency": (
        lambda store: store.tasks.add(submitted(2, idempotency_key="k")),
        {
            "SEARCH tasks USING INDEX tasks_by_key "
            "(caller_user_id=? AND caller_kind=? AND caller_id=? AND idempotency_key=?)"
        },
    ),
    "held by an instance": (
        lambda store: store.tasks.held_by("inst_1"),
        {"SEARCH tasks USING INDEX tasks_held (instance_id=?)"},
    ),
    "held by several instances": (
        lambda store: store.tasks.held_by("inst_1", "inst_2"),
        {"SEARCH tasks USING INDEX tasks_held (instance_id=?)"},
    ),
    "a task without its payloads": (
        lambda store: store.tasks.summary("task_00000001"),
        {"SEARCH tasks USING INDEX sqlite_autoindex_tasks_1 (id=?)"},
    ),
    "open": (
        lambda store: store.tasks.open(),
        {"SCAN tasks USING INDEX tasks_waiting", "SCAN tasks USING INDEX tasks_held"},
    ),
    "events": (
        lambda store: store.tasks.events("task_1", after=5),
        {"SEARCH events USING PRIMARY KEY (task_id=? AND seq>?)"},
    ),
    "what is counted of what ended": (
        lambda store: store.statistics.roll(NOW),
        {"SEARCH tasks USING COVERING INDEX tasks_by_end (ended_at>? AND ended_at<?)"},
    ),
    "a change": (
        lambda store: store.tasks.change("task_00000001", lambda task: None),
        {"SEARCH tasks USING INDEX sqlite_autoindex_tasks_1 (id=?)"},
    ),
}

OWN = "SEARCH agents USING INDEX agents_of_owner (owner_id=?)"
PAGE = "SEARCH tasks USING INDEX sqlite_autoindex_tasks_1 (id=?)"
NEWEST = "SCAN tasks USING INDEX sqlite_autoindex_tasks_1"

LISTS: dict[str, tuple[TaskFilter, set[str]]] = {
    "all": (TaskFilter(), {NEWEST}),
    "of a user": (
        TaskFilter(visible=Visible(BOB.id)),
        {
            "SEARCH tasks USING INDEX tasks_of_owner (owner_id=?)",
            "SEARCH tasks USING INDEX tasks_of_agent (agent_id=?)",
        },
    ),
    "agent": (
        TaskFilter(agent_id=LIBRARY.id),
        {"SEARCH tasks USING INDEX tasks_of_agent (agent_id=?)"},
    ),
    "agent, for its caller": (
        TaskFilter(agent_id=LIBRARY.id, visible=Visible(BOB.id)),
        {
            "SEARCH tasks USING INDEX tasks_of_owner (owner_id=?)",
        },
    ),
    "agent, for its owner": (
        TaskFilter(agent_id=LIBRARY_OF_BOB.id, visible=Visible(BOB.id)),
        {"SEARCH tasks USING INDEX tasks_of_agent (agent_id=?)"},
    ),
    "skill": (
        TaskFilter(skill="search"),
        {"SEARCH tasks USING INDEX tasks_of_skill (skill=?)"},
    ),
    "skill of an agent": (
        TaskFilter(agent_id=LIBRARY.id, skill="search"),
        {"SEARCH tasks USING INDEX tasks_of_agent_and_skill (agent_id=? AND skill=?)"},
    ),
    "skill, for a user": (
        TaskFilter(skill="search", visible=Visible(BOB.id)),
        {
            "SEARCH tasks USING INDEX tasks_of_owner (owner_id=?)",
            "SEARCH tasks USING INDEX tasks_of_agent_and_skill (agent_id=? AND skill=?)",
        },
    ),
    "error": (
        TaskFilter(error="timeout"),
        {"SEARCH tasks USING INDEX tasks_with_error (error_code=?)"},
    ),
    "error, for a user": (
        TaskFilter(error="timeout", visible=Visible(BOB.id)),
        {
            "SEARCH tasks USING INDEX tasks_of_owner_with_error (owner_id=? AND error_code=?)",
            "SEARCH tasks USING INDEX tasks_of_agent_with_error (agent_id=? AND error_code=?)",
        },
    ),
    "error, of an agent": (
        TaskFilter(agent_id=LIBRARY.id, error="timeout"),
        {"SEARCH tasks USING INDEX tasks_of_agent_with_error (agent_id=? AND error_code=?)"},
    ),
    "caller": (
        TaskFilter(caller_ids=("key_1", "key_2")),
        {"SEARCH tasks USING INDEX tasks_of_caller (caller_id=?)"},
    ),
    "caller, of an agent": (
        TaskFilter(agent_id=LIBRARY.id, caller_ids=("key_1",)),
        {
            "SEARCH tasks USING INDEX tasks_of_caller (caller_id=?)",
            "SEARCH tasks USING INDEX tasks_of_agent (agent_id=?)",
        },
    ),
    "agent, narrowed by what has an index with it": (
        TaskFilter(
            Visible(BOB.id), LIBRARY_OF_BOB.id, (TaskState.FAILED, TaskState.WORKING), skill="search", since=NOW
        ),
        {
            "SEARCH tasks USING INDEX tasks_of_agent_and_skill (agent_id=? AND skill=? AND id>?)",
            "SEARCH tasks USING INDEX tasks_of_agent_in_state (agent_id=? AND state=? AND id>?)",
        },
    ),
    "in the name of another user": (
        TaskFilter(Visible(BOB.id), owner_id=ADA.id),
        {"SEARCH tasks USING INDEX tasks_of_agent (agent_id=?)"},
    ),
    "in the name of a user": (
        TaskFilter(owner_id=BOB.id),
        {"SEARCH tasks USING INDEX tasks_of_owner (owner_id=?)"},
    ),
    "until": (TaskFilter(until=NOW), {"SEARCH tasks USING INDEX sqlite_autoindex_tasks_1 (id<?)"}),
    "since": (TaskFilter(since=NOW), {"SEARCH tasks USING INDEX sqlite_autoindex_tasks_1 (id>?)"}),
    "since, of an agent": (
        TaskFilter(agent_id=LIBRARY.id, since=NOW),
        {"SEARCH tasks USING INDEX tasks_of_agent (agent_id=? AND id>?)"},
    ),
    "prefix": (
        TaskFilter(prefix="tsk_01"),
        {"SEARCH tasks USING INDEX sqlite_autoindex_tasks_1 (id>? AND id<?)"},
    ),
    "parent": (
        TaskFilter(parent_id="task_1"),
        {"SEARCH tasks USING INDEX tasks_of_parent (parent_id=?)"},
    ),
    "trace": (
        TaskFilter(trace_id="ab" * 16),
        {"SEARCH tasks USING INDEX tasks_of_trace (trace_id=?)"},
    ),
    "of a key, narrowed by all else": (
        TaskFilter(
            Visible(BOB.id, "key_1"), LIBRARY.id, (TaskState.FAILED, TaskState.WORKING), skill="search", since=NOW
        ),
        {
            "SEARCH tasks USING INDEX tasks_of_caller (caller_id=? AND id>?)",
        },
    ),
    "trace, narrowed by all else": (
        TaskFilter(
            Visible(BOB.id), LIBRARY.id, (TaskState.FAILED, TaskState.WORKING), trace_id="ab" * 16, skill="search"
        ),
        {"SEARCH tasks USING INDEX tasks_of_trace (trace_id=?)"},
    ),
}


def in_state(state: TaskState) -> dict[str, tuple[TaskFilter, set[str]]]:
    return {
        state: (
            TaskFilter(states=(state,)),
            {"SEARCH tasks USING INDEX tasks_in_state (state=?)"},
        ),
        f"{state}, for a user": (
            TaskFilter(states=(state,), visible=Visible(BOB.id)),
            {
                "SEARCH tasks USING INDEX tasks_of_owner_in_state (owner_id=? AND state=?)",
                "SEARCH tasks USING INDEX tasks_of_agent_in_state (agent_id=? AND state=?)",
            },
        ),
        f"{state}, of an agent": (
            TaskFilter(states=(state,), agent_id=LIBRARY.id),
            {"SEARCH tasks USING INDEX tasks_of_agent_in_state (agent_id=? AND state=?)"},
        ),
    }


LISTS |= {name: listed for state in sorted(set(TaskState) - LEASED) for name, listed in in_state(state).items()}


async def plans_of(use: Callable[[Store], Awaitable[object]]) -> list[str]:
    """Return the steps in the plans of all queries that a use of the store runs."""
    steps: list[str] = []
    await watch(use, lambda driver, text: steps.extend(row[3] for row in driver.execute(f"EXPLAIN QUERY PLAN {text}")))
    return steps


async def statements_of(use: Callable[[Store], Awaitable[object]]) -> list[str]:
    """Return the text of all queries that a use of the store runs."""
    texts: list[str] = []
    await watch(use, lambda _, text: texts.append(text))
    return texts


async def watch(use: Callable[[Store], Awaitable[object]], look: Callable[[sqlite3.Connection, str], object]) -> None:
    """Look at each query that a use of the store has run, as the driver was given it."""
    drivers: list[sqlite3.Connection] = []

    def collect(driver: sqlite3.Connection, _: object) -> None:
        drivers.append(driver)

    event.listen(Engine, "connect", collect)
    try:
        async with open_store(None, clock=lambda: NOW, ids=Numbered()) as store:
            (driver,) = drivers
            await populate(store)
            await store.agents.add(LIBRARY_OF_BOB)
            await store.tasks.add(submitted(1))
            await store.tokens.revoke("tok_none", NOW)  # after a statement, the writer has to read tasks again
            ran: list[str] = []
            driver.set_trace_callback(ran.append)
            await use(store)
            driver.set_trace_callback(None)
            for text in ran:
                if text.startswith("SELECT"):
                    look(driver, text)
    finally:
        event.remove(Engine, "connect", collect)


PAYLOADS = ("input", "output", "error_detail", "dialogue")


@pytest.mark.parametrize(
    "use",
    [
        lambda store: store.tasks.find(TaskFilter(), limit=9),
        lambda store: store.tasks.find(TaskFilter(visible=Visible(BOB.id)), limit=9),
        lambda store: store.tasks.summary("task_00000001"),
    ],
)
async def test_a_list_asks_for_the_length_of_a_payload_and_never_for_the_payload(
    use: Callable[[Store], Awaitable[object]],
) -> None:
    (selected,) = [text for text in await statements_of(use) if "input_bytes" in text]
    for column in PAYLOADS:
        assert f"tasks.{column}," not in selected
    assert "length(tasks.input)" in selected


async def test_a_list_that_is_looked_at_again_reads_no_more_of_the_tasks_that_have_ended() -> None:
    lists: list[list[Summary]] = []

    async def use(store: Store) -> None:
        await store.tasks.add(submitted(2))
        await store.tasks.change("task_00000002", lambda task: lifecycle.cancel(task, "no", NOW))
        lists.extend([(await store.tasks.find(TaskFilter(), limit=9))[0] for _ in range(2)])

    first, again = [text for text in await statements_of(use) if "input_bytes" in text]
    assert ("task_00000001" in first, "task_00000002" in first) == (True, True)
    assert ("task_00000001" in again, "task_00000002" in again) == (True, False)
    assert lists[0] == lists[1]
    assert [one.task.state for one in lists[1]] == [TaskState.CANCELED, TaskState.SUBMITTED]


@pytest.mark.parametrize("query", HOT)
async def test_a_hot_query_uses_its_index(query: str) -> None:
    use, expected = HOT[query]
    steps = await plans_of(use)
    assert expected <= set(steps), steps
    touching = {
        step for step in steps if step.startswith(("SEARCH tasks", "SCAN tasks", "SEARCH events", "SCAN events"))
    }
    assert touching <= expected, steps
    assert not [step for step in steps if "TEMP B-TREE" in step], steps


async def test_what_agents_took_and_who_is_connected_are_found_by_an_index() -> None:
    async def use(store: Store) -> None:
        await store.resources.read(LIBRARY.id, NOW - 7_200, NOW, step=60)
        await store.resources.connected(Visible(None))

    steps = await plans_of(use)
    assert "SEARCH resources USING PRIMARY KEY (span=? AND start=? AND agent_id=?)" in steps
    assert "SCAN instances USING INDEX instances_connected" in steps


TIMES = ("", " AND start>?", " AND start>? AND start<?")


@pytest.mark.parametrize("visible", [Visible(None), Visible(BOB.id)])
async def test_statistics_look_at_their_time_alone(visible: Visible) -> None:
    async def use(store: Store) -> None:
        await store.statistics.roll(NOW)
        await store.statistics.read(visible, NOW - 86_400, NOW, step=3_600)

    steps = await plans_of(use)
    assert {step for step in steps if "tasks" in step} == {
        "SEARCH tasks USING INDEX tasks_by_end (ended_at>? AND ended_at<?)",
        "SEARCH tasks USING COVERING INDEX tasks_by_end (ended_at>? AND ended_at<?)",
    }, steps
    looked = {step for step in steps if "statistics" in step}
    assert looked == {f"SEARCH statistics USING PRIMARY KEY (scope=? AND span=?{time})" for time in TIMES}, steps


async def test_no_task_and_no_row_of_the_audit_log_is_walked_over_to_count_them() -> None:
    (text,) = await statements_of(lambda store: store.counts())
    assert "max(tasks.rowid)" in text
    steps = await plans_of(lambda store: store.counts())
    walked = [step for step in steps if step.endswith(("tasks", "audit"))]
    assert walked == ["SEARCH tasks", "SEARCH audit", "SEARCH audit"], steps


@pytest.mark.parametrize("narrowed", LISTS)
async def test_a_list_walks_an_index_for_what_it_is_narrowed_by_and_sorts_nothing(
    narrowed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lists, "FEW", 0)  # each way is looked at
    which, expected = LISTS[narrowed]
    steps = await plans_of(lambda store: store.tasks.find(which, limit=9))
    walked = {step.replace("COVERING ", "") for step in steps if " tasks " in step} - {PAGE}
    assert walked == expected, steps
    assert not [step for step in steps if "TEMP B-TREE" in step], steps


async def test_a_rare_skill_among_all_that_is_somebodys_own_is_looked_for_in_an_index_alone() -> None:
    which = TaskFilter(Visible(BOB.id), skill="rare")
    steps = await plans_of(lambda store: store.tasks.find(which, limit=9))
    assert {step for step in steps if "tasks_of_owner" in step} == {
        "SEARCH tasks USING COVERING INDEX tasks_of_owner (owner_id=?)"
    }, steps


@pytest.mark.parametrize("state", sorted(LEASED))
@pytest.mark.parametrize("beside", [TaskFilter(), TaskFilter(Visible(BOB.id), LIBRARY.id, skill="search", since=NOW)])
async def test_a_list_of_what_is_held_looks_at_no_more_than_that(state: TaskState, beside: TaskFilter) -> None:
    which = msgspec.structs.replace(beside, states=(state,))
    steps = await plans_of(lambda store: store.tasks.find(which, limit=9))
    assert {step for step in steps if step.startswith("SCAN tasks")} <= {"SCAN tasks USING INDEX tasks_held"}, steps


def test_every_filter_of_a_list_has_its_plan_here() -> None:
    narrowing = {
        name
        for which, _ in LISTS.values()
        for name in TaskFilter.__struct_fields__
        if getattr(which, name) not in (None, ())
    }
    assert narrowing == set(TaskFilter.__struct_fields__)
