"""A full disk, a database that another program has locked, a slow one: honest answers, and got over by itself."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.disks import mounted
from tests.e2e.processes import PATIENCE, Platform, Process, connected
from tests.faults.floods import Api, api, percentile, sound, spotless, stored, up

ECHO = """
import asyncio
import os
from agentic_atlas import Agent

agent = Agent("echo", concurrency=8)

@agent.skill
async def say(text: str, seconds: float = 0.0) -> str:
    await asyncio.sleep(seconds)
    return text

if __name__ == "__main__":
    agent.run()
"""
RECOVERED_WITHIN = 5.0
AGENT_BACK_WITHIN = 8.0
"""An agent whose report could not be stored is back within 5 s, and then has work to do."""
HEALTHY_WITHIN = 0.1
"""Seconds within which 99 of 100 health checks are answered, on a machine that is not busy with other things."""
FREE = 0.2
"""Seconds between two locks: twice what SQLite waits before it looks again."""
NOISE = 30 if "PYTEST_XDIST_WORKER" in os.environ else 5
"""How many times as long it may take on one that is, and with other tests beside this one: a loop that waited for the
disk would take longer still."""


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    with mounted(tmp_path / "disk", megabytes=12) as folder:
        yield folder


class Asked:
    """Submits in a row, and what was answered.

    Attributes:
        acknowledged: ids of the tasks that were accepted.
        refused: how often each (status, code) was answered.
        slowest: the longest wait for an answer, in seconds.
    """

    def __init__(self, at: Api) -> None:
        self.acknowledged: list[str] = []
        self.refused: Counter[tuple[int, str]] = Counter()
        self.slowest = 0.0
        self._at = at

    async def once(self, seconds: float = 0.0) -> bool:
        """Submit a task; tell whether it was accepted. Whatever else is answered has to say when to come back."""
        began = time.monotonic()
        answer = await self._at.submit("echo", "say", input={"text": "x" * 20_000, "seconds": seconds})
        self.slowest = max(self.slowest, time.monotonic() - began)
        if answer.status_code == 201:
            self.acknowledged.append(answer.json()["id"])
            return True
        assert answer.status_code in (503, 507), answer.text
        assert int(answer.headers["Retry-After"]) >= 1
        self.refused[answer.status_code, answer.json()["error"]["code"]] += 1
        return False

    async def several(self, count: int, at_once: int = 8, seconds: float = 0.0) -> None:
        """Submit so many, each of which takes so long."""
        numbers = iter(range(count))

        async def one() -> None:
            for _ in numbers:
                await self.once(seconds)

        async with asyncio.TaskGroup() as group:
            for _ in range(at_once):
                group.create_task(one())

    async def recovered(self) -> float:
        """Submit until one is accepted; return the seconds."""
        began = time.monotonic()
        while not await self.once():
            assert time.monotonic() - began < RECOVERED_WITHIN, self.refused
            await asyncio.sleep(0.1)
        return time.monotonic() - began


@dataclass
class Seen:
    """What came of a trouble, in seconds."""

    asked: Asked = field(init=False)
    submits: float = 0.0
    """From its end to the next submit that was accepted."""
    agent: float = 0.0
    """From there to the end of all tasks."""
    health: float = 0.0
    """In which 99 of 100 health checks were answered meanwhile."""


@asynccontextmanager
async def health(at: Api, times: list[float]) -> AsyncIterator[None]:
    """Ask for the server's health all the time in this block: its loop has to stay free."""
    over = asyncio.Event()

    async def ask() -> None:
        while not over.is_set():
            began = time.monotonic()
            answer = await at.http.get(at.http.base_url.join("/healthz"))
            times.append(time.monotonic() - began)
            assert answer.status_code == 200
            await asyncio.sleep(0.02)

    async with asyncio.TaskGroup() as group:
        group.create_task(ask())
        try:
            yield
        finally:
            over.set()


@asynccontextmanager
async def troubled(folder: Path, seen: Seen, **settings: Any) -> AsyncIterator[tuple[Platform, Process]]:
    """Have a network with an agent until the end of the block; both have to come through it sound."""
    with up(folder / "network", **settings) as platform, platform.agent("echo", ECHO) as agent:
        agent.wait_for(connected)
        yield platform, agent
        spotless(agent)
        assert agent.stop() == 0
    sound(platform)
    assert seen.health < HEALTHY_WITHIN * NOISE
    assert seen.agent < AGENT_BACK_WITHIN
    assert {row[0] for row in stored(platform, "SELECT id FROM tasks")} == set(seen.asked.acknowledged)


async def all_done(at: Api, tasks: list[str]) -> float:
    """Wait until every task is completed; return the seconds."""
    began = time.monotonic()
    for task in tasks:
        found = await at.ended(task, within=60)
        assert found["state"] == "completed", found
    return time.monotonic() - began


