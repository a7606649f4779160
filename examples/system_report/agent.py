"""An agent that tells how this machine is: load, CPU, memory, disks, network, temperatures, processes.

It only looks. What it reads stays here but for the answers: numbers, paths of disks, and names of processes with their
users. Command lines are told only when the owner allows it, and then without what looks like a secret.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Final, TypeVar

from dotenv import dotenv_values
from machine.health import Health
from machine.health import health as check_health
from machine.overview import Overview
from machine.overview import overview as make_overview
from machine.processes import ProcessList, SortBy, cpu_between, first, line
from machine.reading import read_commands, read_disks, read_machine, read_processes
from machine.samples import Sample, samples
from machine.snapshot import Snapshot
from machine.timely import Timely
from pydantic import Field

from agentic_atlas import Agent, Context
from agentic_atlas.errors import ConfigurationError

T = TypeVar("T")

HERE = Path(__file__).resolve().parent
_SETTINGS = {**dotenv_values(HERE / ".env"), **os.environ}  # noqa: TID251 - this agent's own settings
_COMMAND_LINES: Final = "REPORT_COMMAND_LINES"

LONGEST_WATCH: Final = 300.0
"""Seconds one call of `watch` may take."""
_MEASURED: Final = 0.5
"""Seconds over which CPU is measured where one answer is given."""
_DISK_SECONDS: Final = 5.0

_disks = Timely(read_disks, _DISK_SECONDS)
_measuring = asyncio.Semaphore(2)


@asynccontextmanager
async def checked(_agent: Agent) -> AsyncIterator[None]:
    """Says what is wrong with the settings before the agent connects."""
    command_lines_allowed()
    yield


agent = Agent(
    "system_report",
    description="Tells how the machine of its owner is: load, CPU, memory, disks, network, temperatures, processes",
    lifespan=checked,
)


def command_lines_allowed() -> bool:
    """Whether the owner of this machine lets command lines out. Raises ConfigurationError."""
    value = (_SETTINGS.get(_COMMAND_LINES) or "no").lower()
    if value not in ("yes", "no"):
        raise ConfigurationError(f"{_COMMAND_LINES} is {value!r}: set it to yes or no")
    return value == "yes"


@agent.skill
async def overview() -> Overview:
    """Tell how the machine is now: load, CPU, memory, swap, uptime, disks, network, temperatures."""
    before = await _snapshot()
    await asyncio.sleep(_MEASURED)
    now = await _snapshot()
    try:
        disks, missing = await _disks.read()
    except TimeoutError:
        disks, missing = [], [f"disks: one of them did not answer within {_DISK_SECONDS:g} seconds"]
    return make_overview(before, now, disks, missing)


@agent.skill
async def health() -> Health:
    """Tell what is wrong with the machine: full disks, little memory, high load, swap in use, heat."""
    return check_health(await overview())


@agent.skill
async def processes(
    ctx: Context,
    sort_by: Annotated[SortBy, "What they are ordered by"] = "cpu",
    limit: Annotated[int, "Processes wanted", Field(ge=1, le=100)] = 10,
    command_lines: Annotated[bool, "Tell how they were started, too; the owner has to allow it"] = False,
) -> ProcessList:
    """List the processes that take most: name, user, CPU, memory, age."""
    if command_lines and not command_lines_allowed():
        fix = f"the owner of this machine has to set {_COMMAND_LINES}=yes in the .env of this agent"
        ctx.reject(f"command lines are not told: {fix}", code="not_allowed")
    # Reading all processes is work: a few measurements at a time are enough for anyone.
    async with _measuring:
        began = time.monotonic()
        before = await _read(read_processes)
        await asyncio.sleep(_MEASURED)
        elapsed = time.monotonic() - began
        now = await _read(read_processes)
    cpu = cpu_between(before, now, elapsed)
    chosen = first(now, cpu, sort_by, limit)
    commands = await _read(lambda: read_commands(chosen)) if command_lines else {}
    taken = time.time()  # noqa: TID251 - the age of processes is counted on the clock of the machine
    return ProcessList(
        processes=[line(facts, cpu.get(facts.pid), taken, commands.get(facts.pid)) for facts in chosen],
        process_count=len(now),
        measured_seconds=round(elapsed, 2),
    )


@agent.skill(timeout=LONGEST_WATCH + 60)
async def watch(
    seconds: Annotated[float, "For how long", Field(ge=1, le=LONGEST_WATCH)] = 30.0,
    every: Annotated[float, "Seconds from one sample to the next", Field(ge=1, le=60)] = 2.0,
) -> AsyncIterator[Sample]:
    """Stream a sample of CPU, memory, load, network and disk traffic every few seconds."""
    async for one in samples(_snapshot, asyncio.sleep, seconds, every):
        yield one


async def _snapshot() -> Snapshot:
    return await _read(lambda: read_machine(time.time, time.monotonic))  # noqa: TID251 - the clock handed in


async def _read(read: Callable[[], T]) -> T:
    return await asyncio.to_thread(read)


if __name__ == "__main__":
    agent.run()
