"""What is wrong with the machine, in plain sentences."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Final, Literal

from pydantic import Field

from machine.overview import Container, DiskUse, Load, Overview, Report, SensorReading, Use

Severity = Literal["critical", "warning", "notice"]
_ORDER: Final = ("critical", "warning", "notice")

DISK_PERCENT: Final = (90.0, 97.0)
"""In use, for a warning and for a critical finding."""
MEMORY_PERCENT: Final = (90.0, 97.0)
LOAD_PER_CORE: Final = (1.0, 3.0)
"""Over five minutes: a minute of work is what cores are for."""
SWAP_PERCENT: Final = (5.0, 50.0)
"""In use, for a notice and for a warning: what lies there does harm only when it is wanted back."""


class Finding(Report):
    """Something that should be looked at."""

    severity: Severity
    subject: Annotated[str, Field(description="What it is about, for instance `disk /`")]
    sentence: str


class Health(Report):
    """The findings, the most severe first. No finding means: nothing wrong with what was `checked`."""

    findings: list[Finding]
    checked: list[str]
    missing: Annotated[list[str], Field(description="What could not be checked, and why")]


def health(now: Overview) -> Health:
    """Everything about the machine that should be looked at."""
    found = [
        *_disks(now.disks),
        *_memory(now),
        *_load(now.load, _cores(now)),
        *_swap(now.swap),
        *_warm(now.temperatures),
    ]
    return Health(
        findings=sorted(found, key=lambda finding: _ORDER.index(finding.severity)),
        checked=list(_checked(now)),
        missing=now.missing,
    )


def told_bytes(size: float) -> str:
    """A size as people read it: `532 bytes`, `1.5 GB`."""
    for unit in ("bytes", "kB", "MB", "GB", "TB"):
        if size < 1000 or unit == "TB":
            break
        size /= 1000
    return f"{size:.0f} {unit}" if unit == "bytes" or size >= 100 else f"{size:.1f} {unit}"


def _disks(disks: list[DiskUse]) -> Iterator[Finding]:
    for disk in disks:
        severity = _severity(disk.used_percent, DISK_PERCENT)
        # What cannot be written to does not get fuller.
        if severity and not disk.read_only:
            left = f"{told_bytes(disk.free_bytes)} of {told_bytes(disk.total_bytes)} are left"
            yield _finding(
                severity, f"disk {disk.path}", f"The disk {disk.path} is {disk.used_percent:g} % full: {left}."
            )


def _memory(now: Overview) -> Iterator[Finding]:
    for subject, memory in (("memory", now.memory), ("memory of the container", _bound(now.container))):
        severity = _severity(memory.used_percent, MEMORY_PERCENT) if memory else None
        if memory and severity:
            left = f"{told_bytes(memory.free_bytes)} of {told_bytes(memory.total_bytes)} are left"
            yield _finding(severity, subject, f"The {subject} is {memory.used_percent:g} % in use: {left}.")


def _load(load: Load | None, cores: float) -> Iterator[Finding]:
    severity = _severity(load.last_5_minutes / cores, LOAD_PER_CORE, over=True) if load else None
    if load and severity:
        waiting = f"On average {load.last_5_minutes:g} processes wanted to run in the last 5 minutes"
        yield _finding(severity, "load", f"{waiting}, on {cores:g} {'cores' if cores != 1 else 'core'}.")


def _swap(swap: Use | None) -> Iterator[Finding]:
    if swap is None or swap.used_percent < SWAP_PERCENT[0]:
        return
    used = f"{told_bytes(swap.used_bytes)} of {told_bytes(swap.total_bytes)}"
    severity: Severity = "warning" if swap.used_percent >= SWAP_PERCENT[1] else "notice"
    yield _finding(severity, "swap", f"Memory was too small at some time: {used} of swap are in use.")


def _warm(temperatures: list[SensorReading]) -> Iterator[Finding]:
    for sensor in temperatures:
        if sensor.high_celsius is not None and sensor.celsius >= sensor.high_celsius:
            warm = f"{sensor.celsius:g} °C, and {sensor.high_celsius:g} °C is too warm for it"
            yield _finding("warning", f"temperature {sensor.sensor}", f"The sensor {sensor.sensor} shows {warm}.")


def _severity(value: float, bounds: tuple[float, float], *, over: bool = False) -> Severity | None:
    """By the two bounds; with `over`, a value on the first is well."""
    warning, critical = bounds
    if value >= critical:
        return "critical"
    return "warning" if value > warning or (value == warning and not over) else None


def _finding(severity: Severity, subject: str, sentence: str) -> Finding:
    return Finding(severity=severity, subject=subject, sentence=sentence)


def _bound(container: Container | None) -> Use | None:
    return container.memory if container else None


def _cores(now: Overview) -> float:
    # The load is that of the machine, whatever part of it a container may use.
    return float(max(1, now.cores))


def _checked(now: Overview) -> Iterator[str]:
    yield from (f"disk {disk.path}" for disk in now.disks if not disk.read_only)
    if now.memory:
        yield "memory"
    if _bound(now.container):
        yield "memory of the container"
    if now.load:
        yield "load"
    if now.swap:
        yield "swap"
    yield from (f"temperature {sensor.sensor}" for sensor in now.temperatures if sensor.high_celsius is not None)
