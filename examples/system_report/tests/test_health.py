"""What should be looked at is found, said in plain words, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest
from machine.health import health, told_bytes
from machine.snapshot import Bounds, Disk, Memory, Snapshot, Swap, Temperature
from machine_samples import BARE, DISK, GB, WELL, seen


def found(now: Snapshot = WELL, *disks: Disk) -> list[tuple[str, str, str]]:
    return [(one.severity, one.subject, one.sentence) for one in health(seen(now, *disks)).findings]


def filled(percent: float, *, read_only: bool = False) -> Disk:
    return replace(DISK, total=100 * GB, used=int(percent * GB), free=int((100 - percent) * GB), read_only=read_only)


def test_of_a_machine_that_is_well_there_is_nothing_to_say() -> None:
    told = health(seen(WELL, DISK))
    assert told.findings == []
    assert told.checked == ["disk /", "memory", "load", "swap", "temperature coretemp Core 0"]


def test_what_cannot_be_checked_is_not_taken_for_well() -> None:
    told = health(seen(BARE))
    assert (told.findings, told.checked, told.missing) == ([], [], ["load: not available on this system"])


@pytest.mark.parametrize(
    ("percent", "severity"),
    [(89.9, None), (90.0, "warning"), (96.9, "warning"), (97.0, "critical"), (100.0, "critical")],
)
def test_a_full_disk_is_found(percent: float, severity: str | None) -> None:
    assert [one[0] for one in found(WELL, filled(percent))] == ([severity] if severity else [])


def test_a_finding_says_how_much_is_left() -> None:
    assert found(WELL, filled(93)) == [("warning", "disk /", "The disk / is 93 % full: 7.0 GB of 100 GB are left.")]


def test_a_disk_that_nobody_can_fill_is_no_trouble() -> None:
    assert found(WELL, filled(100, read_only=True)) == []


@pytest.mark.parametrize(("available", "severity"), [(1.7, None), (1.6, "warning"), (0.4, "critical")])
def test_little_memory_is_found(available: float, severity: str | None) -> None:
    short = replace(WELL, memory=Memory(16 * GB, int(available * GB)))
    assert [(one[0], one[1]) for one in found(short)] == ([(severity, "memory")] if severity else [])


def test_the_memory_of_a_container_is_looked_at_by_itself() -> None:
    told = found(replace(WELL, bounds=Bounds(2 * GB, int(1.9 * GB), None)))
    sentence = "The memory of the container is 95 % in use: 100 MB of 2.0 GB are left."
    assert told == [("warning", "memory of the container", sentence)]


@pytest.mark.parametrize(("load", "severity"), [(4.0, None), (4.1, "warning"), (12.0, "critical")])
def test_more_work_than_cores_is_found(load: float, severity: str | None) -> None:
    told = found(replace(WELL, load=(99.0, load, 0.0)))
    assert [one[0] for one in told] == ([severity] if severity else [])
    if severity:
        assert told[0][2] == f"On average {load:g} processes wanted to run in the last 5 minutes, on 4 cores."


@pytest.mark.parametrize(("used", "severity"), [(0.1, None), (0.2, "notice"), (2.0, "warning")])
def test_swap_in_use_is_found(used: float, severity: str | None) -> None:
    assert [one[0] for one in found(replace(WELL, swap=Swap(4 * GB, int(used * GB))))] == (
        [severity] if severity else []
    )


def test_heat_is_found_where_the_hardware_says_what_is_too_warm() -> None:
    sensors = (Temperature("a", 95.0, 90.0), Temperature("b", 95.0, None), Temperature("c", 40.0, 90.0))
    told = found(replace(WELL, temperatures=sensors))
    assert told == [("warning", "temperature a", "The sensor a shows 95 °C, and 90 °C is too warm for it.")]


def test_the_most_severe_comes_first() -> None:
    sick = replace(WELL, memory=Memory(16 * GB, 0), swap=Swap(GB, GB // 10), load=(0.0, 5.0, 0.0))
    assert [one[0] for one in found(sick, filled(95))] == ["critical", "warning", "warning", "notice"]


@pytest.mark.parametrize(
    ("size", "told"),
    [(0, "0 bytes"), (999, "999 bytes"), (1_500, "1.5 kB"), (123_456_789, "123 MB"), (5 * 10**15, "5000 TB")],
)
def test_sizes_are_told_as_people_read_them(size: int, told: str) -> None:
    assert told_bytes(size) == told
