"""What is kept of counts is bounded by time and by who is in the network, not by how many tasks there were."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from agentic_atlas.backend.domain.statistics import DAY, HOUR, MINUTE, beginning
from agentic_atlas.backend.rights import Visible
from agentic_atlas.backend.store.database import open_store
from tests.conformance.store.samples import ADA, BOB, LIBRARY, NOW, Numbered
from tests.conformance.store.test_statistics import check, furnish, keep


def kept(path: Path) -> dict[int, tuple[int, int]]:
    """Return how many spans of each length are stored, and in how many scopes."""
    query = "SELECT span, count(DISTINCT start), count(DISTINCT scope) FROM statistics GROUP BY span"
    with closing(sqlite3.connect(path)) as connection:
        return {span: (starts, scopes) for span, starts, scopes in connection.execute(query)}


async def test_minutes_become_hours_and_days_and_all_are_forgotten_in_their_time(tmp_path: Path) -> None:
    path, first, chance = tmp_path / "atlas.db", beginning(NOW, DAY), random.Random(1)
    async with open_store(path, clock=lambda: NOW, ids=Numbered()) as store:
        await furnish(store)
        for number in range(40):
            await keep(store, number, first + HOUR + number, chance)
        scopes = len({"", LIBRARY.id, "agent_2", "agent_gone", ADA.id, BOB.id})
        for hours, spans in (
            (2, {MINUTE: (1, scopes)}),
            (5, {HOUR: (1, scopes)}),
            (26, {HOUR: (1, scopes)}),
            (28, {HOUR: (1, scopes), DAY: (1, scopes)}),
            (8 * 24, {DAY: (1, scopes)}),
            (31 * 24, {DAY: (1, scopes)}),
            (32 * 24, {}),
        ):
            await store.statistics.roll(first + hours * HOUR)
            assert kept(path) == spans, hours


@pytest.mark.parametrize("stopped", [25, 26.2, 37])
async def test_what_was_not_added_up_when_a_server_ended_is_no_less_weeks_later(tmp_path: Path, stopped: float) -> None:
    path, first, chance = tmp_path / "atlas.db", beginning(NOW, DAY), random.Random(stopped)
    now = first + 20 * DAY + 5 * HOUR
    async with open_store(path, clock=lambda: NOW, ids=Numbered()) as store:
        await furnish(store)
        for number in range(50):
            await keep(store, number, first + chance.uniform(0, 3 * DAY), chance)
            await keep(store, 50 + number, now - chance.uniform(0, 10 * DAY), chance)
        await store.statistics.roll(first + stopped * HOUR)
    for _ in range(2):
        async with open_store(path, clock=lambda: NOW, ids=Numbered()) as store:
            await store.statistics.roll(now)
            await check(store, first, now, (DAY,))
            await check(store, now - 7 * DAY, now, (HOUR,))


async def test_what_ended_while_nobody_counted_is_added_up_like_all_else(tmp_path: Path) -> None:
    path, first, chance = tmp_path / "atlas.db", beginning(NOW, DAY), random.Random(2)
    async with open_store(path, clock=lambda: NOW, ids=Numbered()) as store:
        await furnish(store)
        for day in range(3):
            await keep(store, day, first + day * DAY + 12 * HOUR, chance)
        await store.statistics.roll(first + 2 * DAY + 13 * HOUR)
        assert {span: starts for span, (starts, _) in kept(path).items()} == {MINUTE: 1, HOUR: 2, DAY: 2}
        read = await store.statistics.read(Visible(None), first, first + 2 * DAY + 13 * HOUR, step=DAY)
        assert read.by_time.total() == 3
