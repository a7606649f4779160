"""What was read of the machine at one moment. Sizes are bytes, times seconds; None is what could not be read."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CpuTimes:
    """Seconds since boot, over all cores together."""

    busy: float
    total: float


@dataclass(frozen=True, slots=True)
class Memory:
    """`available` is what programs can still get, caches that would be given up included."""

    total: int
    available: int


@dataclass(frozen=True, slots=True)
class Swap:
    """Disk space used as memory; `total` is 0 without any."""

    total: int
    used: int


@dataclass(frozen=True, slots=True)
class Disk:
    """A mounted file system. `free` is what ordinary users can still get, so it may be less than `total - used`."""

    path: str
    kind: str
    total: int
    used: int
    free: int
    read_only: bool


@dataclass(frozen=True, slots=True)
class Traffic:
    """Bytes since boot: of all network interfaces but the loopback, or of all disks."""

    outwards: int
    inwards: int


@dataclass(frozen=True, slots=True)
class Temperature:
    """Degrees Celsius; `high` is where the hardware itself says that it is too warm."""

    sensor: str
    celsius: float
    high: float | None


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a container may use of the machine; None where it is not bounded."""

    memory_limit: int | None
    memory_used: int | None
    cores: float | None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The machine at one moment, without its disks and processes, which are read apart.

    `taken` and `booted` are seconds since 1970; `clock` is monotonic, for the time between two snapshots. `missing`
    names what could not be read, with the reason.
    """

    taken: float
    clock: float
    system: str
    booted: float | None
    cores: int
    load: tuple[float, float, float] | None
    cpu: CpuTimes | None
    memory: Memory | None
    swap: Swap | None
    network: Traffic | None
    disk_traffic: Traffic | None
    temperatures: tuple[Temperature, ...]
    bounds: Bounds
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ProcessFacts:
    """One process. `started` is seconds since 1970; pid and started together tell it from every other."""

    pid: int
    started: float
    name: str
    user: str | None
    cpu_seconds: float | None
    memory: int | None
