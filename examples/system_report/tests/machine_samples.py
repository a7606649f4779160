"""Machines as they could be."""

from __future__ import annotations

from dataclasses import replace

from machine.overview import Overview, overview
from machine.snapshot import Bounds, CpuTimes, Disk, Memory, ProcessFacts, Snapshot, Swap, Temperature, Traffic

GB = 10**9
NOW = 1_700_000_000.0

UNBOUNDED = Bounds(None, None, None)
WELL = Snapshot(
    taken=NOW,
    clock=1_000.0,
    system="Linux 6.1 x86_64",
    booted=NOW - 86_400,
    cores=4,
    load=(0.5, 1.0, 1.5),
    cpu=CpuTimes(busy=100.0, total=1_000.0),
    memory=Memory(total=16 * GB, available=12 * GB),
    swap=Swap(total=4 * GB, used=0),
    network=Traffic(outwards=1_000, inwards=2_000),
    disk_traffic=Traffic(outwards=0, inwards=0),
    temperatures=(Temperature("coretemp Core 0", 45.04, 90.0),),
    bounds=UNBOUNDED,
    missing=(),
)
DISK = Disk("/", "ext4", total=100 * GB, used=50 * GB, free=45 * GB, read_only=False)
BARE = replace(
    WELL,
    booted=None,
    load=None,
    cpu=None,
    memory=None,
    swap=None,
    network=None,
    disk_traffic=None,
    temperatures=(),
    missing=("load: not available on this system",),
)
"""A system that tells nothing of itself."""


def seen(now: Snapshot = WELL, *disks: Disk) -> Overview:
    return overview(WELL, now, disks)


def facts(
    pid: int, cpu: float | None = 0.0, memory: int | None = 0, started: float = 1.0, name: str = "x"
) -> ProcessFacts:
    return ProcessFacts(pid, started, name, "ann", cpu, memory)
