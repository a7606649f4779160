"""A process that adds tasks as fast as it can and prints each id once the task is acknowledged; run by the tests.

A program, with a loop of its own.

python -m tests.integration.store.writing_process FILE CALLERS FIRST LAST
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from itertools import count
from pathlib import Path

from agentic_atlas.backend.store.database import SqlStore, open_store
from tests.conformance.store.samples import Numbered, claimed, completed, submitted


async def call(store: SqlStore, numbers: count[int], last: int) -> None:
    while (number := next(numbers)) <= last:
        task = (await store.tasks.add(submitted(number))).task
        os.write(1, f"added {task.id}\n".encode())
        await store.tasks.change(task.id, claimed)
        await store.tasks.change(task.id, completed)
        os.write(1, f"completed {task.id}\n".encode())


async def main(path: Path, callers: int, first: int, last: int) -> None:
    async with open_store(path, clock=time.time, ids=Numbered()) as store:
        os.write(1, b"ready\n")
        numbers = count(first)
        async with asyncio.TaskGroup() as group:
            for _ in range(callers):
                group.create_task(call(store, numbers, last))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), *map(int, sys.argv[2:])))
