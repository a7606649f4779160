"""A copy of a store is a store: with everything that was there when it was begun."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentic_atlas.backend.ports import Store, TaskFilter
from agentic_atlas.backend.rights import Visible
from agentic_atlas.backend.store.database import open_store
from tests.conformance.store.conftest import DATABASES, Open
from tests.conformance.store.samples import NOW, Numbered, api_key, claimed, populate, submitted

pytestmark = pytest.mark.parametrize("opened", DATABASES, indirect=True)


async def everything(store: Store) -> list[object]:
    tasks = (await store.tasks.find(TaskFilter(), limit=500))[0]
    return [
        await store.network_id(),
        tasks,
        [await store.tasks.get(found.task.id) for found in tasks],
        [await store.tasks.events(found.task.id) for found in tasks],
        await store.users.find(limit=10),
        await store.users.key_by_digest(api_key(1).digest),
        await store.agents.find(Visible(None), limit=10),
        await store.tokens.of_agent("agent_library"),
    ]


async def test_a_copy_holds_everything_and_is_a_store_of_its_own(opened: Open, tmp_path: Path) -> None:
    there: list[object] = []

    async with opened() as store:
        await populate(store)
        await store.users.add_key(api_key(1))
        for number in range(20):
            await store.tasks.add(submitted(number))
        await store.tasks.change("task_00000003", claimed)
        there.extend(await everything(store))
        assert await store.copy(tmp_path / "copy.db", lambda size: None) >= "0001"
        await store.tasks.add(submitted(100))
        assert await store.tasks.get("task_00000100") is not None

    async with open_store(tmp_path / "copy.db", clock=lambda: NOW, ids=Numbered()) as copy:
        assert await everything(copy) == there


async def test_a_copy_takes_the_place_of_what_an_earlier_one_left(opened: Open, tmp_path: Path) -> None:
    (tmp_path / "copy.db").write_bytes(b"half" * 10_000)

    async with opened() as store:
        await store.copy(tmp_path / "copy.db", lambda size: None)

    async with open_store(tmp_path / "copy.db", clock=lambda: NOW, ids=Numbered()) as copy:
        await copy.ready()


async def test_whoever_is_told_of_the_pieces_can_end_the_copy(opened: Open, tmp_path: Path) -> None:
    def enough(_size: int) -> None:
        raise InterruptedError

    async with opened() as store:
        with pytest.raises(InterruptedError):
            await store.copy(tmp_path / "copy.db", enough)
        await store.copy(tmp_path / "copy.db", lambda size: None)
