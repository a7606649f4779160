"""An agent's process has ended and another one with its token arrives: what it may take over, and what not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from agentic_atlas.protocol import messages
from agentic_atlas.protocol.inside.messages import Admit
from agentic_atlas.protocol.messages import (
    Accept,
    Delivery,
    Hello,
    InstanceInfo,
    Outcome,
    Policy,
    Predecessor,
    Raw,
    Result,
    RunningAttempt,
    Verdict,
)
from tests.integration.api.network import GREET, Api, api

ONCE = replace(GREET, name="once", policy=Policy(delivery=Delivery.AT_MOST_ONCE))


@dataclass
class World:
    """A network with the agent `hello`, and tokens by name."""

    api: Api
    agent_id: str = ""
    tokens: dict[str, str] = field(default_factory=dict)

    async def process(self, instance: str, *predecessors: Predecessor, token: str = "one") -> Admit:
        """A process connects, and has four slots."""
        if token not in self.tokens:
            made = (await self.api.admin.post("/api/v1/agents/hello/tokens", json={})).json()
            self.tokens[token] = made["id"]
        hello = Hello(1, InstanceInfo(instance), [GREET, ONCE], 4, predecessors=list(predecessors))
        record = await self.api.engine.store.tokens.get(self.tokens[token])
        assert record is not None
        self.agent_id = record.agent_id
        admitted = await self.api.router.arrive(self.api.shown(self.tokens[token], self.agent_id), hello)
        assert isinstance(admitted, Admit)
        self.api.router.begin(admitted.instance, 4)
        return admitted

    async def dies(self, instance: str) -> None:
        await self.api.leave(instance)

    async def task(self, skill: str = "greet", instance: str = "p1") -> str:
        """Submit a task that this process has accepted."""
        body = {"agent": "hello", "skill": skill, "input": {"name": "Ada"}}
        made = (await self.api.admin.post("/api/v1/tasks", json=body)).json()
        assert made["instance_id"] == instance, made
        await self.api.report(Accept(made["id"], 1), instance=instance)
        return str(made["id"])

    async def shown(self, task: str) -> dict[str, Any]:
        return dict((await self.api.admin.get(f"/api/v1/tasks/{task}")).json())


@asynccontextmanager
async def prepared(folder: Path) -> AsyncIterator[World]:
    async with api(folder) as running, asyncio.timeout(20):
        await running.admin.post("/api/v1/agents", json={"name": "hello"})
        yield World(running)


def done(task: str) -> messages.Message:
    return Result(task, 1, Outcome.COMPLETED, Raw(b'"kept"'))


def left(process: str, *tasks: str) -> Predecessor:
    return Predecessor(process, [RunningAttempt(task, 1) for task in tasks])


async def test_a_result_that_an_ended_process_left_is_the_new_ones_to_deliver(tmp_path: Path) -> None:
    async with prepared(tmp_path) as world:
        await world.process("p1")
        tasks = [await world.task(), await world.task("once")]
        await world.dies("p1")
        admitted = await world.process("p2", left("p1", *tasks))
        assert admitted.attempts == tuple(Verdict(task, 1, keep=True) for task in tasks)
        assert (admitted.lost, admitted.held) == ((), ())
        for task in tasks:
            [stored] = await world.api.report(done(task), instance="p2")
            assert stored.recorded
            shown = await world.shown(task)
            assert (shown["state"], shown["output"], shown["attempt"]) == ("completed", "kept", 1)
            assert shown["instance_id"] == "p2"


async def test_what_it_left_without_a_result_is_lost_at_once(tmp_path: Path) -> None:
    async with prepared(tmp_path) as world:
        await world.process("p1")
        again, unknown = await world.task(), await world.task("once")
        await world.dies("p1")
        admitted = await world.process("p2", left("p1"))
        assert {attempt.task for attempt in admitted.lost} == {again, unknown}
        shown = await world.shown(again)
        assert (shown["state"], shown["attempt"], shown["instance_id"]) == ("working", 2, "p2")
        shown = await world.shown(unknown)
        assert (shown["state"], shown["error"]["code"]) == ("failed", "outcome_unknown")


async def test_a_hello_that_got_no_welcome_may_be_said_again(tmp_path: Path) -> None:
    async with prepared(tmp_path) as world:
        await world.process("p1")
        kept, lost = await world.task(), await world.task("once")
        await world.dies("p1")
        first = await world.process("p2", left("p1", kept))
        again = await world.process("p2", left("p1", kept))
        assert first.attempts == again.attempts == (Verdict(kept, 1, keep=True),)
        assert ([attempt.task for attempt in first.lost], again.lost) == ([lost], ())
        [stored] = await world.api.report(done(kept), instance="p2")
        assert stored.recorded


async def test_a_successor_that_died_before_its_welcome_is_succeeded_in_its_turn(tmp_path: Path) -> None:
    async with prepared(tmp_path) as world:
        await world.process("p1")
        task = await world.task()
        await world.dies("p1")
        await world.process("p2", left("p1", task))
        await world.dies("p2")
        admitted = await world.process("p3", left("p1", task), left("p2"))
        assert admitted.attempts == (Verdict(task, 1, keep=True),)
        assert admitted.lost == ()
        [stored] = await world.api.report(done(task), instance="p3")
        assert stored.recorded


async def test_nothing_is_taken_or_lost_of_a_process_with_another_token(tmp_path: Path) -> None:
    async with prepared(tmp_path) as world:
        await world.process("p1", token="one")
        wanted, running = await world.task(), await world.task("once")
        await world.dies("p1")
        admitted = await world.process("p2", left("p1", wanted), token="two")
        assert admitted.attempts == (Verdict(wanted, 1, keep=False),)
        assert admitted.lost == ()
        for task in (wanted, running):
            shown = await world.shown(task)
            assert (shown["state"], shown["instance_id"], shown["attempt"]) == ("working", "p1", 1)
        [stored] = await world.api.report(done(wanted), instance="p2")
        assert not stored.recorded


async def test_what_a_process_left_is_for_the_one_with_the_token_in_place_of_its_own(tmp_path: Path) -> None:
    async with prepared(tmp_path) as world:
        await world.process("p1", token="one")
        kept, lost = await world.task(), await world.task("once")
        await world.dies("p1")
        rotated = await world.api.admin.post(f"/api/v1/tokens/{world.tokens['one']}/rotate", json={"overlap": 0})
        world.tokens["next"] = rotated.json()["id"]
        admitted = await world.process("p2", left("p1", kept), token="next")
        assert admitted.attempts == (Verdict(kept, 1, keep=True),)
        assert [attempt.task for attempt in admitted.lost] == [lost]
        [stored] = await world.api.report(done(kept), instance="p2")
        assert stored.recorded


async def test_another_ones_result_under_ones_own_predecessor_is_refused(tmp_path: Path) -> None:
    async with prepared(tmp_path) as world:
        await world.process("p1", token="one")
        foreign = await world.task()
        await world.dies("p1")
        await world.process("q1", token="two")
        await world.dies("q1")
        admitted = await world.process("q2", left("q1", foreign), token="two")
        assert admitted.attempts == (Verdict(foreign, 1, keep=False),)
        assert (await world.shown(foreign))["instance_id"] == "p1"


async def test_a_process_whose_end_could_not_be_stored_is_succeeded_all_the_same(tmp_path: Path) -> None:
    async with prepared(tmp_path) as world:
        await world.process("p1")
        task = await world.task()
        admitted = await world.process("p2", left("p1", task), left("p2"), left("p3"))
        assert admitted.attempts == (Verdict(task, 1, keep=True),)
        assert admitted.lost == ()
        [stored] = await world.api.report(done(task), instance="p2")
        assert stored.recorded


async def test_a_result_of_an_attempt_that_is_not_the_current_one_is_dropped(tmp_path: Path) -> None:
    async with prepared(tmp_path) as world:
        await world.process("p1")
        task = await world.task()
        await world.dies("p1")
        await world.process("p2", left("p1"))
        await world.dies("p2")
        admitted = await world.process("p3", left("p1", task), left("p2"))
        assert admitted.attempts == (Verdict(task, 1, keep=False),)
        assert admitted.lost == (RunningAttempt(task, 2),)
        assert (await world.shown(task))["attempt"] == 3


async def test_an_accepted_attempt_that_its_own_process_has_forgotten_is_lost_and_said_so(tmp_path: Path) -> None:
    async with prepared(tmp_path) as world:
        await world.process("p1")
        task = await world.task()
        admitted = await world.process("p1")
        assert admitted.lost == (RunningAttempt(task, 1),)
        assert (await world.shown(task))["attempt"] == 2


async def test_a_canceled_attempt_that_is_inherited_ends_as_its_result_says(tmp_path: Path) -> None:
    async with prepared(tmp_path) as world:
        await world.process("p1")
        task, running = await world.task(), await world.task()
        for one in (task, running):
            await world.api.admin.post(f"/api/v1/tasks/{one}/cancel")
        await world.dies("p1")
        admitted = await world.process("p2", left("p1", task))
        assert admitted.lost == (RunningAttempt(running, 1),)
        await world.api.report(done(task), instance="p2")
        assert (await world.shown(task))["state"] == "completed"
        assert (await world.shown(running))["state"] == "canceled"
