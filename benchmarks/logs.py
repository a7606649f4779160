"""A chatty agent beside ten that work: what the others wait longer, and what a line costs the server.

One server (`atlas up`), ten agents that are called without a pause, and two that log 1,000 lines a second: the lines of
one are told to the network, those of the other are not. Their turns alternate, so that the ratio of the others' times
and the difference of the server's time on the processor are the lines' alone.

    python -m benchmarks.logs [ROUNDS [SECONDS]]
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tests.e2e.processes import Platform, connected
from tests.e2e.programs import ECHO
from tests.faults.floods import Api, api, percentile, up

WORKERS = 10
PER_SECOND = 1_000
ROUNDS, SECONDS = 4, 5.0

CHATTY = """
import asyncio
import logging
import time

from agentic_atlas import Agent

agent = Agent("NAME")
log = logging.getLogger("chatty")
log.setLevel(logging.INFO)
log.addHandler(logging.NullHandler())


@agent.skill
async def chat(lines: int, seconds: float) -> float:
    began = time.monotonic()
    for number in range(lines):
        log.info("read %d of %d pages of the document in front of me", number, lines, extra={"page": number})
        ahead = began + number * seconds / lines - time.monotonic()
        if ahead > 0.005:
            await asyncio.sleep(ahead)
    return time.monotonic() - began


if __name__ == "__main__":
    agent.run()
"""


@dataclass
class Turn:
    """What was seen while one of the two was logging."""

    took: list[float] = field(default_factory=list)
    processor: float = 0.0

    @property
    def p99(self) -> float:
        return percentile(self.took, 0.99)


async def turn(at: Api, platform: Platform, chatty: str, seconds: float) -> Turn:
    """Call the ten while this one logs."""
    assert platform.process is not None
    server, seen, over = psutil.Process(platform.process.pid), Turn(), asyncio.Event()

    async def work(number: int) -> None:
        while not over.is_set():
            began = time.monotonic()
            new = {"agent": f"worker{number}", "skill": "say", "input": {"text": "go on"}}
            answer = await at.http.post("/tasks", params={"wait": 30}, json=new)
            seen.took.append(time.monotonic() - began)
            assert answer.json()["output"] == "go on"
            await asyncio.sleep(0.02)

    before = sum(server.cpu_times()[:2])
    async with asyncio.TaskGroup() as group:
        for number in range(WORKERS):
            group.create_task(work(number))
        asked = {"lines": int(PER_SECOND * seconds), "seconds": seconds}
        new = {"agent": chatty, "skill": "chat", "input": asked}
        answer = await at.http.post("/tasks", params={"wait": 60}, json=new)
        assert answer.json()["state"] == "completed", answer.text
        over.set()
    seen.processor = sum(server.cpu_times()[:2]) - before
    return seen


async def measure(rounds: int, seconds: float) -> tuple[float, float]:
    """Return the ratio of the others' p99, and the seconds on the server's processor that a line costs."""
    with tempfile.TemporaryDirectory() as folder, up(Path(folder)) as platform, ExitStack() as agents:
        for name, wanted in (("silent", "off"), ("chatty", "info")):
            code, given = CHATTY.replace("NAME", name), {"ATLAS_CAPTURE_LOGGING": wanted}
            agents.enter_context(platform.agent(name, code, **given)).wait_for(connected)
        for number in range(WORKERS):
            code = ECHO.replace('"echo"', f'"worker{number}"')
            agents.enter_context(platform.agent(f"worker{number}", code)).wait_for(connected)
        async with api(platform) as at:
            await turn(at, platform, "silent", 1.0)
            ratios, costs = [], []
            for _ in range(rounds):
                silent = await turn(at, platform, "silent", seconds)
                chatty = await turn(at, platform, "chatty", seconds)
                spent = chatty.processor - silent.processor * len(chatty.took) / len(silent.took)
                ratios.append(chatty.p99 / silent.p99)
                costs.append(spent / (PER_SECOND * seconds))
                print(
                    f"  p99 {1e3 * silent.p99:6.1f} ms, with lines {1e3 * chatty.p99:6.1f} ms: x {ratios[-1]:.2f}; "
                    f"{1e6 * costs[-1]:5.1f} us of the server a line ({len(silent.took)} and {len(chatty.took)} calls)",
                    flush=True,
                )
    return statistics.median(ratios), statistics.median(costs)


def main(rounds: str = str(ROUNDS), seconds: str = str(SECONDS)) -> None:
    ratio, cost = asyncio.run(measure(int(rounds), float(seconds)))
    print(
        f"{PER_SECOND} lines a second beside {WORKERS} agents at work: their p99 x {ratio:.2f} of that without (<= 1.2)"
    )
    print(f"a line costs the server {1e6 * cost:.1f} us (<= 25)")


if __name__ == "__main__":
    main(*sys.argv[1:])
