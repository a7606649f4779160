"""What a container may use, as the kernel says it (Linux control groups, version 2 and 1)."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from machine.snapshot import Bounds

_UNBOUNDED: Final = 2**60
"""Version 1 writes "no limit" as the largest number of pages."""


def read_bounds(root: Path = Path("/")) -> Bounds:
    """The bounds of this process, below a root of the file system; all None where there are no control groups."""
    groups = _groups(root)
    mounted = root / "sys/fs/cgroup"
    if "" in groups and (mounted / "cgroup.controllers").exists():
        return _version_2(_existing(mounted, groups[""]))
    memory = _existing(mounted / "memory", groups.get("memory", "/"))
    cpu = _existing(mounted / "cpu", groups.get("cpu", "/"))
    return _version_1(memory, cpu)


def _groups(root: Path) -> dict[str, str]:
    """The path of this process's group by controller; "" is version 2."""
    found = {}
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        found.update(dict.fromkeys(controllers.split(","), path))
    return found


def _existing(mounted: Path, path: str) -> Path:
    """In a container its own group is often mounted as the root of all of them."""
    own = mounted / path.lstrip("/")
    return own if ".." not in path and own.is_dir() else mounted


def _version_2(group: Path) -> Bounds:
    limit = _number(group / "memory.max")
    quota, _, period = _text(group / "cpu.max").partition(" ")
    return _bounds(
        limit, _number(group / "memory.current"), _reclaimable(group / "memory.stat", "inactive_file"), quota, period
    )


def _version_1(memory: Path, cpu: Path) -> Bounds:
    limit = _number(memory / "memory.limit_in_bytes")
    used = _number(memory / "memory.usage_in_bytes")
    quota, period = _text(cpu / "cpu.cfs_quota_us"), _text(cpu / "cpu.cfs_period_us")
    return _bounds(limit, used, _reclaimable(memory / "memory.stat", "total_inactive_file"), quota, period)


def _bounds(limit: int | None, used: int | None, reclaimable: int, quota: str, period: str) -> Bounds:
    if limit is not None and limit >= _UNBOUNDED:
        limit = None
    held = None if used is None or limit is None else max(0, used - reclaimable)
    bounded = quota.isdecimal() and period.isdecimal() and int(period) > 0
    return Bounds(limit, held, int(quota) / int(period) if bounded else None)


def _reclaimable(path: Path, name: str) -> int:
    """File caches that the kernel gives up when memory is wanted: they are not in the way of anyone."""
    lines = dict(line.partition(" ")[::2] for line in _text(path).splitlines())
    value = lines.get(name, "")
    return int(value) if value.isdecimal() else 0


def _number(path: Path) -> int | None:
    text = _text(path)
    return int(text) if text.isdecimal() else None


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace").strip()
    except OSError:
        return ""
