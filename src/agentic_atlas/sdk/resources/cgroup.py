"""The limits of a container, read from Linux's control groups, of either version."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from agentic_atlas.sdk.resources.measuring import Container

ROOT: Final = Path("/sys/fs/cgroup")
MEMBERSHIP: Final = Path("/proc/self/cgroup")


class ControlGroups:
    """The groups that a process is in: its own, and those around it, of which the strictest counts.

    A container often sees its own group as the root of all, whatever the list of memberships calls it.
    """

    def __init__(self, root: Path = ROOT, membership: Path = MEMBERSHIP) -> None:
        """Find the groups; there may be none."""
        paths = dict(_memberships(membership))
        unified = root if (root / "cgroup.controllers").exists() else root / "unified"
        self._unified = _upwards(unified, paths.get("", "/"))
        self._memory = _upwards(root / "memory", paths.get("memory", "/"))
        self._cpu = _upwards(root / "cpu", paths.get("cpu", "/"))
        self._counted = _upwards(root / "cpuacct", paths.get("cpuacct", "/"))

    def read(self) -> Container:
        """Return what the groups limit, and what is taken of it."""
        total, used = self._least_memory()
        cores, cpu = self._fewest_cores()
        return Container(cores, cpu, total, used)

    def _least_memory(self) -> tuple[int | None, int]:
        limits = [(most, group) for group in self._unified if (most := _number(group / "memory.max")) is not None]
        if limits:
            total, group = min(limits)
            return total, _without_cache(group, "memory.current", "inactive_file")
        limits = [(most, group) for group in self._memory if (most := _number(group / "memory.limit_in_bytes"))]
        if limits:
            total, group = min(limits)
            return total, _without_cache(group, "memory.usage_in_bytes", "total_inactive_file")
        return None, 0

    def _fewest_cores(self) -> tuple[float | None, float | None]:
        limits = [(cores, group) for group in self._unified if (cores := _quota(_words(group / "cpu.max")))]
        if limits:
            cores, group = min(limits)
            spent = _fields(group / "cpu.stat").get("usage_usec")
            return cores, None if spent is None else spent / 1e6
        quotas = (
            (group, [*_words(group / "cpu.cfs_quota_us"), *_words(group / "cpu.cfs_period_us")]) for group in self._cpu
        )
        limits = [(cores, group) for group, words in quotas if (cores := _quota(words))]
        if not limits:
            return None, None
        cores, group = min(limits)
        # Time is counted by another controller, often in the same folder, else in the group of the same name.
        places = (group, *(one for one in self._counted if one.name == group.name), *self._counted[-1:])
        spent = next((found for place in places if (found := _number(place / "cpuacct.usage")) is not None), None)
        return cores, None if spent is None else spent / 1e9


def _memberships(path: Path) -> Iterator[tuple[str, str]]:
    """Yield each controller, empty for the unified ones, with the path of the process's group."""
    for line in _text(path).splitlines():
        _, _, rest = line.partition(":")
        controllers, _, group = rest.partition(":")
        for controller in controllers.split(","):
            yield controller, group


def _upwards(mount: Path, group: str) -> Sequence[Path]:
    """Return the group's folder and those around it up to the mount, as far as they are there."""
    inner = mount / group.lstrip("/")
    if ".." in inner.parts or not inner.is_dir():
        inner = mount
    if not inner.is_dir():
        return []
    return [inner, *(parent for parent in inner.parents if parent.is_relative_to(mount))]


def _quota(words: Sequence[str]) -> float | None:
    """Return the cores of a quota and its period in microseconds; None where it is no limit."""
    match words:
        case [quota, period] if quota.isdigit() and period.isdigit() and int(period):
            return int(quota) / int(period)
        case _:
            return None


def _without_cache(group: Path, used: str, cache: str) -> int:
    """Return the memory that is used and could not be had back at once."""
    return max(0, (_number(group / used) or 0) - _fields(group / "memory.stat").get(cache, 0))


def _fields(path: Path) -> dict[str, int]:
    pairs = (line.split() for line in _text(path).splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdigit()}


def _number(path: Path) -> int | None:
    text = _text(path).strip()
    return int(text) if text.isdigit() else None


def _words(path: Path) -> list[str]:
    return _text(path).split()


def _text(path: Path) -> str:
    try:
        return path.read_text("ascii", "replace")
    except OSError:
        return ""
