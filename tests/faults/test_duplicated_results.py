"""Results that come twice, late, out of order, from stale attempts, over stale connections; cancels that race them."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from agentic_atlas.backend.domain.terms import MARGIN
from agentic_atlas.protocol.messages import Cancel, Message, RunningAttempt, Task
from tests.e2e.processes import Platform
from tests.faults.event_stream import read_some
from tests.faults.floods import TERMINAL, Api, Json, api, sound, stored, until, up
from tests.faults.wire_agent import WireAgent, connected

GRACE = 1.0
CUT_EVERY = 0.3
AT_ONCE = 48
INSTANCES = ("inst_a", "inst_b")
WAYS = Counter(
    {
        "once": 50,
        "twice": 20,
        "result before accept": 5,
        "of another attempt": 5,
        "by another instance": 5,
        "over a cut": 10,
        "after the timeout": 5,
    }
)
"""How an agent answers a task, and how often in a hundred."""


class Crooked:
    """Two instances of one agent. What each task's input says is how it is answered the first time."""

    def __init__(self, platform: Platform, tokens: list[str], chance: random.Random) -> None:
        self.acknowledged: Counter[tuple[str, int, bool]] = Counter()
        self.seen: set[tuple[str, int, str]] = set()
        self.links: dict[str, WireAgent] = {}
        self.cuts = 0
        self._platform = platform
        self._tokens = dict(zip(INSTANCES, tokens, strict=True))
        self._chance = chance
        self._held: dict[str, list[RunningAttempt]] = {name: [] for name in INSTANCES}
        self._slow: dict[str, list[RunningAttempt]] = {name: [] for name in INSTANCES}
        self._group: asyncio.TaskGroup

    async def work(self, group: asyncio.TaskGroup) -> None:
        """Connect both."""
        self._group = group
        for name in INSTANCES:
            await self._connect(name)

    async def leave(self) -> None:
        """End both connections."""
        for link in self.links.values():
            await link.socket.close()

    async def cut(self, name: str) -> None:
        """Come back on a new connection, sometimes too late, and say of what is held whatever comes to mind."""
        held, self._held[name] = self._held[name], []
        old = self.links[name]
        # Only one of them ever loses what it holds: the other's slow tasks get as far as their timeout.
        late = name == INSTANCES[1] and self._chance.random() < 0.5
        if late:
            await old.socket.close()
            await asyncio.sleep(GRACE + 1.0)
        told = [task for task in held if self._chance.random() < 0.5]
        await self._connect(name, told)
        self.cuts += 1
        for task in held:
            with suppress(ConnectionClosed):
                await old.complete(task, "over a connection that was replaced")
            with suppress(ConnectionClosed):
                await self.links[name].complete(task, "after a cut")

    async def repeat_everything(self) -> int:
        """Say another result for every attempt that was ever seen; return how many."""
        said = 0
        for task, attempt, name in sorted(self.seen):
            await self.links[name].complete(RunningAttempt(task, attempt), "long after the end")
            said += 1
        return said

    def total(self) -> Counter[tuple[str, int, bool]]:
        """Return what was acknowledged on all connections."""
        return sum((link.acknowledged for link in self.links.values()), self.acknowledged)

    async def _connect(self, name: str, results: list[RunningAttempt] | None = None) -> None:
        old = self.links.get(name)
        link = await connected(
            self._platform, self._tokens[name], name, concurrency=40, running=self._slow[name], results=results
        )
        self.links[name] = link
        if old is not None:
            self.acknowledged += old.acknowledged
            old.acknowledged = self.acknowledged  # what it still hears counts too
        self._group.create_task(link.listen(self._told))

    async def _told(self, link: WireAgent, message: Message) -> None:
        # A task that takes its time must not hold up the others.
        self._group.create_task(self._handled(link, message))

    async def _handled(self, link: WireAgent, message: Message) -> None:
        with suppress(ConnectionClosed):
            if isinstance(message, Task):
                self.seen.add((message.task, message.attempt, link.instance_id))
                await self._answer(link, message)
            elif isinstance(message, Cancel):
                await self._stop(link, message)

    async def _answer(self, link: WireAgent, task: Task) -> None:
        how = json.loads(bytes(task.input))["answer"] if task.attempt == 1 else "twice"
        if how == "result before accept":
            await link.complete(task, how)
            await link.accept(task)
            return
        await link.accept(task)
        match how:
            case "over a cut":
                self._held[link.instance_id].append(RunningAttempt(task.task, task.attempt))
                return
            case "after the timeout":
                self._slow[link.instance_id].append(RunningAttempt(task.task, task.attempt))
                await asyncio.sleep(MARGIN + 2)
                link = self.links[link.instance_id]
            case "of another attempt":
                await link.complete(RunningAttempt(task.task, task.attempt + 1), "of an attempt to come")
                await link.complete(RunningAttempt(task.task, task.attempt - 1), "of an attempt before")
            case "by another instance":
                await self.links[next(name for name in INSTANCES if name != link.instance_id)].complete(task, how)
        await asyncio.sleep(self._chance.random() * 0.02)
        await link.complete(task, f"{how}: {task.attempt}")
        if how == "twice":
            await asyncio.sleep(self._chance.random() * 0.02)
            await link.complete(task, "a second time, and something else")

    async def _stop(self, link: WireAgent, cancel: Cancel) -> None:
        """Answer a cancel truly, with an output, or with both."""
        ends: list[Callable[[], Awaitable[None]]] = [
            lambda: link.canceled(cancel),
            lambda: link.complete(cancel, "too late to stop"),
        ]
        self._chance.shuffle(ends)
        for say in ends:
            await say()


