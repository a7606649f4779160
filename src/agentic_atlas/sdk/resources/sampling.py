"""Looks at this process, its children and its machine; nothing here waits, and what the system hides is left out.

Children are found by Linux's own lists of them: psutil would look through all processes of the machine. NVIDIA's GPUs
are looked at where its library for Python is installed (`nvidia-ml-py`) and a driver is there.
"""

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import psutil

from agentic_atlas.sdk.resources.cgroup import ControlGroups
from agentic_atlas.sdk.resources.measuring import Descendant, Gpus, Sample

MOST_CHILDREN: Final = 256
"""Processes that are looked at; of more, the others are not counted."""
CHILDREN_AGAIN: Final = 10.0
"""Seconds between two searches for children, where the system has no list of them."""

_PROC: Final = Path("/proc")
_NOT_BUSY: Final = ("idle", "iowait", "guest", "guest_nice")
"""Times of a processor that are no work, or are counted as other work already."""


class Sampler:
    """Takes a look when it is called. For one thread."""

    def __init__(self, clock: Callable[[], float], groups: ControlGroups | None = None) -> None:
        """Prepare; `clock` are seconds that only ever pass."""
        self._clock = clock
        self._groups = groups or ControlGroups()
        self._process = psutil.Process()
        self._gpus = gpus()
        self._battery: Callable[[], Any] = getattr(psutil, "sensors_battery", lambda: None)
        # Windows has handles instead.
        self._open: Callable[[], int] = getattr(self._process, "num_fds", getattr(self._process, "num_handles", int))
        self._listed = (_PROC / "self" / "task" / str(os.getpid()) / "children").exists()
        self._searched: tuple[float, list[psutil.Process]] = float("-inf"), []

    def __call__(self) -> Sample:
        """Look once."""
        own = self._own()
        busy, cores, usable = _processor()
        memory, disk = psutil.virtual_memory(), _disk()
        battery = self._charge()
        return Sample(
            at=self._clock(),
            **own,
            children=dict(self._children()),
            cores=usable,
            busy=busy,
            machine_cores=cores,
            memory_used=max(0, memory.total - memory.available),
            memory_total=memory.total,
            load=os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0,
            disk_used=disk[0],
            disk_total=disk[1],
            container=self._groups.read(),
            gpus=self._gpus(),
            battery=None if battery is None else battery[0],
            on_battery=battery is not None and battery[1],
        )

    def _own(self) -> Mapping[str, Any]:
        try:
            with self._process.oneshot():
                times = self._process.cpu_times()
                return {
                    "cpu": times.user + times.system,
                    "memory": self._process.memory_info().rss,
                    "threads": self._process.num_threads(),
                    "open_files": self._open(),
                }
        except psutil.Error:
            return {}

    def _children(self) -> Iterator[tuple[int, Descendant]]:
        return listed_children(_PROC, os.getpid()) if self._listed else self._found_children()

    def _found_children(self) -> Iterator[tuple[int, Descendant]]:
        now, (before, children) = self._clock(), self._searched
        if now - before >= CHILDREN_AGAIN:
            with contextlib.suppress(psutil.Error):
                children = self._process.children(recursive=True)[:MOST_CHILDREN]
            self._searched = now, children
        for child in children:
            with contextlib.suppress(psutil.Error):
                times = child.cpu_times()
                yield child.pid, Descendant(times.user + times.system, child.memory_info().rss)

    def _charge(self) -> tuple[float, bool] | None:
        """Return the percent that are left, and whether it is what the machine runs on; None for no battery."""
        try:
            battery = self._battery()
        except (OSError, ValueError, RuntimeError, psutil.Error):  # of drivers that say half of it
            return None
        return None if battery is None else (min(100.0, max(0.0, battery.percent)), battery.power_plugged is False)


def listed_children(proc: Path, pid: int) -> Iterator[tuple[int, Descendant]]:
    """Yield the processes below one, with what they take, from this `/proc`."""
    ticks, page = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")
    waiting, seen = [pid], {pid}
    while waiting and len(seen) <= MOST_CHILDREN:
        for child in _children_of(proc / str(waiting.pop())):
            if child in seen or len(seen) > MOST_CHILDREN:
                continue
            seen.add(child)
            waiting.append(child)
            with contextlib.suppress(OSError, ValueError, IndexError):
                # After the name, which may hold anything: state is the first, then utime and stime, and rss in pages.
                fields = (proc / str(child) / "stat").read_bytes().rpartition(b")")[2].split()
                yield child, Descendant((int(fields[11]) + int(fields[12])) / ticks, int(fields[21]) * page)


def _children_of(process: Path) -> list[int]:
    found: list[int] = []
    with contextlib.suppress(OSError):
        for thread in (process / "task").iterdir():
            with contextlib.suppress(OSError, ValueError):
                found += map(int, (thread / "children").read_bytes().split())
    return found


def _processor() -> tuple[float, int, float]:
    """Return the seconds that all cores have worked, how many there are, and how many this process may run on."""
    times = psutil.cpu_times()._asdict()
    busy = sum(times.values()) - sum(times.get(name, 0.0) for name in _NOT_BUSY)
    cores = os.cpu_count() or 1
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else cores
    return busy, cores, float(usable)


def _disk() -> tuple[int, int]:
    """Return the bytes used and in all of the disk that the working directory is on."""
    try:
        usage = psutil.disk_usage(".")
    except OSError:  # the folder was removed
        return 0, 0
    return usage.used, usage.total


def gpus(name: str = "pynvml") -> Callable[[], Gpus | None]:
    """Return what looks at all NVIDIA GPUs by this module; without it, or without a driver, there are none."""
    if find_spec(name) is None:
        return lambda: None
    nvml: Any = import_module(name)
    try:
        nvml.nvmlInit()
        handles = [nvml.nvmlDeviceGetHandleByIndex(place) for place in range(nvml.nvmlDeviceGetCount())]
    except nvml.NVMLError:
        return lambda: None

    def look() -> Gpus | None:
        try:
            busy = max((float(nvml.nvmlDeviceGetUtilizationRates(one).gpu) for one in handles), default=0.0)
            memory = [nvml.nvmlDeviceGetMemoryInfo(one) for one in handles]
        except nvml.NVMLError:
            return None
        return Gpus(busy, sum(one.used for one in memory), sum(one.total for one in memory)) if handles else None

    return look
