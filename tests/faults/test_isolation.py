"""An agent that does not read and one that never stops talking: the others do not notice, and memory stays bounded."""

from __future__ import annotations

import json
import re
import statistics
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.e2e.processes import Platform, connected
from tests.e2e.programs import ECHO
from tests.faults.floods import (
    KEPT,
    MEGABYTE,
    MOST_GROWTH,
    Api,
    api,
    percentile,
    resident,
    sound,
    spotless,
    stored,
    until,
    up,
)
from tests.faults.wire_agent import connected as connected_by_hand
from tests.faults.wire_agent import echo, working

NOISY = """
import asyncio
import time
from agentic_atlas import Agent, Context

agent = Agent("noisy")

@agent.skill
async def talk(ctx: Context, seconds: float, lines_a_second: int) -> int:
    began = time.monotonic()
    said = 0
    while (passed := time.monotonic() - began) < seconds:
        while said < passed * lines_a_second and said < 9_000:
            ctx.log.info("a line that nobody needs, and another one, and another", number=said)
            said += 1
        await asyncio.sleep(0.01)
    return said

if __name__ == "__main__":
    agent.run()
"""
LEFT_OUT = re.compile(r"([0-9]+) (?:events|reports) were left out")
LINES_A_SECOND = 1_000
TIMES_AS_LONG = 2.0


async def call_times(at: Api, count: int) -> list[float]:
    """Call the calm agent so many times, one after the other; return how long each took."""
    times = []
    for number in range(count):
        began = time.monotonic()
        answer = await at.http.post(
            "/tasks", params={"wait": 30}, json={"agent": "echo", "skill": "say", "input": {"text": f"n {number}"}}
        )
        times.append(time.monotonic() - began)
        assert answer.json()["output"] == f"n {number}"
    return times


@asynccontextmanager
async def deaf(platform: Platform, at: Api, token: str, tasks: int) -> AsyncIterator[None]:
    """An agent that takes many tasks of 100 KB and reads none."""
    agent = await connected_by_hand(platform, token, "inst_deaf", concurrency=1_000)
    inputs = [{"n": n, "text": "x" * 100_000} for n in range(30)]
    for _ in range(tasks // 30):
        await at.batch("deaf", inputs)
    try:
        yield
    finally:
        agent.socket.transport.abort()


def told(platform: Platform) -> tuple[int, int]:
    """Return how many lines are stored, and of how many it is told that they were left out."""
    texts = [json.loads(data)["event"] for (data,) in stored(platform, "SELECT data FROM events WHERE kind = 'log'")]
    left_out = [found for text in texts if (found := LEFT_OUT.match(text)) is not None]
    return len(texts) - len(left_out), sum(int(found[1]) for found in left_out)


@pytest.mark.alone
@pytest.mark.timeout(400)
async def test_an_agent_that_reads_nothing_and_one_that_never_stops_talking_hold_up_nobody(
    tmp_path: Path, soak: bool, found: Callable[[str, str, str], None]
) -> None:
    """Times are compared with `--soak` only, each with those of the same run: the median of the 99th of 100."""
    rounds, calls, deaf_tasks = (5, 300, 600) if soak else (1, 50, 150)
    seconds = 8.0 if soak else 3.0
    quiet, loud = list[float](), list[float]()
    said = grown = 0

    async def round(at: Api) -> None:
        nonlocal said
        quiet.append(percentile(await call_times(at, calls), 0.99))
        talk = {"seconds": seconds, "lines_a_second": LINES_A_SECOND}
        talking = await at.accepted("noisy", "talk", input=talk)
        loud.append(percentile(await call_times(at, calls), 0.99))
        said += (await at.ended(talking["id"]))["output"]

    with (
        up(tmp_path / "network", grace=1) as platform,
        platform.agent("echo", ECHO) as calm,
        platform.agent("noisy", NOISY) as noisy,
    ):
        calm.wait_for(connected)
        noisy.wait_for(connected)
        async with api(platform) as at:
            token = await at.token("deaf")
            await call_times(at, 20)
            before = resident(platform)
            async with deaf(platform, at, token, deaf_tasks):
                for _ in range(rounds):
                    await round(at)
                    grown = max(grown, resident(platform) - before)
            async with working(platform, token, echo, "inst_deaf", concurrency=50):
                query = "SELECT 1 FROM tasks WHERE state IN ('submitted', 'working') LIMIT 1"
                await until(lambda: not stored(platform, query), within=60)
        for agent in (calm, noisy):
            assert "lost" not in agent.output
            spotless(agent)
            assert agent.stop() == 0
    sound(platform)
    assert stored(platform, "SELECT DISTINCT state FROM tasks") == [("completed",)]
    lines, left_out = told(platform)
    # On a machine that has no time for all of them, each that is missing is told of.
    assert lines + left_out == said > 0.5 * LINES_A_SECOND * seconds * rounds
    assert grown < MOST_GROWTH + KEPT
    assert platform.process is not None
    # It neither reads nor beats, and is cut for whichever is found first.
    assert not soak or any(why in platform.process.output for why in ("nothing_read", "no_beat"))
    ratio = statistics.median(loud) / statistics.median(quiet)
    assert not soak or ratio < TIMES_AS_LONG, (quiet, loud)
    found(
        "7 bounded, no collateral",
        f"{said} log lines at {LINES_A_SECOND}/s, an agent that does not read, {2 * rounds * calls} calls to another",
        f"p99 {statistics.median(quiet) * 1000:.0f} ms before, {statistics.median(loud) * 1000:.0f} ms during "
        f"(× {ratio:.1f}); memory grew by {grown / MEGABYTE:.0f} MB",
    )
