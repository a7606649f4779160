"""What becomes of two looks at a process and its machine: rates, sums and shares. Pure."""

from collections import deque
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

import msgspec

from agentic_atlas.protocol.messages import Resources

WINDOW: Final = 10.0
"""Seconds over which the processor's time is looked at, where looks are more frequent than that."""
FRESH: Final = 1.0
"""Seconds for which a look is good: over less than that, the processor's time says nothing."""


class Descendant(NamedTuple):
    """A process below the agent's: seconds of the processor that it has had, and resident bytes."""

    cpu: float
    memory: int


class Container(NamedTuple):
    """What a control group limits and counts; None where it does not."""

    cores: float | None = None
    cpu: float | None = None
    """Seconds of the processor that all in it have had."""
    memory_total: int | None = None
    memory_used: int = 0


class Gpus(NamedTuple):
    """All GPUs together; `busy` is percent of the busiest."""

    busy: float
    memory_used: int
    memory_total: int


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """One look. Times of the processor are seconds that only grow, memory and disk are bytes."""

    at: float
    """Seconds; never goes back."""
    cpu: float = 0.0
    memory: int = 0
    threads: int = 0
    open_files: int = 0
    children: Mapping[int, Descendant] = {}
    """By their process ids."""
    cores: float = 0.0
    """That the process may run on."""
    busy: float = 0.0
    """Seconds that all cores of the machine have worked."""
    machine_cores: int = 0
    memory_used: int = 0
    memory_total: int = 0
    load: float = 0.0
    disk_used: int = 0
    disk_total: int = 0
    container: Container = Container()
    gpus: Gpus | None = None
    battery: float | None = None
    on_battery: bool = False


class Measured(NamedTuple):
    """What two looks tell: percent of one core and bytes of the process itself, and all else."""

    cpu: float = 0.0
    memory: int = 0
    resources: Resources | None = None

    @property
    def all_memory(self) -> int:
        """Bytes of the process and its children."""
        return self.memory + (self.resources.children_memory if self.resources else 0)

    @property
    def all_cpu(self) -> float:
        """Percent of the cores that it may use which the process and its children took; 0 where those are not known."""
        if self.resources is None or not self.resources.cores:
            return 0.0
        return (self.cpu + self.resources.children_cpu) / self.resources.cores


def measured(before: Sample, now: Sample) -> Measured:
    """Return what happened between two looks, and what the later one saw; rates are 0 when no time has passed."""
    seconds = now.at - before.at
    known = {pid: child.cpu for pid, child in before.children.items()}
    # A process of which less is known than before is another one, with the number of one that has ended.
    since = (
        child.cpu - (known[pid] if known.get(pid, child.cpu + 1) <= child.cpu else 0.0)
        for pid, child in now.children.items()
    )
    cores, machine_cpu = _cores(before, now)
    inside = now.container.memory_total is not None and now.container.memory_total < now.memory_total
    gpus = now.gpus or Gpus(0.0, 0, 0)
    resources = Resources(
        children=len(now.children),
        children_cpu=_percent(sum(since), seconds),
        children_memory=sum(child.memory for child in now.children.values()),
        threads=now.threads,
        open_files=now.open_files,
        cores=round(cores, 2),
        machine_cpu=_percent(machine_cpu, seconds * cores),
        memory_used=now.container.memory_used if inside else now.memory_used,
        memory_total=(now.container.memory_total if inside else None) or now.memory_total,
        load=round(now.load, 2),
        disk_used=now.disk_used,
        disk_total=now.disk_total,
        gpu=None if now.gpus is None else round(gpus.busy, 1),
        gpu_memory_used=gpus.memory_used,
        gpu_memory_total=gpus.memory_total,
        battery=None if now.battery is None else round(now.battery, 1),
        on_battery=now.on_battery,
    )
    return Measured(_percent(now.cpu - before.cpu, seconds), now.memory, resources)


def _cores(before: Sample, now: Sample) -> tuple[float, float]:
    """Return the cores that the process may use, and the seconds that those worked."""
    limited, counted, earlier = now.container.cores, now.container.cpu, before.container.cpu
    if limited is not None and counted is not None and earlier is not None and limited < now.cores:
        return limited, counted - earlier
    # Others may use the rest of the machine: what of it is busy is a guess at what of these is.
    share = now.cores / now.machine_cores if now.machine_cores else 1.0
    return now.cores, (now.busy - before.busy) * share


def _percent(part: float, whole: float) -> float:
    return round(min(max(100.0 * part / whole, 0.0), 1e6), 1) if whole > 0.0 else 0.0


class Gauge:
    """The last looks at a process, as many as it takes to tell of some ten seconds."""

    def __init__(self, look: Callable[[], Sample]) -> None:
        """Look for the first time."""
        self._look = look
        self._samples = deque([look()])
        self._last = measured(self._samples[0], self._samples[0])

    def read(self, now: float) -> Measured:
        """Return how it is, after another look when the last one is too old; `now` is a time of the looks' clock."""
        if now - self._samples[-1].at < FRESH:
            return self._last
        self._samples.append(self._look())
        while len(self._samples) > 2 and self._samples[1].at <= now - WINDOW:
            self._samples.popleft()
        self._last = measured(self._samples[0], self._samples[-1])
        return self._last
