"""A machine is watched for as long as asked, at an even pace."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from machine.samples import Sample, sample, samples
from machine.snapshot import CpuTimes, Snapshot, Traffic
from machine_samples import BARE, NOW, WELL


class Machine:
    """A machine whose time passes only while it is slept, and 0.25 seconds with each reading."""

    def __init__(self) -> None:
        self.clock = 0.0
        self.slept: list[float] = []

    async def read(self) -> Snapshot:
        self.clock += 0.25
        return replace(
            WELL,
            taken=NOW + self.clock,
            clock=self.clock,
            cpu=CpuTimes(busy=self.clock, total=self.clock * 4),
            network=Traffic(outwards=int(self.clock * 1_000), inwards=0),
        )

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.clock += seconds


def watched(seconds: float, every: float) -> tuple[list[Sample], Machine]:
    machine = Machine()

    async def main() -> list[Sample]:
        return [one async for one in samples(machine.read, machine.sleep, seconds, every)]

    return asyncio.run(main()), machine


def test_there_are_as_many_samples_as_fit() -> None:
    for seconds, every, count in ((10, 2, 5), (10, 3, 3), (1, 60, 1), (300, 1, 300)):
        assert len(watched(seconds, every)[0]) == count


def test_the_pace_is_even_whatever_a_reading_takes() -> None:
    taken, machine = watched(6, 2)
    assert machine.slept == [2.0, 1.75, 1.75]
    assert [one.taken_at.timestamp() - NOW for one in taken] == [2.5, 4.5, 6.5]


def test_a_sample_tells_what_happened_since_the_one_before() -> None:
    one = watched(2, 2)[0][0]
    assert (one.cpu_percent, one.memory_used_percent, one.load_last_minute) == (25.0, 25.0, 0.5)
    assert one.network is not None
    assert (one.network.out_bytes_per_second, one.network.in_bytes_per_second) == (1_000, 0)


def test_counters_that_begin_again_and_what_is_not_told_do_no_harm() -> None:
    now = replace(WELL, clock=1_001.0, network=Traffic(0, 0))
    network = sample(WELL, now).network
    assert network is not None and network.out_bytes_per_second == 0
    bare = sample(BARE, replace(BARE, clock=1_001.0))
    assert (bare.cpu_percent, bare.memory_used_percent, bare.network, bare.disks) == (None,) * 4
    assert sample(WELL, WELL).network is None