class Callers:
    """Submit tasks, cancel some of them at once, and keep each as it was when it had ended.

    Attributes:
        finals: each task as the API first showed it ended.
    """

    def __init__(self, at: Api, chance: random.Random) -> None:
        self.finals: dict[str, Json] = {}
        self._at = at
        self._chance = chance

    async def call(self, count: int) -> None:
        """Do so many tasks, some at a time."""
        numbers = iter(range(count))
        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(self._caller(numbers))

    async def _caller(self, numbers: Iterator[int]) -> None:
        for number in numbers:
            how = list(WAYS.elements())[number * 37 % WAYS.total()]
            slow = how == "after the timeout"
            timeout = {"timeout": 0.5} if slow else {}
            task = await self._at.accepted("crooked", input={"n": number, "answer": how}, **timeout)
            if not slow and self._chance.random() < 0.3:
                await asyncio.sleep(self._chance.random() * 0.02)
                await self._at.cancel(task["id"])
            self.finals[task["id"]] = await self._at.ended(task["id"], within=60)


@pytest.mark.timeout(600)
async def test_whatever_agents_say_a_task_has_one_outcome_that_never_changes(
    tmp_path: Path, soak: bool, found: Callable[[str, str, str], None]
) -> None:
    chance = random.Random(4)
    finals: dict[str, Json] = {}
    streams: dict[str, list[Json]] = {}
    acknowledged: Counter[tuple[str, int, bool]] = Counter()
    cuts = 0

    with up(tmp_path / "network", grace=GRACE) as platform:
        async with api(platform) as at, asyncio.TaskGroup() as group:
            crooked = Crooked(platform, [await at.token("crooked") for _ in INSTANCES], chance)
            await crooked.work(group)
            callers = Callers(at, chance)
            calling = group.create_task(callers.call(2_000 if soak else 200))
            while not calling.done():
                await asyncio.wait([calling], timeout=CUT_EVERY)
                await crooked.cut(chance.choice(INSTANCES))
            before = crooked.total()
            said = await crooked.repeat_everything()
            await until(lambda: crooked.total().total() >= before.total() + said)
            assert not any(recorded for (_, _, recorded) in crooked.total() - before)
            finals.update(callers.finals)
            for task, final in finals.items():
                assert await at.show(task) == final
                streams[task] = await read_some(platform, task)
            await crooked.leave()
            acknowledged, cuts = crooked.total(), crooked.cuts
    sound(platform)
    check(platform, finals, streams, acknowledged)
    assert cuts >= 3
    late = sum(times for (_, _, recorded), times in acknowledged.items() if not recorded)
    found(
        "2 one outcome, never changed",
        f"{len(finals)} tasks, {cuts} connections replaced, cancels racing",
        f"one terminal event each; {late} late or repeated results acknowledged as not recorded",
    )


def check(
    platform: Platform,
    finals: dict[str, Json],
    streams: dict[str, list[Json]],
    acknowledged: Counter[tuple[str, int, bool]],
) -> None:
    """The API, the stream of events and the store say the same, once."""
    ends: Counter[str] = Counter()
    events: dict[str, list[tuple[int, str, Any]]] = {}
    for task, seq, kind, data in stored(platform, "SELECT task_id, seq, kind, data FROM events ORDER BY task_id, seq"):
        said = json.loads(data)
        events.setdefault(task, []).append((seq, kind, said))
        ends[task] += kind == "state" and said["state"] in TERMINAL
    assert set(events) == set(finals)
    assert set(ends.values()) == {1}
    states = dict(stored(platform, "SELECT id, state FROM tasks"))
    recorded = Counter(task for (task, _, counted), times in acknowledged.items() if counted for _ in range(times))
    for task, final in finals.items():
        assert events[task][-1][2]["state"] == final["state"] == states[task]
        assert final["last_seq"] == len(events[task])
        assert recorded[task] <= 1, task
    for task, stream in streams.items():
        assert [(event["seq"], event["kind"], event["data"]) for event in stream] == events[task]
    assert {final["state"] for final in finals.values()} >= {"completed", "failed", "canceled"}
