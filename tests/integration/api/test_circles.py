"""Calls that wait for each other's slots: found, ended, and shown to whoever looks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from agentic_atlas.backend.engine.circles import PATIENCE
from agentic_atlas.protocol.messages import Accept, Call, Raw, Reply
from tests.integration.api.network import GREET, Api, api

TASK = {"skill": "greet", "input": {"name": "Ada"}}


class Answered:
    """What a calling agent is told; implements `calls.Replies`."""

    def __init__(self) -> None:
        self.last: Reply | None = None

    def __call__(self, reply: Reply) -> bool:
        self.last = reply
        return True

    async def drained(self) -> None: ...


class World:
    """The agents `ping` and `pong`, of one slot each."""

    def __init__(self, atlas: Api) -> None:
        self.atlas = atlas
        self.ids: dict[str, str] = {}

    async def begin(self) -> None:
        for name in ("ping", "pong"):
            await self.atlas.admin.post("/api/v1/agents", json={"name": name})
            self.ids[name] = await self.atlas.connect(self.atlas.admin, name, GREET, instance=f"ins_{name}", slots=1)

    async def submit(self, name: str) -> str:
        task = (await self.atlas.admin.post("/api/v1/tasks", json=TASK | {"agent": name})).json()
        assert task["state"] == "working"
        await self.accept(task["id"], name)
        return str(task["id"])

    async def accept(self, task: str, name: str) -> None:
        await self.atlas.report(Accept(task, 1), instance=f"ins_{name}")

    def call(self, parent: str, caller: str, called: str) -> tuple[asyncio.Task[None], Answered]:
        answered = Answered()
        asked = Call(f"call_{called}", parent, 1, called, "greet", Raw(b'{"name":"Bob"}'))
        made = self.atlas.call(asked, answered, f"ins_{caller}")
        return asyncio.create_task(made), answered

    async def note(self, task: str) -> str:
        return str((await self.atlas.admin.get(f"/api/v1/tasks/{task}")).json()["note"])


@asynccontextmanager
async def prepared(folder: Path) -> AsyncIterator[World]:
    async with api(folder) as running, asyncio.timeout(20):
        world = World(running)
        await world.begin()
        yield world


async def test_a_call_that_only_its_own_ancestors_could_let_in_ends_at_once(tmp_path: Path) -> None:
    async with prepared(tmp_path) as world:
        root = await world.submit("ping")
        _, _ = world.call(root, "ping", "pong")
        await world.atlas.router.arrived.wait()
        while len(world.atlas.router.delivered) < 2:
            world.atlas.router.arrived.clear()
            await world.atlas.router.arrived.wait()
        child = world.atlas.router.delivered[-1][1].task
        await world.accept(child, "pong")
        assert await world.note(root) == f"waits for admin/pong.greet ({child})"
        made, answered = world.call(child, "pong", "ping")
        await made
        assert answered.last is not None
        assert answered.last.error is not None
        assert (answered.last.state, answered.last.error.code) == ("failed", "call_circle")
        assert "admin/ping.greet → admin/pong.greet → admin/ping.greet" in answered.last.error.message


async def test_two_chains_that_wait_for_each_other_are_seen_in_notes_and_ended_by_a_later_look(tmp_path: Path) -> None:
    async with prepared(tmp_path) as world:
        roots = [await world.submit(name) for name in ("ping", "pong")]
        first, _ = world.call(roots[0], "ping", "pong")
        waiting = await world.atlas.called_by(roots[0])
        second, answered = world.call(roots[1], "pong", "ping")
        await world.atlas.called_by(roots[1])
        queued = f"waits for admin/pong.greet ({waiting}), which is queued (1 of 1 slots used)"
        assert await world.note(roots[0]) == queued
        assert await world.note(waiting) == "queued: all instances of the agent are busy (1 of 1 slots used)"
        shown = (await world.atlas.admin.get("/api/v1/agents/pong")).json()
        assert (shown["slots_used"], shown["slots"], shown["tasks_waiting"]) == (1, 1, 1)
        assert [one["slots_used"] for one in shown["instances"]] == [1]
        for _ in range(PATIENCE):
            assert not second.done()
            world.atlas.engine.circles.look()
        await second
        assert answered.last is not None
        assert answered.last.error is not None
        assert answered.last.error.code == "call_circle"
        assert not first.done()
        first.cancel()


async def test_a_circle_is_ended_though_new_calls_come_to_wait_behind_it_all_the_time(tmp_path: Path) -> None:
    async with prepared(tmp_path) as world:
        roots = [await world.submit(name) for name in ("ping", "pong")]
        calling = [world.call(roots[0], "ping", "pong")[0], world.call(roots[1], "pong", "ping")[0]]
        for root in roots:
            await world.atlas.called_by(root)
        for _ in range(PATIENCE):
            await world.atlas.admin.post("/api/v1/tasks", json=TASK | {"agent": "ping"})
            world.atlas.engine.circles.look()
        await calling[1]
        calling[0].cancel()


async def test_what_has_been_let_in_before_the_look_is_over_is_not_ended(tmp_path: Path) -> None:
    async with prepared(tmp_path) as world:
        roots = [await world.submit(name) for name in ("ping", "pong")]
        calling = [world.call(roots[0], "ping", "pong")[0], world.call(roots[1], "pong", "ping")[0]]
        waiting = [await world.atlas.called_by(root) for root in roots]
        for _ in range(PATIENCE - 1):
            world.atlas.engine.circles.look()
        world.atlas.router.grant("ins_ping")
        world.atlas.engine.circles.look()
        shown = [(await world.atlas.admin.get(f"/api/v1/tasks/{task}")).json()["state"] for task in waiting]
        assert shown == ["submitted", "working"]
        for call in calling:
            call.cancel()
