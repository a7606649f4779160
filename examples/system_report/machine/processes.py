"""The processes that take most."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Final, Literal

from pydantic import Field

from machine.overview import Bytes, Report
from machine.redaction import redacted
from machine.snapshot import ProcessFacts

SortBy = Literal["cpu", "memory"]

_NAME: Final = 64
_COMMAND: Final = 200


class ProcessLine(Report):
    """One process; null is what the system does not tell this user."""

    pid: int
    name: str
    user: str | None
    cpu_percent: Annotated[float | None, Field(description="Of one core: a process on two cores can have 200")]
    memory_bytes: Annotated[Bytes | None, Field(description="Resident: what it holds in memory, shared parts included")]
    age_seconds: float
    command_line: Annotated[str | None, Field(description="Cut, and with secrets left out as far as they show")] = None


class ProcessList(Report):
    """The first processes of the order asked for, and how many there are."""

    processes: list[ProcessLine]
    process_count: int
    measured_seconds: Annotated[float, Field(description="The time over which CPU was measured")]


def cpu_between(before: Sequence[ProcessFacts], now: Sequence[ProcessFacts], seconds: float) -> dict[int, float]:
    """Percent of one core that each process used in between, by pid; what began in between counts from its start."""
    known = {(facts.pid, facts.started): facts.cpu_seconds for facts in before}
    used: dict[int, float] = {}
    for facts in now:
        earlier = known.get((facts.pid, facts.started), 0.0)
        if facts.cpu_seconds is not None and earlier is not None and seconds > 0:
            used[facts.pid] = round(max(0.0, 100 * (facts.cpu_seconds - earlier) / seconds), 1)
    return used


def first(
    processes: Sequence[ProcessFacts], cpu: Mapping[int, float], sort_by: SortBy, limit: int
) -> list[ProcessFacts]:
    """Those that take most; among equals, those that take most of the other, then the oldest."""

    def order(facts: ProcessFacts) -> tuple[float, float, float]:
        taken = cpu.get(facts.pid, -1.0), float(-1 if facts.memory is None else facts.memory)
        one, other = taken if sort_by == "cpu" else taken[::-1]
        return -one, -other, facts.started

    return sorted(processes, key=order)[:limit]


def line(facts: ProcessFacts, cpu: float | None, now: float, command: Sequence[str] | None) -> ProcessLine:
    """A process as a caller sees it; `now` is seconds since 1970."""
    return ProcessLine(
        pid=facts.pid,
        # Programs may write anything into their name, their arguments too.
        name=redacted([facts.name], _NAME),
        user=facts.user,
        cpu_percent=cpu,
        memory_bytes=facts.memory,
        age_seconds=round(max(0.0, now - facts.started)) if facts.started else 0,
        command_line=None if command is None else redacted(command, _COMMAND),
    )
