"""Event streams that are cut anywhere and taken up again, and many watchers of one task."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agentic_atlas import AsyncClient
from tests.e2e.processes import PATIENCE, Platform, connected
from tests.faults.cutting import cutting
from tests.faults.event_stream import opened, read_some
from tests.faults.floods import MEGABYTE, Api, api, resident, sound, spotless, stored, up

TELLER = """
import asyncio
from agentic_atlas import Agent, Context

agent = Agent("teller")

@agent.skill
async def tell(ctx: Context, count: int, size: int, pause: float) -> int:
    for number in range(count):
        ctx.log.info("x" * (size if size > 5_000 else number * 7919 % (size + 1)), number=number)
        await ctx.progress(number / count)
        await asyncio.sleep(pause)
    return count

if __name__ == "__main__":
    agent.run()
"""
Event = tuple[int, str, Any]
LEAVING, DEAF = 20, 20


class Retold:
    """What one reader got, connection after connection.

    Attributes:
        cuts: how many of its connections were cut.
    """

    def __init__(self, platform: Platform, task: str, chance: random.Random) -> None:
        self.cuts = 0
        self._platform = platform
        self._task = task
        self._chance = chance

    async def whole(self) -> list[Event]:
        """Read from the beginning to the end of the task, in pieces of any size."""
        told: list[Event] = []
        while True:
            try:
                found = await read_some(self._platform, self._task, len(told), self._chance.randrange(1, 6_000))
            except (OSError, asyncio.IncompleteReadError):
                await asyncio.sleep(0.1)
                continue
            told += [(event["seq"], event["kind"], event["data"]) for event in found]
            if told and told[-1][1] == "state" and told[-1][2]["state"] == "completed":
                return told
            self.cuts += 1


async def through_the_client(url: str, key: str, task: str) -> list[Event]:
    """Read all events with the Python client, which takes them up again by itself."""
    async with AsyncClient(url, api_key=key) as client:
        handle = await client.tasks.get(task)
        return [(event.seq, event.kind, event.data) async for event in handle.events()]


def as_stored(platform: Platform, task: str) -> list[Event]:
    """Return the task's events from the server's file."""
    query = "SELECT seq, kind, data FROM events WHERE task_id = ? ORDER BY seq"
    events = [(seq, kind, json.loads(data)) for seq, kind, data in stored(platform, query, task)]
    assert [seq for seq, _, _ in events] == list(range(1, len(events) + 1))
    return events


async def seen(at: Api, task: str, seq: int) -> None:
    """Wait until so many events are stored."""
    async with asyncio.timeout(PATIENCE):
        while (await at.show(task))["last_seq"] < seq:  # noqa: ASYNC110 - nothing else tells from outside
            await asyncio.sleep(0.02)


@pytest.mark.timeout(300)
async def test_streams_cut_at_random_points_and_by_a_kill_are_told_without_gap_or_double(
    tmp_path: Path, soak: bool, found: Callable[[str, str, str], None]
) -> None:
    count, most_raw, most_client = (1_000, 700, 300) if soak else (120, 70, 30)
    chance = random.Random(9)
    tellings: list[tuple[str, list[Event]]] = []
    cuts = {"raw": 0, "client": 0}

    async def raw(platform: Platform, task: str) -> None:
        while cuts["raw"] < most_raw:
            reader = Retold(platform, task, chance)
            tellings.append((task, await reader.whole()))
            cuts["raw"] += reader.cuts

    async def client(platform: Platform, task: str) -> None:
        async with cutting(platform.url, lambda: chance.randrange(1, 12_000)) as way:
            while way.cuts < most_client:
                tellings.append((task, await through_the_client(way.url, platform.api_key, task)))
            cuts["client"] = way.cuts

    with up(tmp_path / "network") as platform, platform.agent("teller", TELLER) as agent:
        agent.wait_for(connected)
        async with api(platform) as at, asyncio.TaskGroup() as group:
            new = {"count": count, "size": 300, "pause": 0.01}
            task = (await at.accepted("teller", "tell", input=new))["id"]
            for _ in range(3):
                group.create_task(raw(platform, task))
            group.create_task(client(platform, task))
            await seen(at, task, count // 2)
            await asyncio.to_thread(platform.kill)
            await asyncio.to_thread(platform.start)
        async with api(platform) as at:
            assert (await at.ended(task))["attempt"] == 1
        spotless(agent)
        assert agent.stop() == 0
    sound(platform)
    for task, telling in tellings:
        assert telling == as_stored(platform, task)
    assert sum(cuts.values()) >= 100
    found(
        "9 events without gaps",
        f"{cuts['raw']} streams cut, {cuts['client']} of the client's, one kill -9",
        f"{len(tellings)} whole tellings of {len(tellings[0][1])} events, each as stored",
    )


@pytest.mark.timeout(600)
async def test_two_hundred_watchers_of_one_task_see_the_same(
    tmp_path: Path, soak: bool, found: Callable[[str, str, str], None]
) -> None:
    """Some more leave at once, and some never read. With `--soak` there is a second task, of large events."""
    with up(tmp_path / "network", watchers_per_task=300) as platform, platform.agent("teller", TELLER) as agent:
        agent.wait_for(connected)
        for reading, size in ((200, 500), (20, 100_000)) if soak else ((200, 500),):
            watchers = Watchers(platform)
            await watchers.watch_one_task(reading, size)
            expected = as_stored(platform, watchers.task)
            assert len(watchers.tellings) == reading
            assert all(telling == expected for telling in watchers.tellings)
            assert watchers.grown < 100 * MEGABYTE
            found(
                "9 events without gaps",
                f"{reading} watchers of one task, {LEAVING} more that leave, {DEAF} that never read",
                f"all saw the same {len(expected)} events of up to {size:,} bytes; "
                f"memory grew by {watchers.grown / MEGABYTE:.0f} MB",
            )
        spotless(agent)
        assert agent.stop() == 0
    sound(platform)


class Watchers:
    """Everybody who watches one task.

    Attributes:
        task: the task.
        tellings: what each that read to the end was told.
        grown: by how many bytes the server grew meanwhile.
    """

    def __init__(self, platform: Platform) -> None:
        self.task = ""
        self.tellings: list[list[Event]] = []
        self.grown = 0
        self._platform = platform

    async def watch_one_task(self, reading: int, size: int) -> None:
        """Submit a task whose events are up to this large, and have it watched until all who read are told its end."""
        over = asyncio.Event()
        async with api(self._platform) as at, asyncio.TaskGroup() as group:
            before = resident(self._platform)
            new = {"count": 100, "size": size, "pause": 0.02}
            self.task = (await at.accepted("teller", "tell", input=new))["id"]
            for _ in range(DEAF):
                group.create_task(self._ignore(over))
            for _ in range(LEAVING):
                group.create_task(self._leave())
            await asyncio.wait([group.create_task(self._watch()) for _ in range(reading)])
            assert (await at.ended(self.task))["state"] == "completed"
            self.grown = resident(self._platform) - before
            over.set()

    async def _watch(self) -> None:
        events = await read_some(self._platform, self.task)
        self.tellings.append([(event["seq"], event["kind"], event["data"]) for event in events])

    async def _leave(self) -> None:
        async with opened(self._platform, self.task):
            pass

    async def _ignore(self, over: asyncio.Event) -> None:
        async with opened(self._platform, self.task, limit=1024):
            await over.wait()
