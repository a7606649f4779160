"""How long a backup takes, and how much longer a submit waits meanwhile.

    python benchmarks/backup.py [--megabytes 400] [--folder DIR]

One caller adds a task every few milliseconds and waits for its commit, first alone and then beside a backup; twice.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections.abc import Coroutine
from itertools import count
from pathlib import Path
from typing import Any

import msgspec

from agentic_atlas.backend.archive.folder import BackupFolder
from agentic_atlas.backend.domain import lifecycle
from agentic_atlas.backend.domain.records import Submitted
from agentic_atlas.backend.ports import Write
from agentic_atlas.backend.store.database import SqlStore, open_store
from agentic_atlas.compose.sources import SortableIds
from agentic_atlas.protocol.caller.backups import BackupInfo
from benchmarks.store import new_task

INPUT = b'"' + b"x" * 9_000 + b'"'
ALONE = 3.0
"""Seconds."""
PAUSE = 0.002


class Caller:
    """Adds tasks one after the other."""

    def __init__(self, store: SqlStore) -> None:
        self._store = store
        self._numbers = count()

    async def fill(self, size: int) -> None:
        for _ in range(size // (1_000 * len(INPUT)) + 1):
            for write in [self._add() for _ in range(1_000)]:
                await write

    async def load(self, until: asyncio.Event) -> list[float]:
        """Return how many milliseconds each task waited for its commit."""
        took = []
        while not until.is_set():
            began = time.perf_counter()
            await self._add()
            took.append((time.perf_counter() - began) * 1_000)
            await asyncio.sleep(PAUSE)
        return took

    def _add(self) -> Write[Submitted]:
        return self._store.tasks.add(
            lifecycle.submit(msgspec.structs.replace(new_task(next(self._numbers)), input=INPUT))
        )


def show(name: str, took: list[float]) -> None:
    took = sorted(took)
    p50, p99 = took[len(took) // 2], took[int(len(took) * 0.99)]
    print(
        f"{name:<8} {len(took):>6} submits, p50 {p50:6.2f} ms, p99 {p99:6.2f} ms, longest {took[-1]:6.1f} ms",
        flush=True,
    )


async def measure(folder: Path, megabytes: int) -> None:
    async with open_store(folder / "atlas.sqlite3", clock=time.time, ids=SortableIds()) as store:
        caller = Caller(store)
        await caller.fill(megabytes * 1_000_000)
        backups = BackupFolder(
            folder / "backups", network="net_bench", copy=store.copy, keys=lambda: {"ring.json": b"{}"}, clock=time.time
        )
        for _ in range(2):
            show("alone", await beside(caller, asyncio.sleep(ALONE)))
            began = time.perf_counter()
            made: list[BackupInfo] = []
            took = await beside(caller, keep(backups, made))
            seconds = time.perf_counter() - began
            show("backup", took)
            print(f"         {made[0].size / 1e6:.0f} MB in {seconds:.1f} s", flush=True)


async def beside(caller: Caller, work: Coroutine[Any, Any, object]) -> list[float]:
    over = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        load = group.create_task(caller.load(over))
        await work
        over.set()
    return load.result()


async def keep(backups: BackupFolder, made: list[BackupInfo]) -> None:
    made.append(await backups.make())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=400)
    parser.add_argument("--folder", type=Path, default=None)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=asked.folder) as folder:
        asyncio.run(measure(Path(folder), asked.megabytes))


if __name__ == "__main__":
    main()