def fill(file: Path) -> None:
    """Write until the disk is full."""
    with file.open("wb", buffering=0) as out:
        try:
            while True:
                out.write(bytes(1024))
        except OSError:
            pass


@pytest.mark.timeout(300)
async def test_a_full_disk_never_lies_and_is_got_over_without_a_restart(
    tmp_path: Path, small_disk: Path, soak: bool, found: Callable[[str, str, str], None]
) -> None:
    filler = small_disk / "filler"
    seen = Seen()

    async with troubled(tmp_path, seen, data_dir=small_disk / "data") as (platform, _), api(platform) as at:
        asked, times = Asked(at), list[float]()
        async with health(at, times):
            await asked.several(20)
            await asked.several(8, seconds=1.0)
            assert not asked.refused
            fill(filler)
            full_until = time.monotonic() + (20.0 if soak else 2.0)
            while time.monotonic() < full_until:
                await asked.several(100)
            assert asked.refused.total() > 0
            listed = await at.http.get("/tasks")
            assert listed.status_code == 200, listed.text
            filler.unlink()
            seen.submits = await asked.recovered()
            seen.agent = await all_done(at, asked.acknowledged)
        seen.asked, seen.health = asked, percentile(times, 0.99)
    asked = seen.asked
    assert {status for status, _ in asked.refused} <= {503, 507}
    answers = ", ".join(f"{times} × {status} {code}" for (status, code), times in asked.refused.items())
    found(
        "1 nothing acknowledged is lost",
        f"disk full, {len(asked.acknowledged) + asked.refused.total()} submits",
        f"{answers}; submits again after {seen.submits:.1f} s, all {len(asked.acknowledged)} tasks done after "
        f"{seen.agent:.1f} s, health p99 {seen.health * 1000:.0f} ms",
    )


def hold(platform: Platform, seconds: float) -> None:
    """Lock the database for writing, as a careless program would."""
    file = Path(platform.environ["ATLAS_DATA_DIR"]) / "atlas.sqlite3"
    with closing(sqlite3.connect(file, isolation_level=None, timeout=PATIENCE)) as other:
        other.execute("BEGIN EXCLUSIVE")
        time.sleep(seconds)
        other.execute("ROLLBACK")


@pytest.mark.timeout(300)
async def test_a_locked_database_is_a_503_in_time_and_is_got_over_without_a_restart(
    tmp_path: Path, soak: bool, found: Callable[[str, str, str], None]
) -> None:
    seconds = 10.0 if soak else 7.0
    seen = Seen()

    async with troubled(tmp_path, seen) as (platform, _), api(platform) as at:
        asked, times = Asked(at), list[float]()
        await asked.several(20)
        await asked.several(8, seconds=2.0)
        async with health(at, times):
            holding = asyncio.create_task(asyncio.to_thread(hold, platform, seconds))
            while not holding.done():
                await asked.several(8)
            await holding
            assert asked.refused.keys() == {(503, "store_unavailable")}, asked.refused
            # The busy timeout is 5 s.
            assert asked.slowest < 5.0 + 2.0
            seen.submits = await asked.recovered()
            seen.agent = await all_done(at, asked.acknowledged)
        seen.asked, seen.health = asked, percentile(times, 0.99)
    asked = seen.asked
    found(
        "1 nothing acknowledged is lost",
        f"database locked for {seconds:.0f} s, {len(asked.acknowledged) + asked.refused.total()} submits",
        f"{asked.refused.total()} × 503 after {asked.slowest:.1f} s; submits again after {seen.submits:.1f} s, all "
        f"tasks done after {seen.agent:.1f} s, health p99 {seen.health * 1000:.0f} ms",
    )


def slow_down(platform: Platform, times: int, seconds: float) -> None:
    """Take the lock again and again for less than anybody gives up."""
    for _ in range(times):
        hold(platform, seconds)
        time.sleep(FREE)


@pytest.mark.timeout(300)
async def test_a_slow_database_is_waited_for_and_holds_up_nothing_else(
    tmp_path: Path, soak: bool, found: Callable[[str, str, str], None]
) -> None:
    turns = 20 if soak else 3
    seen = Seen()

    async with troubled(tmp_path, seen) as (platform, agent), api(platform) as at:
        asked, times = Asked(at), list[float]()
        async with health(at, times):
            slowing = asyncio.create_task(asyncio.to_thread(slow_down, platform, turns, 0.8))
            while not slowing.done():
                await asked.several(8)
            await slowing
            seen.agent = await all_done(at, asked.acknowledged)
        seen.asked, seen.health = asked, percentile(times, 0.99)
    asked = seen.asked
    # No report of an agent's waited for so long that its connection was given up.
    assert "lost" not in agent.output
    assert not asked.refused
    assert asked.slowest > 0.5
    found(
        "1 nothing acknowledged is lost",
        f"database slow {turns} times, {len(asked.acknowledged)} submits",
        f"all accepted, the slowest after {asked.slowest:.1f} s; health p99 {seen.health * 1000:.0f} ms",
    )
