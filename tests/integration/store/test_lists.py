"""Lists that look at many tasks for few that fit go on from page to page, and each page at so many.

A store of many tasks is filled once for all of them, on a loop of its own.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from msgspec.structs import replace
from sqlalchemy import create_engine

from agentic_atlas.backend.domain.records import AgentRecord, CallerRef, Role, Task, User
from agentic_atlas.backend.ports import Store, TaskFilter
from agentic_atlas.backend.rights import Visible
from agentic_atlas.backend.store.database import open_store
from agentic_atlas.backend.store.lists import MOST_LOOKED_AT
from agentic_atlas.backend.store.rows import TASKS, TaskStatements
from agentic_atlas.protocol.tasks import TaskState
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


EVE = User("user_eve", "eve", Role.MEMBER, NOW)
EVES = Visible(EVE.id)


@pytest.fixture(scope="module")
def of_bob(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store in which bob asked for more than one look takes, and eve for nothing."""
    database = tmp_path_factory.mktemp("lists") / "atlas.db"

    async def furnish() -> None:
        async with open_store(database, clock=lambda: NOW, ids=Numbered()) as store:
            await populate(store)
            await store.users.add(EVE)

    asyncio.run(furnish())
    caller = CallerRef("api_key", "key_1", BOB.id)
    keep(database, [task(number, caller=caller) for number in range(MOST_LOOKED_AT + 10)])
    return database


@pytest.mark.parametrize(
    "which",
    [
        TaskFilter(),
        TaskFilter(owner_id=BOB.id),
        TaskFilter(owner_id=BOB.id, skill="search"),
        TaskFilter(owner_id=BOB.id, states=(TaskState.SUBMITTED,)),
        TaskFilter(agent_id=LIBRARY.id),
        TaskFilter(caller_ids=("key_1",)),
        TaskFilter(skill="search"),
    ],
)
async def test_a_list_tells_nothing_of_tasks_that_are_not_seen_however_many_there_are(
    of_bob: Path, which: TaskFilter
) -> None:
    async with open_store(of_bob, clock=lambda: NOW, ids=Numbered()) as store:
        for visible in (EVES, Visible(EVE.id, "key_eve"), Visible(None, "key_eve")):
            assert await store.tasks.find(replace(which, visible=visible), limit=9) == ([], None)
        found, _ = await store.tasks.find(replace(which, visible=Visible(BOB.id)), limit=9)
        assert len(found) == 9


async def test_nor_does_it_to_who_has_very_many_agents(tmp_path: Path) -> None:
    database = tmp_path / "atlas.db"
    async with open_store(database, clock=lambda: NOW, ids=Numbered()) as store:
        await populate(store)
        await store.users.add(EVE)
        for number in range(120):
            await store.agents.add(AgentRecord(f"agent_{number:03}", EVE.id, EVE.name, f"many{number}", NOW))
    keep(database, [task(number) for number in range(MOST_LOOKED_AT + 10)])
    hers = [task(number, agent_id=f"agent_{number % 120:03}") for number in range(6_000, 6_180)]
    async with open_store(database, clock=lambda: NOW, ids=Numbered()) as store:
        for which in (TaskFilter(EVES), TaskFilter(EVES, owner_id=BOB.id), TaskFilter(EVES, skill="search")):
            assert await store.tasks.find(which, limit=9) == ([], None)
    keep(database, hers)
    async with open_store(database, clock=lambda: NOW, ids=Numbered()) as store:
        for which in (TaskFilter(EVES), TaskFilter(EVES, owner_id=BOB.id), TaskFilter(EVES, skill="search")):
            found = await pages(store, which)
            assert [one for page in found for one in page] == [one.id for one in reversed(hers)]
