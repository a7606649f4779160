"""What a bystander notices: a call every 0.2 s by somebody else, before and during what others do to the network.

```console
$ python -m benchmarks.bystander            # every flood, one after the other, each on a network of its own
$ python -m benchmarks.bystander long_enum  # one of them
```

A flood is a function of `FLOODS` in `benchmarks/floods_*.py`: it is given the stage, does its worst for about `SECONDS`
seconds, and returns.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import pkgutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import benchmarks
from tests.e2e.processes import Platform, connected
from tests.e2e.programs import ECHO
from tests.faults.floods import MEGABYTE, Api, api, percentile, resident, up

EVERY = 0.2
BEFORE = 20.0
SECONDS = 20.0
"""How long a flood goes on."""

Flood = Callable[["Stage"], Awaitable[None]]


@dataclass
class Bystander:
    """Calls at fixed times, whether the last one was answered or not.

    Attributes:
        took: seconds of each call that was answered.
        failed: calls that were not answered with their output.
        peak: most bytes of memory that the server had.
    """

    took: list[float] = field(default_factory=list)
    failed: int = 0
    peak: int = 0

    async def call(self, at: Api, platform: Platform) -> None:
        began = time.monotonic()
        new = {"agent": "echo", "skill": "say", "input": {"text": "still there"}}
        answer = await at.http.post("/tasks", params={"wait": 30}, json=new)
        self.took.append(time.monotonic() - began)
        self.failed += answer.status_code not in (200, 201) or answer.json()["output"] != "still there"
        self.peak = max(self.peak, resident(platform))

    def told(self) -> str:
        times = [1e3 * percentile(self.took, part) for part in (0.5, 0.99)]
        return f"p50 {times[0]:6.1f} ms, p99 {times[1]:6.1f} ms, {len(self.took)} calls, {self.failed} failed"


@dataclass
class Stage:
    """A network with an agent that everybody may call, and who looks on."""

    platform: Platform
    api: Api
    """The API with the administrator's key, for the flood; the bystander has connections of its own."""
    seconds: float = SECONDS
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    """Set by a flood when what it needs is there and it begins: from then on the bystander looks on."""


@asynccontextmanager
async def looking_on(platform: Platform, at: Api) -> AsyncIterator[Bystander]:
    """Call every 0.2 s until the end of the block."""
    seen = Bystander()
    done = asyncio.Event()

    async def tick() -> None:
        async with asyncio.TaskGroup() as calls:
            while not done.is_set():
                calls.create_task(seen.call(at, platform))
                try:
                    async with asyncio.timeout(EVERY):
                        await done.wait()
                except TimeoutError:
                    continue

    async with asyncio.TaskGroup() as group:
        group.create_task(tick())
        try:
            yield seen
        finally:
            done.set()


async def looking_on_at(flood: Flood, stage: Stage, at: Api) -> Bystander:
    """Return what a bystander sees from the beginning of a flood to its end."""
    async with asyncio.TaskGroup() as group:
        flooding = group.create_task(flood(stage))
        await stage.begun.wait()
        async with looking_on(stage.platform, at) as seen:
            await flooding
    return seen


async def measure(name: str, flood: Flood) -> bool:
    """Print what the bystander saw; tell whether it is within the bounds."""
    with tempfile.TemporaryDirectory() as folder, up(Path(folder)) as platform, platform.agent("echo", ECHO) as echo:
        echo.wait_for(connected)
        async with api(platform) as own, api(platform) as others:
            async with looking_on(platform, own) as warm:
                await asyncio.sleep(1.0)
            assert not warm.failed
            async with looking_on(platform, own) as before:
                await asyncio.sleep(BEFORE)
            resting = resident(platform)
            during = await looking_on_at(flood, Stage(platform, others), own)
            grown = (max(during.peak, resident(platform)) - resting) / MEGABYTE
    ratio = percentile(during.took, 0.99) / percentile(before.took, 0.99)
    print(f"{name}\n  before {before.told()}\n  during {during.told()}")
    print(f"  p99 x {ratio:.2f}, server {resting / MEGABYTE:.0f} MB + {grown:.0f} MB", flush=True)
    return ratio <= 3.0 and grown <= 150 and not during.failed


def floods() -> dict[str, Flood]:
    """Return every flood there is, by name."""
    modules = [one.name for one in pkgutil.iter_modules(benchmarks.__path__) if one.name.startswith("floods_")]
    found: dict[str, Flood] = {}
    for name in sorted(modules):
        found |= importlib.import_module(f"benchmarks.{name}").FLOODS
    return found


def main(wanted: list[str]) -> int:
    known = floods()
    unknown = set(wanted) - set(known)
    if unknown:
        raise SystemExit(f"no such flood: {', '.join(sorted(unknown))}; there are {json.dumps(sorted(known))}")
    kept = [asyncio.run(measure(name, known[name])) for name in wanted or known]
    return 0 if all(kept) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
