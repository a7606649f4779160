"""The machine from moment to moment."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime

from machine.overview import Bytes, Percent, Report, cpu_percent, memory_use
from machine.snapshot import Snapshot, Traffic

Read = Callable[[], Awaitable[Snapshot]]
Sleep = Callable[[float], Awaitable[None]]


class Rates(Report):
    """Bytes each second since the sample before."""

    out_bytes_per_second: Bytes
    in_bytes_per_second: Bytes


class Sample(Report):
    """One moment. Percent of CPU and the rates are those since the sample before; null is what is not told.

    Of disks, `out` is written and `in` is read.
    """

    taken_at: datetime
    cpu_percent: Percent | None
    memory_used_percent: Percent | None
    memory_free_bytes: Bytes | None
    swap_used_bytes: Bytes | None
    load_last_minute: float | None
    network: Rates | None
    disks: Rates | None


async def samples(read: Read, sleep: Sleep, seconds: float, every: float) -> AsyncIterator[Sample]:
    """A sample after every `every` seconds, as many as fit into `seconds`, and at least one."""
    before = await read()
    began = before.clock
    for number in range(1, max(1, int(seconds / every)) + 1):
        # From the beginning on, so that what a reading takes does not add up.
        await sleep(max(0.0, began + number * every - before.clock))
        now = await read()
        yield sample(before, now)
        before = now


def sample(before: Snapshot, now: Snapshot) -> Sample:
    """What happened between two snapshots, and how it is at the second."""
    memory = memory_use(now.memory)
    elapsed = now.clock - before.clock
    return Sample(
        taken_at=datetime.fromtimestamp(now.taken, UTC),
        cpu_percent=cpu_percent(before.cpu, now.cpu),
        memory_used_percent=memory.used_percent if memory else None,
        memory_free_bytes=memory.free_bytes if memory else None,
        swap_used_bytes=now.swap.used if now.swap else None,
        load_last_minute=round(now.load[0], 2) if now.load else None,
        network=_rates(before.network, now.network, elapsed),
        disks=_rates(before.disk_traffic, now.disk_traffic, elapsed),
    )


def _rates(before: Traffic | None, now: Traffic | None, elapsed: float) -> Rates | None:
    if before is None or now is None or elapsed <= 0:
        return None
    # Counters begin again when an interface goes and comes.
    return Rates(
        out_bytes_per_second=round(max(0, now.outwards - before.outwards) / elapsed),
        in_bytes_per_second=round(max(0, now.inwards - before.inwards) / elapsed),
    )
