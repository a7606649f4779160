"""What processes took is stored once a minute, whatever the number of beats."""

from __future__ import annotations

import asyncio

import pytest

from agentic_atlas.backend.domain.resources import SpanFigures
from agentic_atlas.backend.engine.credit import Credits
from agentic_atlas.backend.engine.resources import BEHIND, ResourceKeeper
from agentic_atlas.backend.store.memory_resources import MemoryResources
from agentic_atlas.errors import Unavailable
from agentic_atlas.protocol.inside.messages import Credit, Heard, InstanceRef
from agentic_atlas.protocol.messages import Resources

HERE = InstanceRef("agt", "ins", 1)
IDLE = InstanceRef("agt", "idle", 1)


class Clock:
    now = 6_000.0

    def __call__(self) -> float:
        return self.now


def connected(clock: Clock) -> Credits:
    credits = Credits(clock)
    for one in (HERE, IDLE):
        credits.granted(Credit(one, 1, 1))
    return credits


async def test_the_beats_of_a_minute_are_one_row_and_what_hardly_changes_is_as_the_last_said() -> None:
    clock, series = Clock(), MemoryResources()
    credits = connected(clock)
    keeper = ResourceKeeper(series, credits.beats, clock)
    for cpu, children, files in ((10.0, 0.0, 5), (30.0, 20.0, 6)):
        more = Resources(children_cpu=children, children_memory=100, open_files=files, machine_cpu=cpu)
        credits.beats.heard(Heard(HERE, cpu=cpu, memory=1_000, resources=more))
    credits.beats.heard(Heard(IDLE))
    clock.now += BEHIND
    await keeper.store()
    (one,) = await series.read("agt", 5_940.0, 5_999.0, step=60)
    assert (one.instance_id, one.start) == ("ins", 5_940)
    assert one.figures == SpanFigures(30.0, 50.0, 1_100, 1_100, 20.0, open_files=6)
    assert credits.beats.take() == {}, "none is counted twice"


async def test_a_store_that_cant_be_had_costs_one_minute() -> None:
    class Away(MemoryResources):
        async def add(self, *_: object) -> None:
            raise Unavailable("the disk is full", code="storage_full")

    clock = Clock()
    credits = connected(clock)
    credits.beats.heard(Heard(HERE, cpu=1.0, memory=1))
    await ResourceKeeper(Away(), credits.beats, clock).store()
    assert credits.beats.take() == {}


async def test_it_is_stored_a_little_after_each_minute_is_over() -> None:
    clock, slept = Clock(), []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        clock.now += seconds + 0.25
        if len(slept) == 3:
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await ResourceKeeper(MemoryResources(), connected(clock).beats, clock, sleep).run()
    assert slept == [BEHIND, 60.0 - 0.25, 60.0 - 0.25]
