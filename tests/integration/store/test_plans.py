"""The queries that run for every task, or over all tasks, walk an index and sort nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec
import pytest
from sqlalchemy import Connection, Engine, event

from agentic_atlas.backend.ports import Slot, Store, TaskFilter
from agentic_atlas.backend.store.database import open_store
from agentic_atlas.protocol.tasks import TaskState
from tests.conformance.store.samples import BOB, LIBRARY, NOW, Numbered, populate, submitted

SLOTS = [Slot(LIBRARY.id, "inst_1", 1)]
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
    "newest of a user": (
        lambda store: store.tasks.find(TaskFilter(visible_to=BOB.id), limit=9),
        {
            "SEARCH agents USING INDEX agents_of_owner (owner_id=?)",
            "SEARCH tasks USING COVERING INDEX tasks_of_owner (owner_id=?)",
            "SEARCH tasks USING COVERING INDEX tasks_of_agent (agent_id=?)",
            "SEARCH tasks USING INDEX sqlite_autoindex_tasks_1 (id=?)",
        },
    ),
    "newest of an agent": (
        lambda store: store.tasks.find(TaskFilter(agent_id=LIBRARY.id), limit=9),
        {"SEARCH tasks USING INDEX tasks_of_agent (agent_id=?)"},
    ),
    "newest of an agent, for its caller": (
        lambda store: store.tasks.find(TaskFilter(agent_id=LIBRARY.id, visible_to=BOB.id), limit=9),
        {"SEARCH tasks USING INDEX tasks_of_agent (agent_id=?)"},
    ),
    "newest of all": (
        lambda store: store.tasks.find(TaskFilter(states=(TaskState.FAILED,)), limit=9),
        {"SCAN tasks USING INDEX sqlite_autoindex_tasks_1"},
    ),
    "newest of a skill": (
        lambda store: store.tasks.find(TaskFilter(agent_id=LIBRARY.id, skill="search"), limit=9),
        {"SEARCH tasks USING INDEX tasks_of_agent (agent_id=?)"},
    ),
    "newest since a time": (
        lambda store: store.tasks.find(TaskFilter(since=NOW), limit=9),
        {"SEARCH tasks USING INDEX sqlite_autoindex_tasks_1 (id>?)"},
    ),
    "newest of an agent since a time": (
        lambda store: store.tasks.find(TaskFilter(agent_id=LIBRARY.id, since=NOW), limit=9),
        {"SEARCH tasks USING INDEX tasks_of_agent (agent_id=? AND id>?)"},
    ),
    "by the beginning of the id": (
        lambda store: store.tasks.find(TaskFilter(prefix="tsk_01"), limit=2),
        {"SEARCH tasks USING INDEX sqlite_autoindex_tasks_1 (id>? AND id<?)"},
    ),
    "a task without its payloads": (
        lambda store: store.tasks.summary("task_00000001"),
        {"SEARCH tasks USING INDEX sqlite_autoindex_tasks_1 (id=?)"},
    ),
    "of a parent": (
        lambda store: store.tasks.find(TaskFilter(parent_id="task_1"), limit=9),
        {"SEARCH tasks USING INDEX tasks_of_parent (parent_id=?)"},
    ),
    "of a trace": (
        lambda store: store.tasks.find(TaskFilter(trace_id="ab" * 16), limit=9),
        {"SEARCH tasks USING INDEX tasks_of_trace (trace_id=?)"},
    ),
    "open": (
        lambda store: store.tasks.open(),
        {"SCAN tasks USING INDEX tasks_waiting", "SCAN tasks USING INDEX tasks_held"},
    ),
    "events": (
        lambda store: store.tasks.events("task_1", after=5),
        {"SEARCH events USING PRIMARY KEY (task_id=? AND seq>?)"},
    ),
    "a change": (
        lambda store: store.tasks.change("task_00000001", lambda task: None),
        {"SEARCH tasks USING INDEX sqlite_autoindex_tasks_1 (id=?)"},
    ),
}


def plans_of(use: Callable[[Store], Awaitable[object]]) -> list[str]:
    """Return the steps in the plans of all queries that a use of the store runs."""
    steps: list[str] = []

    def explain(connection: Connection, statement: str, parameters: Sequence[Any]) -> None:
        plan = connection.connection.cursor().execute(f"EXPLAIN QUERY PLAN {statement}", parameters)
        steps.extend(row[3] for row in plan.fetchall())

    watch(use, explain)
    return steps


def statements_of(use: Callable[[Store], Awaitable[object]]) -> list[str]:
    """Return the text of all queries that a use of the store runs."""
    texts: list[str] = []
    watch(use, lambda _, statement, __: texts.append(statement))
    return texts


def watch(use: Callable[[Store], Awaitable[object]], look: Callable[[Connection, str, Sequence[Any]], object]) -> None:
    """Look at each query that a use of the store runs, before it does."""
    watching = False

    def each(
        connection: Connection, cursor: Any, statement: str, parameters: Sequence[Any], context: object, many: bool
    ) -> None:
        if watching and statement.startswith("SELECT"):
            look(connection, statement, parameters)

    async def main() -> None:
        nonlocal watching
        async with open_store(None, clock=lambda: NOW, ids=Numbered()) as store:
            await populate(store)
            await store.agents.add(LIBRARY_OF_BOB)
            await store.tasks.add(submitted(1))
            await store.tokens.revoke("tok_none", NOW)  # after a statement, the writer has to read tasks again
            watching = True
            await use(store)

    event.listen(Engine, "before_cursor_execute", each)
    try:
        asyncio.run(main())
    finally:
        event.remove(Engine, "before_cursor_execute", each)


PAYLOADS = ("input", "output", "error_detail", "dialogue")


@pytest.mark.parametrize(
    "use",
    [
        lambda store: store.tasks.find(TaskFilter(), limit=9),
        lambda store: store.tasks.find(TaskFilter(visible_to=BOB.id), limit=9),
        lambda store: store.tasks.summary("task_00000001"),
    ],
)
def test_a_list_asks_for_the_length_of_a_payload_and_never_for_the_payload(
    use: Callable[[Store], Awaitable[object]],
) -> None:
    (selected,) = [text for text in statements_of(use) if "input_bytes" in text]
    for column in PAYLOADS:
        assert f"tasks.{column}," not in selected
    assert "length(tasks.input)" in selected


@pytest.mark.parametrize("query", HOT)
def test_a_hot_query_uses_its_index(query: str) -> None:
    use, expected = HOT[query]
    steps = plans_of(use)
    assert expected <= set(steps), steps
    touching = {
        step for step in steps if step.startswith(("SEARCH tasks", "SCAN tasks", "SEARCH events", "SCAN events"))
    }
    assert touching <= expected, steps
    if query != "newest of a user" and query != "of a trace":
        assert not [step for step in steps if "TEMP B-TREE" in step], steps
