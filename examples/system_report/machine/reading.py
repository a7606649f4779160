"""The edge: everything that asks the operating system, through psutil. What it does not tell is named, never raised."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final, TypeVar

import psutil

from machine.cgroup import read_bounds
from machine.snapshot import CpuTimes, Disk, Memory, ProcessFacts, Snapshot, Swap, Temperature, Traffic

T = TypeVar("T")
Clock = Callable[[], float]

_UNKNOWN: Final = (psutil.Error, OSError, AttributeError, NotImplementedError, ValueError, RuntimeError)
"""What psutil raises where a system does not tell something, or tells it in a form it does not know."""
_IMAGES: Final = frozenset({"squashfs", "iso9660", "udf", "erofs", "cramfs"})
"""File systems that are always full, because they were made so."""
_LOOPBACK: Final = ("lo", "lo0", "Loopback Pseudo-Interface 1")


def read_machine(now: Clock, monotonic: Clock) -> Snapshot:
    """The machine as it is now; takes a few milliseconds."""
    missing: list[str] = []

    def tried(name: str, read: Callable[[], T]) -> T | None:
        try:
            return read()
        except _UNKNOWN as error:
            missing.append(f"{name}: {_reason(error)}")
            return None

    return Snapshot(
        taken=now(),
        clock=monotonic(),
        system=f"{platform.system()} {platform.release()} {platform.machine()}".strip(),
        booted=tried("uptime", psutil.boot_time),
        cores=os.cpu_count() or 1,
        load=tried("load", psutil.getloadavg),
        cpu=tried("cpu", _cpu),
        memory=tried("memory", _memory),
        swap=tried("swap", _swap),
        network=tried("network", _network),
        disk_traffic=tried("disk traffic", _disk_traffic),
        temperatures=tried("temperatures", _temperatures) or (),
        bounds=read_bounds(),
        missing=tuple(missing),
    )


def read_disks() -> tuple[list[Disk], list[str]]:
    """The mounted disks, and what could not be read of them.

    Without network drives and what only looks like a disk. It may block for as long as a broken disk does.
    """
    disks: dict[str, Disk] = {}
    missing: list[str] = []
    for device, path, kind, read_only in _mounts():
        try:
            use = psutil.disk_usage(path)
        except _UNKNOWN as error:
            missing.append(f"disk {path}: {_reason(error)}")
            continue
        # One disk may be mounted in many places; the shortest path says most.
        if use.total and (device not in disks or len(path) < len(disks[device].path)):
            disks[device] = Disk(path, kind, use.total, use.used, use.free, read_only)
    return sorted(disks.values(), key=lambda disk: disk.path), missing


def read_processes() -> list[ProcessFacts]:
    """All processes that this user may see. Takes about a tenth of a millisecond for each."""
    attributes = ["pid", "create_time", "name", "username", "cpu_times", "memory_info"]
    return [_facts(process.info) for process in psutil.process_iter(attributes, ad_value=None)]


def read_commands(processes: Iterable[ProcessFacts]) -> dict[int, list[str]]:
    """The arguments each process was started with, by pid; without those that have ended or may not be asked."""
    found: dict[int, list[str]] = {}
    for facts in processes:
        try:
            process = psutil.Process(facts.pid)
            if process.create_time() == facts.started:
                found[facts.pid] = process.cmdline()
        except _UNKNOWN:
            continue
    return found


def _reason(error: BaseException) -> str:
    """Why, in a few words and without paths of this machine."""
    if isinstance(error, PermissionError | psutil.AccessDenied):
        return "not permitted"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return "not available on this system"


def _cpu() -> CpuTimes:
    times = psutil.cpu_times()._asdict()
    # Linux counts the time of guests in that of their hosts as well.
    total = sum(times.values()) - times.get("guest", 0.0) - times.get("guest_nice", 0.0)
    return CpuTimes(busy=total - times["idle"] - times.get("iowait", 0.0), total=total)


def _memory() -> Memory:
    memory = psutil.virtual_memory()
    return Memory(memory.total, memory.available)


def _swap() -> Swap:
    swap = psutil.swap_memory()
    return Swap(swap.total, swap.used)


def _network() -> Traffic | None:
    interfaces = psutil.net_io_counters(pernic=True)
    real = [counted for name, counted in interfaces.items() if name not in _LOOPBACK]
    return Traffic(sum(one.bytes_sent for one in real), sum(one.bytes_recv for one in real)) if real else None


def _disk_traffic() -> Traffic | None:
    counted = psutil.disk_io_counters()
    return Traffic(outwards=counted.write_bytes, inwards=counted.read_bytes) if counted else None


def _temperatures() -> tuple[Temperature, ...]:
    if not hasattr(psutil, "sensors_temperatures"):
        raise NotImplementedError
    found = psutil.sensors_temperatures()
    return tuple(
        Temperature(f"{chip} {sensor.label}".strip(), sensor.current, sensor.high or None)
        for chip, sensors in found.items()
        for sensor in sensors
        if sensor.current
    )


def _mounts() -> list[tuple[str, str, str, bool]]:
    """Device, path, kind and whether it is read-only of what is worth a look."""
    try:
        listed = psutil.disk_partitions(all=False)
    except _UNKNOWN:
        listed = []
    mounts = [
        (part.device, part.mountpoint, part.fstype, "ro" in part.opts.split(","))
        for part in listed
        # Containers have single files mounted from outside.
        if part.fstype.lower() not in _IMAGES and Path(part.mountpoint).is_dir()
    ]
    root = Path.cwd().anchor
    if all(path != root for _, path, _, _ in mounts):
        # The root of a container is no disk to psutil, but it can be as full as one.
        mounts.insert(0, ("", root, "", False))
    return mounts


def _facts(info: dict[str, Any]) -> ProcessFacts:
    times, memory = info["cpu_times"], info["memory_info"]
    return ProcessFacts(
        pid=info["pid"],
        started=info["create_time"] or 0.0,
        name=info["name"] or "",
        user=info["username"],
        cpu_seconds=times.user + times.system if times else None,
        memory=memory.rss if memory else None,
    )
