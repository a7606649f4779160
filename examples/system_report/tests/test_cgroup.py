"""The bounds of a container are read as the kernel writes them."""

from __future__ import annotations

from pathlib import Path

import pytest
from machine.cgroup import read_bounds
from machine.snapshot import Bounds


def made(root: Path, files: dict[str, str]) -> Bounds:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n")
    return read_bounds(root)


V2 = {"proc/self/cgroup": "0::/", "sys/fs/cgroup/cgroup.controllers": "cpu memory"}
V1 = {"proc/self/cgroup": "9:memory:/docker/1\n3:cpu,cpuacct:/docker/1\n0::/"}


def test_version_2_is_read_without_caches_that_would_be_given_up(tmp_path: Path) -> None:
    files = {
        "memory.max": "1000",
        "memory.current": "700",
        "memory.stat": "anon 5\ninactive_file 200",
        "cpu.max": "150000 100000",
    }
    assert made(tmp_path, V2 | {f"sys/fs/cgroup/{name}": text for name, text in files.items()}) == Bounds(
        1_000, 500, 1.5
    )


def test_the_own_group_counts_where_it_can_be_seen(tmp_path: Path) -> None:
    files = {
        "proc/self/cgroup": "0::/user/app",
        "sys/fs/cgroup/memory.max": "5",
        "sys/fs/cgroup/user/app/memory.max": "9",
    }
    assert made(tmp_path, V2 | files) == Bounds(9, None, None)


def test_without_a_limit_there_are_no_bounds(tmp_path: Path) -> None:
    files = {"memory.max": "max", "memory.current": "700", "cpu.max": "max 100000"}
    assert made(tmp_path, V2 | {f"sys/fs/cgroup/{name}": text for name, text in files.items()}) == Bounds(
        None, None, None
    )


def test_version_1_is_read_where_the_group_is_mounted_as_the_root(tmp_path: Path) -> None:
    files = {
        "memory/memory.limit_in_bytes": "1000",
        "memory/memory.usage_in_bytes": "100",
        "memory/memory.stat": "total_inactive_file 500",
        "cpu/cpu.cfs_quota_us": "50000",
        "cpu/cpu.cfs_period_us": "100000",
    }
    assert made(tmp_path, V1 | {f"sys/fs/cgroup/{name}": text for name, text in files.items()}) == Bounds(1_000, 0, 0.5)


def test_the_no_limit_of_version_1_is_none(tmp_path: Path) -> None:
    files = {
        "memory/memory.limit_in_bytes": "9223372036854771712",
        "memory/memory.usage_in_bytes": "1",
        "cpu/cpu.cfs_quota_us": "-1",
    }
    assert made(tmp_path, V1 | {f"sys/fs/cgroup/{name}": text for name, text in files.items()}) == Bounds(
        None, None, None
    )


@pytest.mark.parametrize("text", ["", "nonsense", "0::/../../etc", ":::::"])
def test_what_is_no_control_group_has_no_bounds(tmp_path: Path, text: str) -> None:
    assert made(tmp_path, {"proc/self/cgroup": text}) == Bounds(None, None, None)
    assert read_bounds(tmp_path / "missing") == Bounds(None, None, None)
