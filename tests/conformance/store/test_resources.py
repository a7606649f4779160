"""Promises of what agents' processes took: minutes for a day, hours for a month, and points that are means of them."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Mapping

import pytest

from agentic_atlas.backend.domain import resources as kept
from agentic_atlas.backend.domain.resources import InstanceFigures, SpanFigures, together
from agentic_atlas.backend.domain.statistics import DAY, HOUR, MINUTE, beginning
from agentic_atlas.backend.ports import Store
from tests.conformance.store.conftest import Open
from tests.conformance.store.samples import NOW

START = beginning(NOW, DAY)
"""Of all times here: a day begins."""
MINE, OTHER = ("agent_1", "ins_1"), ("agent_1", "ins_2")


def figures(chance: random.Random) -> SpanFigures:
    return SpanFigures(
        cpu=round(chance.uniform(0, 400), 1),
        cpu_most=round(chance.uniform(0, 400), 1),
        memory=chance.randrange(2**40),
        memory_most=chance.randrange(2**40),
        machine_cpu=round(chance.uniform(0, 100), 1),
        threads=chance.randrange(40),
        gpu=chance.choice((None, 50.0)),
        battery=None,
    )


async def fill(store: Store, minutes: range) -> Mapping[int, Mapping[tuple[str, str], SpanFigures]]:
    """Store these minutes, counted from the start; some instances are not there in all of them."""
    chance = random.Random(7)
    filled = {}
    for minute in minutes:
        whose = [MINE, *([OTHER] if chance.random() < 0.7 else []), ("agent_2", "ins_1")]
        filled[START + minute * MINUTE] = taken = {one: figures(chance) for one in whose}
        await store.resources.add(START + minute * MINUTE, taken)
    return filled


def points(
    filled: Mapping[int, Mapping[tuple[str, str], SpanFigures]], step: int, since: float, until: float
) -> list[InstanceFigures]:
    found: defaultdict[tuple[int, str], list[SpanFigures]] = defaultdict(list)
    for start, taken in filled.items():
        for (agent, instance), one in taken.items():
            if agent == "agent_1" and beginning(since, step) <= start <= until:
                found[beginning(start, step), instance].append(one)
    return [InstanceFigures(instance, at, together(every)) for (at, instance), every in sorted(found.items())]


async def read(store: Store, since: float, until: float, step: int) -> list[InstanceFigures]:
    found = await store.resources.read("agent_1", since, until, step=step)
    assert [one.start for one in found] == sorted(one.start for one in found)
    return sorted(found, key=lambda one: (one.start, one.instance_id))


@pytest.mark.parametrize("step", [MINUTE, 5 * MINUTE, HOUR, 2 * HOUR])
async def test_a_point_is_the_mean_of_its_minutes_and_the_highest_of_what_is_highest(opened: Open, step: int) -> None:
    async with opened() as store:
        filled = await fill(store, range(0, 130, 4))
        since, until = START + 7 * MINUTE, START + 121 * MINUTE
        found = await read(store, since, until, step)
        expected = points(filled, step, since, until)
        assert [one[:2] for one in found] == [one[:2] for one in expected]
        for one, other in zip(found, expected, strict=True):
            for value, mean in zip(one.figures, other.figures, strict=True):
                assert value == (None if mean is None else pytest.approx(mean, rel=1e-3, abs=0.6))
        assert await store.resources.read("agent_9", since, until, step=step) == []


async def test_a_minute_that_is_stored_again_takes_the_place_of_the_first(opened: Open) -> None:
    async with opened() as store:
        for cpu in (1.0, 2.0):
            await store.resources.add(START, {MINE: SpanFigures(cpu=cpu)})
        assert await read(store, START, START, MINUTE) == [InstanceFigures("ins_1", START, SpanFigures(cpu=2.0))]


async def test_hours_outlast_their_minutes_and_are_forgotten_too(opened: Open) -> None:
    async with opened() as store:
        filled = await fill(store, range(0, 3 * 60, 5))
        await store.resources.roll(START + 3 * HOUR)
        before = await read(store, START, START + 3 * HOUR, HOUR)
        assert len(before) == 6
        later = START + 3 * HOUR + kept.MINUTES_KEPT
        for _ in range(40):
            await store.resources.roll(later)
        assert await read(store, START, later, HOUR) == before, "as they were, of hours now"
        assert len(await read(store, START, later, MINUTE)) == 6, "no minute is left"
        assert {one.start for one in before} == {beginning(start, HOUR) for start in filled}
        for _ in range(40):
            await store.resources.roll(START + 3 * HOUR + kept.HOURS_KEPT)
        assert await read(store, START, later, HOUR) == []


async def test_hours_and_the_minutes_after_them_are_read_as_one_row(opened: Open) -> None:
    async with opened() as store:
        await fill(store, range(0, 26 * 60, 30))
        now = START + 26 * HOUR
        for _ in range(40):
            await store.resources.roll(now)
        found = [one for one in await read(store, START, now, HOUR) if one.instance_id == "ins_1"]
        assert [one.start for one in found] == [START + hour * HOUR for hour in range(26)]


async def test_there_are_no_more_rows_than_may_be_however_many_processes(
    opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept, "MOST_KEPT", 3 * 200)
    async with opened() as store:
        await fill(store, range(0, 20 * 60, 20))
        now = START + 20 * HOUR
        for _ in range(60):
            await store.resources.roll(now)
        found = await read(store, now - 3 * HOUR, now, MINUTE)
        assert min(one.start for one in found if one.start % HOUR) >= now - 200 * MINUTE


@pytest.mark.parametrize(("processes", "hours"), [(0, 24), (1, 24), (600, 24), (5_000, 3), (20_000, 2)])
def test_minutes_are_kept_for_so_long(processes: int, hours: int) -> None:
    assert kept.kept_for(kept.MINUTES_KEPT, MINUTE, processes) // HOUR == hours
