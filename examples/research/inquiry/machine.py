"""What the machine's agent says, in Markdown."""

from __future__ import annotations

from collections.abc import Iterator

from inquiry import markdown
from inquiry.known import Health, Overview, Processes, Use
from inquiry.topics import Topic

_MOST_LINES = 20
_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400


def describe(answer: Overview | Health | Processes, topics: frozenset[Topic]) -> str:
    """An answer of the machine's agent; of an overview what is wanted."""
    match answer:
        case Overview():
            return _overview(answer, topics)
        case Health():
            return _health(answer)
        case Processes():
            return _processes(answer)


def size(count: float) -> str:
    """A number of bytes as people read it."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 1_000:
            return f"{count:.4g} {unit}"
        count /= 1_000
    return f"{count:.4g} TB"


def _overview(now: Overview, topics: frozenset[Topic]) -> str:
    lines = list(_facts(now, topics))[:_MOST_LINES]
    told = "\n".join(f"- {line}" for line in lines) or "- The machine does not tell it."
    return f"{told}\n\n*From the machine ({markdown.plain(now.system, 60)}) at {now.taken_at:%Y-%m-%d %H:%M:%S %Z}*"


def _facts(now: Overview, topics: frozenset[Topic]) -> Iterator[str]:
    if Topic.CPU in topics:
        yield from _cpu(now)
    if Topic.MEMORY in topics:
        yield from _use("Memory", now.memory)
        yield from _use("Swap", now.swap)
    if Topic.DISK in topics:
        for disk in now.disks:
            yield from _use(f"Disk {markdown.plain(disk.path, 100)}", disk)
    if Topic.HEAT in topics:
        yield from (f"{markdown.plain(one.sensor, 60)}: **{one.celsius:g} °C**" for one in now.temperatures)
    if Topic.UPTIME in topics and now.uptime_seconds is not None:
        yield f"Running for **{_duration(now.uptime_seconds)}**"


def _cpu(now: Overview) -> Iterator[str]:
    if now.cpu_percent is not None:
        yield f"CPU: **{now.cpu_percent:g} %** of {now.cores} cores in use"
    if now.load is not None:
        minute, five, fifteen = now.load.last_minute, now.load.last_5_minutes, now.load.last_15_minutes
        yield f"Load: **{minute:g}** (1 minute), {five:g} (5 minutes), {fifteen:g} (15 minutes)"


def _use(name: str, use: Use | None) -> Iterator[str]:
    if use is not None:
        yield f"{name}: **{size(use.free_bytes)} free** of {size(use.total_bytes)} ({use.used_percent:g} % in use)"


def _health(health: Health) -> str:
    checked = f"*Checked: {markdown.plain(', '.join(health.checked), 500)}*"
    if not health.findings:
        return f"Nothing is wrong with the machine.\n\n{checked}"
    found = "\n".join(f"- **{one.severity}**: {markdown.plain(one.sentence)}" for one in health.findings[:_MOST_LINES])
    return f"{found}\n\n{checked}"


def _processes(told: Processes) -> str:
    rows = [
        [one.name, one.pid, one.user, one.cpu_percent, None if one.memory_bytes is None else size(one.memory_bytes)]
        for one in told.processes[:_MOST_LINES]
    ]
    shown = markdown.table(["process", "pid", "user", "CPU % of a core", "memory"], rows)
    return f"{shown}\n\n*The first of {told.process_count} processes of the machine*"


def _duration(seconds: float) -> str:
    days, hours, minutes = int(seconds // _DAY), int(seconds % _DAY // _HOUR), int(seconds % _HOUR // _MINUTE)
    return f"{days} d {hours} h" if days else f"{hours} h {minutes} min"
