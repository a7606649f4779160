"""What it costs to keep results on disk: whole tasks with it against the same tasks without, and one result alone.

The two take turns, so that what else the machine does meanwhile falls on both. fsync is what the spool does not do: it
is measured beside it to show the price.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from agentic_atlas.sdk.spool.journal import Journal
from benchmarks.http_load import load
from benchmarks.tasks import AGENT
from tests.e2e.processes import Platform, connected

ROUNDS = 8
CALLERS = 64
RESULTS = 2_000


def main(seconds: float = 5.0) -> None:
    with tempfile.TemporaryDirectory() as folder:
        tasks(Path(folder), seconds)
        alone(Path(folder))


def tasks(folder: Path, seconds: float) -> None:
    platform = Platform(folder / "network", requests_per_second="0").start()  # All callers are one user.
    try:
        token = platform.token("bench")
        rates: dict[str, list[float]] = {"off": [], str(folder / "spool"): []}
        for _ in range(ROUNDS):
            for spool, seen in rates.items():
                with platform.agent("bench", AGENT, token=token, ATLAS_SPOOL=spool) as agent:
                    agent.wait_for(connected)
                    seen.append(rate(platform, seconds / ROUNDS))
                    agent.stop()
    finally:
        platform.kill()
    without, kept = (statistics.median(seen) for seen in rates.values())
    ratio = statistics.median(after / before for before, after in zip(*rates.values(), strict=True))
    print(f"{'callers':>8} {'tasks/s without':>16} {'tasks/s with':>13} {'ratio':>6}")
    print(f"{CALLERS:8} {without:16.0f} {kept:13.0f} {ratio:6.2f}")


def rate(platform: Platform, seconds: float) -> float:
    body = json.dumps({"agent": "bench", "skill": "echo", "input": {"text": "hello"}}).encode()
    key = f"Content-Type: application/json\r\nAuthorization: Bearer {platform.api_key}\r\n"
    port = int(platform.url.rpartition(":")[2])
    return load("127.0.0.1", port, "/api/v1/tasks?wait=30", body, key, CALLERS, seconds).per_second


def alone(folder: Path) -> None:
    """Print the time that one result of 1 KiB takes, from its write to its removal."""
    journal = Journal.create(folder / "alone.spool")
    assert journal is not None
    descriptor = journal._descriptor
    kinds: dict[str, Callable[[], object]] = {
        "as it is": lambda: None,
        "with fdatasync": lambda: os.fdatasync(descriptor),
    }
    for name, synced in kinds.items():
        count = RESULTS if name == "as it is" else RESULTS // 10
        began = time.perf_counter()
        for _ in range(count):
            number = journal.append(b"x" * 1024)
            synced()
            journal.remove(number)
        print(f"one result {name}: {(time.perf_counter() - began) / count * 1e6:.0f} µs")
    journal.close(delete=True)


if __name__ == "__main__":
    main(*map(float, sys.argv[1:]))
