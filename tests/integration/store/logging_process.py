"""A process that keeps log lines, and says how many are kept each time; run by the tests, and killed.

python -m tests.integration.store.logging_process FILE

A program, which has a loop of its own.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from agentic_atlas.backend.domain.logs import LogBatch, LogLimits
from agentic_atlas.backend.store.logs import open_logs
from agentic_atlas.protocol.messages import LogLine

AT = 1_800_000_000.0


async def main(path: Path) -> None:
    async with open_logs(path) as logs:
        for n in range(1, 1_000_000, 3):
            lines = [LogLine(at=AT, level="info", message=f"line {k}", source="logging") for k in range(n, n + 3)]
            (kept,) = await logs.append([LogBatch("agent_a", "inst_1", n, lines)], AT, LogLimits())
            print(kept.up_to, flush=True)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
