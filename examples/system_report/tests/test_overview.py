"""Two snapshots make the state of a machine, also of one that does not tell much."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from machine.overview import cpu_percent, overview, percent, use
from machine.snapshot import Bounds, CpuTimes
from machine_samples import BARE, DISK, GB, NOW, WELL, seen


def test_what_is_read_comes_out_with_its_units() -> None:
    later = replace(WELL, taken=NOW + 1, clock=1_001.0, cpu=CpuTimes(busy=101.0, total=1_004.0))
    told = json.loads(overview(WELL, later, [DISK], ["disk /mnt: not permitted"]).model_dump_json())
    assert told == {
        "taken_at": "2023-11-14T22:13:21Z",
        "system": "Linux 6.1 x86_64",
        "uptime_seconds": 86_401,
        "cores": 4,
        "load": {"last_minute": 0.5, "last_5_minutes": 1.0, "last_15_minutes": 1.5},
        "cpu_percent": 25.0,
        "memory": {
            "total_bytes": 16 * GB,
            "used_bytes": 4 * GB,
            "free_bytes": 12 * GB,
            "used_percent": 25.0,
        },
        "swap": {"total_bytes": 4 * GB, "used_bytes": 0, "free_bytes": 4 * GB, "used_percent": 0.0},
        "disks": [
            {
                "path": "/",
                "kind": "ext4",
                "read_only": False,
                "total_bytes": 100 * GB,
                "used_bytes": 50 * GB,
                "free_bytes": 45 * GB,
                "used_percent": 52.6,
            }
        ],
        "network": {"sent_bytes": 1_000, "received_bytes": 2_000},
        "temperatures": [{"sensor": "coretemp Core 0", "celsius": 45.0, "high_celsius": 90.0}],
        "container": None,
        "missing": ["disk /mnt: not permitted"],
    }


def test_what_is_not_told_is_null_and_the_reason_is_there() -> None:
    told = seen(BARE)
    assert (told.uptime_seconds, told.load, told.cpu_percent, told.memory, told.swap) == (None,) * 5
    assert (told.network, told.disks, told.temperatures) == (None, [], [])
    assert told.missing == ["load: not available on this system"]


def test_a_container_is_told_with_its_own_bounds() -> None:
    container = seen(replace(WELL, bounds=Bounds(2 * GB, GB, 1.5))).container
    assert container is not None and container.memory is not None
    assert (container.cores, container.memory.used_percent, container.memory.free_bytes) == (1.5, 50.0, GB)
    assert seen(replace(WELL, bounds=Bounds(None, None, 0.5))).container is not None


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        (CpuTimes(0, 10), CpuTimes(5, 20), 50.0),
        (CpuTimes(0, 10), CpuTimes(20, 20), 100.0),
        (CpuTimes(5, 10), CpuTimes(4, 20), 0.0),
        (CpuTimes(0, 10), CpuTimes(0, 10), None),
        (CpuTimes(9, 20), CpuTimes(1, 10), None),
        (None, CpuTimes(0, 10), None),
    ],
)
def test_cpu_is_measured_between_two_moments(before: CpuTimes | None, now: CpuTimes, expected: float | None) -> None:
    assert cpu_percent(before, now) == expected


def test_counters_that_contradict_each_other_stay_in_range() -> None:
    assert use(10, -1, -2).model_dump() == {"total_bytes": 10, "used_bytes": 0, "free_bytes": 0, "used_percent": 0.0}
    assert (percent(1, 3), percent(5, 0), percent(9, 3)) == (33.3, 0.0, 100.0)
