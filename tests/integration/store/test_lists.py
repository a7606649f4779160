"""Lists that look at many tasks for few that fit go on from page to page, and each page at so many."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import create_engine

from agentic_atlas.backend.domain.records import CallerRef, Task
from agentic_atlas.backend.ports import Store, TaskFilter
from agentic_atlas.backend.rights import Visible
from agentic_atlas.backend.store.database import open_store
from agentic_atlas.backend.store.lists import MOST_LOOKED_AT
from agentic_atlas.backend.store.rows import TASKS, TaskStatements
from tests.conformance.store.samples import ADA, BOB, LIBRARY, NOW, Numbered, populate, task

MANY = 2 * MOST_LOOKED_AT + 10


def keep(database: Path, tasks: list[Task]) -> None:
    engine = create_engine(f"sqlite:///{database}")
    with engine.begin() as connection:
        TaskStatements(engine.dialect).insert.many(connection, [TASKS.row(one) for one in tasks])
    engine.dispose()


async def pages(store: Store, which: TaskFilter) -> list[list[str]]:
    """Return the ids of all pages."""
    found, after = [], None
    while True:
        items, after = await store.tasks.find(which, limit=9, after=after)
        found.append([one.task.id for one in items])
        if after is None:
            return found


async def test_few_tasks_among_many_that_are_no_fewer_any_other_way_are_found_page_by_page(tmp_path: Path) -> None:
    database, rare = tmp_path / "atlas.db", {3, MOST_LOOKED_AT + 5, MANY - 1}
    async with open_store(database, clock=lambda: NOW, ids=Numbered()) as store:
        await populate(store)
    mine, others = CallerRef("api_key", "key_1", BOB.id), CallerRef("api_key", "key_2", BOB.id)
    made = [task(number, agent_id="agent_2", caller=mine) for number in range(0, MANY, 2)]
    made += [task(number, caller=mine if number in rare else others) for number in range(1, MANY, 2)]
    keep(database, made)
    async with open_store(database, clock=lambda: NOW, ids=Numbered()) as store:
        for visible in (Visible(None), Visible(ADA.id), Visible(BOB.id)):
            found = await pages(store, TaskFilter(visible, agent_id=LIBRARY.id, caller_ids=("key_1",)))
            assert [one for page in found for one in page] == [f"task_{n:08}" for n in sorted(rare, reverse=True)]
            assert len(found) > 1
