"""Leases when a process takes the place of one that has ended."""

from __future__ import annotations

import pytest

from agentic_atlas.errors import Unavailable
from agentic_atlas.protocol.inside.messages import Forget
from agentic_atlas.protocol.messages import Hello, InstanceInfo, Limits, Predecessor, RunningAttempt
from tests.held_backend import Record
from tests.unit.router.network import Agent, Network, network, settle, until


async def ended_with(net: Network, count: int) -> list[Record]:
    """Have a process take so many tasks, and end."""
    old = await net.agent(concurrency=count)
    tasks = [net.backend.submit("agt") for _ in range(count)]
    for task in old.tasks:
        old.accept(task)
    await settle()
    old.connection.closed()
    await settle()
    return tasks


def heir(net: Network, *results: Record, name: str = "inst_2", token: str = "tok") -> Agent:
    left = [RunningAttempt(task.id, task.attempt) for task in results]
    agent = Agent("agt", token, name).connect(net.router)
    return agent.hello(concurrency=4, predecessors=[Predecessor("inst", left)])


async def test_the_lease_of_an_inherited_attempt_moves_to_the_new_connection() -> None:
    async with network() as net:
        [task] = await ended_with(net, 1)
        new = heir(net, task)
        welcome = await new.welcome()
        assert [(verdict.task, verdict.keep) for verdict in welcome.attempts] == [(task.id, True)]
        await net.passes(40, new)
        assert net.backend.losses == []
        new.complete(task.message())
        await until(task.ended.done)


async def test_an_inherited_attempt_takes_no_slot() -> None:
    async with network() as net:
        tasks = await ended_with(net, 4)
        new = heir(net, *tasks)
        await new.welcome()
        for _ in range(5):
            net.backend.submit("agt")
        assert len(new.tasks) == 4


async def test_attempts_that_are_lost_at_once_need_no_lease_any_more() -> None:
    async with network() as net:
        tasks = await ended_with(net, 3)
        new = heir(net)
        await new.welcome()
        assert {(task.task, task.attempt) for task in new.tasks} == {(task.id, 2) for task in tasks}
        await net.passes(40, new)
        assert net.backend.losses == []


async def test_a_connection_that_ends_on_its_way_in_has_the_grace_period_for_what_it_inherited() -> None:
    async with network() as net:
        [task] = await ended_with(net, 1)
        await net.passes(20)
        net.backend.admitting.clear()
        first = heir(net, task)
        await settle()
        first.connection.closed()
        net.backend.admitting.set()
        await settle()
        await net.passes(20)
        assert net.backend.losses == []
        second = heir(net, task)
        await second.welcome()
        second.complete(task.message())
        await until(task.ended.done)
        await net.passes(40, second)
        assert net.backend.losses == []


async def test_what_an_ended_process_left_is_not_lost_while_its_successor_is_being_let_in() -> None:
    async with network() as net:
        [task] = await ended_with(net, 1)
        await net.passes(29)
        net.backend.admitting.clear()
        new = heir(net, task)
        await net.passes(2)
        assert net.backend.losses == []
        net.backend.admitting.set()
        await new.welcome()
        await net.passes(40, new)
        assert net.backend.losses == []


async def test_naming_another_ones_process_does_not_put_off_its_loss() -> None:
    async with network() as net:
        [task] = await ended_with(net, 1)
        net.backend.admitting.clear()
        heir(net, task, name="thief", token="tok_2")
        await net.passes(30.5)
        assert net.backend.losses == [(task.id, 1)]


@pytest.mark.parametrize("restarted", [False, True])
@pytest.mark.parametrize(("token", "put_off"), [("tok", True), ("tok_2", False)])
async def test_one_that_is_turned_away_as_busy_keeps_what_its_own_predecessor_left(
    token: str, put_off: bool, restarted: bool
) -> None:
    async with network() as net:
        [task] = await ended_with(net, 1)
        if restarted:
            net.router.say(Forget(task.id, 1))
            await net.backend.engine.take_up()
        await net.passes(25)
        net.backend.failing = Unavailable("the database is locked", retry_after=1.0)
        new = heir(net, task, token=token)
        await until(lambda: new.closed)
        net.backend.failing = None
        await net.passes(10)
        assert net.backend.losses == ([] if put_off else [(task.id, 1)])


async def test_another_token_moves_and_drops_no_lease() -> None:
    async with network() as net:
        kept, running = await ended_with(net, 2)
        thief = heir(net, kept, name="thief", token="tok_2")
        welcome = await thief.welcome()
        assert [(verdict.task, verdict.keep) for verdict in welcome.attempts] == [(kept.id, False)]
        leases = net.router.leases
        assert {leases.instance(RunningAttempt(task.id, 1)) for task in (kept, running)} == {"inst"}
        await net.passes(40, thief)
        assert sorted(net.backend.losses) == [(kept.id, 1), (running.id, 1)]


@pytest.mark.parametrize("results", [17, 1_000])
async def test_more_results_than_there_can_be_are_refused_for_good(results: int) -> None:
    async with network(limits=Limits(open_tasks=8)) as net:
        agent = Agent("agt", "tok", "inst").connect(net.router)
        left = Predecessor("gone", [RunningAttempt("t", 1)] * results)
        agent.say(Hello(1, InstanceInfo("inst"), [], predecessors=[left]))
        await until(lambda: agent.closed)
        assert agent.closed is not None
        assert (agent.code, agent.closed[1].code) == (4108, "too_many_attempts")
