"""Whole tasks: HTTP submit, durable commits, WebSocket delivery to an agent process and back, answered to the caller.

    python -m benchmarks.tasks [--seconds 5] [--against CHECKOUT]

The baseline is a bare request: the same HTTP server with a route that answers at once, under the same load from the
same client in the same run. Printed is how many of those one whole task costs.

Printed is also which part of the time of 100 submits in a row a batch of 100 takes.

With `--against`, the baseline is another checkout of this repository instead, with its own `.venv`: each serves its
own agent under the same load from the same client, in turns. Printed is how many times as many tasks this one does, and
which part of the processor time its server takes for one.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks.http_load import Caller, Load, load
from tests.e2e.processes import Platform, Process, free_port, python

HERE = Path(__file__).parents[1]
CALLERS = (1, 8, 64)
CREATED = 201
"""Status of a task that was taken, as it is once the agent has been connected."""
WARM = 200
"""Tasks before the first that counts."""
BATCH = 100
TURNS = 4
"""How often each of two checkouts has its turn: what else the machine does meets both."""

AGENT = """
from agentic_atlas import Agent

agent = Agent("bench", concurrency=200)

@agent.skill
async def echo(text: str) -> str:
    return text

if __name__ == "__main__":
    agent.run()
"""


@dataclass(frozen=True)
class Turn:
    """What one platform did under a load.

    Attributes:
        server_ms: processor time of the server for one task.
        agent_ms: processor time of the agent for one task.
    """

    load: Load
    server_ms: float
    agent_ms: float


class Stage:
    """A platform, and its agent once that is there."""

    def __init__(self, platform: Platform) -> None:
        assert platform.process is not None
        self.platform = platform
        self._server = psutil.Process(platform.process.pid)
        self._port = int(platform.url.rpartition(":")[2])
        self._key = f"Authorization: Bearer {platform.api_key}\r\nContent-Type: application/json\r\n"
        self._body = json.dumps({"agent": "bench", "skill": "echo", "input": {"text": "hello"}}).encode()

    async def token(self) -> str:
        """Make the agent, and return a token for it; by plain HTTP, which all checkouts speak."""
        caller = await Caller.connect("127.0.0.1", self._port)
        await caller.post("/api/v1/agents", b'{"name": "bench"}', self._key)
        _, made = await caller.post("/api/v1/agents/bench/tokens", b"{}", self._key)
        caller.close()
        return str(json.loads(made)["token"])

    async def warm(self, agent: Process) -> None:
        """Have tasks done by the agent, from as soon as it is there."""
        self._agent = psutil.Process(agent.pid)
        caller = await Caller.connect("127.0.0.1", self._port)
        done = 0
        while done < WARM:
            status, _ = await caller.post("/api/v1/tasks?wait=30", self._body, self._key)
            done += status == CREATED
        caller.close()

    def turn(self, callers: int, seconds: float) -> Turn:
        """Submit tasks from so many callers, each of which waits for the end of one before the next."""
        before = cpu(self._server), cpu(self._agent)
        path = "/api/v1/tasks?wait=30"
        done = load("127.0.0.1", self._port, path, self._body, self._key, callers, seconds)
        server, agent = cpu(self._server) - before[0], cpu(self._agent) - before[1]
        return Turn(done, 1e3 * server / done.requests, 1e3 * agent / done.requests)

    async def batches(self, rounds: int) -> float:
        """Return which part of the time of as many submits in a row a batch takes, its median."""
        caller = await Caller.connect("127.0.0.1", self._port)
        whole = b'{"tasks": [%b]}' % b", ".join([self._body] * BATCH)
        parts = []
        for _ in range(rounds):
            began = time.perf_counter()
            await caller.post("/api/v1/tasks/batch", whole, self._key)
            between = time.perf_counter()
            for _ in range(BATCH):
                await caller.post("/api/v1/tasks", self._body, self._key)
            parts.append((between - began) / (time.perf_counter() - between))
        caller.close()
        return statistics.median(parts)


@contextmanager
def stage(folder: Path, checkout: Path | None = None) -> Iterator[Stage]:
    """Have a platform and an agent of this tree, or of a checkout, until the end of the block."""
    platform = Platform(folder, requests_per_second="0")  # All callers are one user.
    if checkout is not None:
        platform.interpreter = str(checkout.absolute() / ".venv" / "bin" / "python")
    platform.start()
    try:
        ready = Stage(platform)
        # Two lines of log for each task would be read by the process that makes the load.
        with platform.agent("bench", AGENT, token=asyncio.run(ready.token()), ATLAS_LOG_LEVEL="warning") as agent:
            asyncio.run(ready.warm(agent))
            yield ready
    finally:
        platform.kill()


def against_bare(folder: Path, seconds: float) -> None:
    with ExitStack() as running:
        here = running.enter_context(stage(folder / "network"))
        port = free_port()
        bare = Process(*python("-m", "benchmarks.bare", str(port)), folder=HERE, environ=here.platform.environ)
        running.callback(bare.kill)
        bare.wait_for("listening")
        print(f"{'callers':>8} {'bare req/s':>11} {'tasks/s':>9} {'ratio':>7} {'median ms':>10} {'p99 ms':>8}")
        for callers in CALLERS:
            base = load("127.0.0.1", port, "/", b"{}", "", callers, seconds / 2)
            done = here.turn(callers, seconds).load
            print(
                f"{callers:8} {base.per_second:11.0f} {done.per_second:9.0f} {base.per_second / done.per_second:7.1f}"
                f" {done.median_ms:10.1f} {done.p99_ms:8.1f}"
            )
        part = asyncio.run(here.batches(rounds=5))
        print(f"a batch of {BATCH} takes {part:.3f} of the time of {BATCH} submits in a row")


def against_checkout(folder: Path, seconds: float, checkout: Path, callers: int = CALLERS[-1]) -> None:
    with stage(folder / "there", checkout) as there, stage(folder / "here") as here:
        turns = [(there.turn(callers, seconds / TURNS), here.turn(callers, seconds / TURNS)) for _ in range(TURNS)]
        print(f"{callers} callers {'tasks/s':>9} {'median ms':>10} {'server ms/task':>15} {'agent ms/task':>14}")
        for name, ones in (("there", [one for one, _ in turns]), ("here", [one for _, one in turns])):
            rate, median, server, agent = (
                statistics.median(values)
                for values in zip(
                    *((one.load.per_second, one.load.median_ms, one.server_ms, one.agent_ms) for one in ones),
                    strict=True,
                )
            )
            print(f"{name:>10} {rate:9.0f} {median:10.1f} {server:15.3f} {agent:14.3f}")
        more = statistics.median(one.load.per_second / other.load.per_second for other, one in turns)
        part = statistics.median(one.server_ms / other.server_ms for other, one in turns)
        print(f"tasks/s: {more:.2f} of what it does there; processor time of the server for one: {part:.2f}")


def main() -> None:
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--seconds", type=float, default=5.0)
    arguments.add_argument("--against", type=Path, default=None)
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if given.against is None:
            against_bare(Path(folder), given.seconds)
        else:
            against_checkout(Path(folder), given.seconds, given.against)


def cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


if __name__ == "__main__":
    main()
