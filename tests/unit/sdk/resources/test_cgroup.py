"""Limits of containers, from trees of files as Linux shows them."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentic_atlas.sdk.resources.cgroup import ControlGroups
from agentic_atlas.sdk.resources.measuring import Container


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    made = tmp_path / "cgroup"
    made.mkdir()
    return made


def groups(root: Path, membership: str) -> ControlGroups:
    listed = root.parent / "membership"
    listed.write_text(membership)
    return ControlGroups(root, listed)


def test_version_2_with_the_strictest_of_the_groups_around(root: Path) -> None:
    write(
        root,
        {
            "cgroup.controllers": "cpu memory",
            "pod/memory.max": "1000000\n",
            "pod/memory.current": "700000\n",
            "pod/memory.stat": "anon 5\ninactive_file 200000\n",
            "pod/cpu.max": "max 100000\n",
            "pod/box/memory.max": "max\n",
            "pod/box/memory.current": "300000\n",
            "pod/box/cpu.max": "150000 100000\n",
            "pod/box/cpu.stat": "usage_usec 2500000\nuser_usec 1\n",
        },
    )
    found = groups(root, "0::/pod/box\n").read()
    assert found == Container(cores=1.5, cpu=2.5, memory_total=1_000_000, memory_used=500_000)


def test_version_2_as_a_container_sees_it(root: Path) -> None:
    write(root, {"cgroup.controllers": "cpu", "memory.max": "4096", "memory.current": "96", "cpu.max": "50000 100000"})
    found = groups(root, "0::/somewhere/of/the/host\n").read()
    assert found == Container(cores=0.5, cpu=None, memory_total=4_096, memory_used=96)


def test_version_1_with_controllers_in_folders_of_their_own(root: Path) -> None:
    write(
        root,
        {
            "memory/box/memory.limit_in_bytes": "5000\n",
            "memory/box/memory.usage_in_bytes": "3000\n",
            "memory/box/memory.stat": "total_inactive_file 1000\n",
            "memory/memory.limit_in_bytes": "9223372036854771712\n",
            "cpu/box/cpu.cfs_quota_us": "200000\n",
            "cpu/box/cpu.cfs_period_us": "100000\n",
            "cpuacct/box/cpuacct.usage": "7000000000\n",
            "cpuacct/cpuacct.usage": "9000000000\n",
        },
    )
    found = groups(root, "4:memory:/box\n2:cpuacct:/box\n1:cpu:/box\n0::/\n").read()
    assert found == Container(cores=2.0, cpu=7.0, memory_total=5_000, memory_used=2_000)


def test_version_1_with_one_folder_for_two_controllers(root: Path) -> None:
    write(
        root,
        {
            "cpu,cpuacct/cpu.cfs_quota_us": "25000",
            "cpu,cpuacct/cpu.cfs_period_us": "100000",
            "cpu,cpuacct/cpuacct.usage": "1000000000",
        },
    )
    for name in ("cpu", "cpuacct"):
        (root / name).symlink_to(root / "cpu,cpuacct")
    found = groups(root, "4:cpu,cpuacct:/docker/1\n").read()
    assert found == Container(cores=0.25, cpu=1.0)


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"cgroup.controllers": "", "memory.max": "max", "cpu.max": "max 100000"},
        {"cgroup.controllers": "", "memory.max": "many", "cpu.max": "1 0"},
        {"cgroup.controllers": "", "cpu.max": ""},
        {"memory/memory.stat": "total_inactive_file 3", "cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "9"},
    ],
)
def test_without_a_limit_there_is_none(root: Path, files: dict[str, str]) -> None:
    write(root, files)
    assert groups(root, "0::/../../etc\nnonsense\n").read() == Container()


def test_what_is_not_there_is_no_error(tmp_path: Path) -> None:
    assert ControlGroups(tmp_path / "none", tmp_path / "neither").read() == Container()
