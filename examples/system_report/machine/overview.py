"""From two snapshots to the state of the machine."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from machine.snapshot import Bounds, CpuTimes, Disk, Memory, Snapshot, Swap, Traffic

Percent = Annotated[float, Field(ge=0, le=100)]
Bytes = Annotated[int, Field(ge=0)]


class Report(BaseModel):
    """Base of what goes to a caller: values that do not change."""

    model_config = ConfigDict(frozen=True)


class Load(Report):
    """How many processes ran or wanted to, on average; compare it with the number of cores."""

    last_minute: float
    last_5_minutes: float
    last_15_minutes: float


class Use(Report):
    """How much of something is in use. `free_bytes` is what can still be had."""

    total_bytes: Bytes
    used_bytes: Bytes
    free_bytes: Bytes
    used_percent: Percent


class DiskUse(Use):
    """A mounted disk; `used_percent` counts as `df` does, without what is reserved for the system."""

    path: str
    kind: Annotated[str, Field(description="File system, for instance ext4")]
    read_only: bool


class NetworkTotals(Report):
    """Bytes since boot over all interfaces but the loopback."""

    sent_bytes: Bytes
    received_bytes: Bytes


class SensorReading(Report):
    """A temperature in degrees Celsius."""

    sensor: str
    celsius: float
    high_celsius: Annotated[float | None, Field(description="Where the hardware says that it is too warm")]


class Container(Report):
    """What this process may use when it is bounded to less than the machine."""

    memory: Use | None
    cores: float | None


class Overview(Report):
    """The state of the machine; null is what the system does not tell, and `missing` says why."""

    taken_at: datetime
    system: str
    uptime_seconds: float | None
    cores: int
    load: Load | None
    cpu_percent: Annotated[Percent | None, Field(description="Of all cores together")]
    memory: Use | None
    swap: Annotated[Use | None, Field(description="Null when there is none")]
    disks: list[DiskUse]
    network: NetworkTotals | None
    temperatures: list[SensorReading]
    container: Annotated[Container | None, Field(description="Null when it may use the whole machine")]
    missing: list[str]


def overview(before: Snapshot, now: Snapshot, disks: Sequence[Disk], missing: Sequence[str] = ()) -> Overview:
    """The state of the machine at `now`; `before` is a moment earlier, for what has to be measured over a time."""
    return Overview(
        taken_at=datetime.fromtimestamp(now.taken, UTC),
        system=now.system,
        uptime_seconds=None if now.booted is None else round(max(0.0, now.taken - now.booted)),
        cores=now.cores,
        load=load_of(now),
        cpu_percent=cpu_percent(before.cpu, now.cpu),
        memory=memory_use(now.memory),
        swap=_swap_use(now.swap),
        disks=[_disk_use(disk) for disk in disks],
        network=_network(now.network),
        temperatures=[
            SensorReading(sensor=one.sensor, celsius=round(one.celsius, 1), high_celsius=one.high)
            for one in now.temperatures
        ],
        container=_container(now.bounds),
        missing=[*now.missing, *missing],
    )


def load_of(now: Snapshot) -> Load | None:
    """The load, with two decimals."""
    if now.load is None:
        return None
    minute, five, fifteen = (round(value, 2) for value in now.load)
    return Load(last_minute=minute, last_5_minutes=five, last_15_minutes=fifteen)


def cpu_percent(before: CpuTimes | None, now: CpuTimes | None) -> float | None:
    """How much of all cores was in use between two moments; None when that is not known."""
    if before is None or now is None or now.total <= before.total:
        return None
    return percent(now.busy - before.busy, now.total - before.total)


def memory_use(memory: Memory | None) -> Use | None:
    """Memory in use: all but what programs can still get."""
    return None if memory is None else use(memory.total, memory.total - memory.available, memory.available)


def use(total: int, used: int, free: int) -> Use:
    """Sizes as a Use; counters that are read one after the other may contradict each other a little."""
    used, free = max(0, used), max(0, free)
    return Use(total_bytes=total, used_bytes=used, free_bytes=free, used_percent=percent(used, used + free))


def percent(part: float, whole: float) -> float:
    """Part of a whole, from 0 to 100, with one decimal."""
    return round(min(100.0, max(0.0, 100 * part / whole)), 1) if whole > 0 else 0.0


def _swap_use(swap: Swap | None) -> Use | None:
    return use(swap.total, swap.used, swap.total - swap.used) if swap is not None and swap.total else None


def _disk_use(disk: Disk) -> DiskUse:
    sizes = use(disk.total, disk.used, disk.free)
    return DiskUse(path=disk.path, kind=disk.kind, read_only=disk.read_only, **sizes.model_dump())


def _network(traffic: Traffic | None) -> NetworkTotals | None:
    return None if traffic is None else NetworkTotals(sent_bytes=traffic.outwards, received_bytes=traffic.inwards)


def _container(bounds: Bounds) -> Container | None:
    if bounds.memory_limit is None and bounds.cores is None:
        return None
    memory = None
    if bounds.memory_limit is not None and bounds.memory_used is not None:
        memory = use(bounds.memory_limit, bounds.memory_used, bounds.memory_limit - bounds.memory_used)
    return Container(memory=memory, cores=None if bounds.cores is None else round(bounds.cores, 2))
