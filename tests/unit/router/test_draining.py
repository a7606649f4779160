"""Agents that are about to end, and a router that is."""

from __future__ import annotations

import asyncio

from agentic_atlas.protocol.closing import CloseReason
from agentic_atlas.protocol.inside.messages import InstanceRef, Retire
from agentic_atlas.protocol.messages import Beat, Drain, Refuse, RefuseReason, Renewal, ResultAck, Task
from agentic_atlas.router.settings import RouterSettings
from tests.held_backend import Record
from tests.unit.router.network import Agent, Network, network, settle, until


def claimed(net: Network) -> tuple[InstanceRef, Record]:
    """Return the last free slot with a task that was claimed for it, and is not delivered yet."""
    slot = net.backend.credit.reserve("agt")
    assert slot is not None
    record = net.backend.submit("agt")
    net.backend.take(record, slot)
    return slot, record


async def test_a_draining_agent_is_given_nothing_and_keeps_what_it_runs() -> None:
    async with network() as net:
        agent = await net.agent(concurrency=4)
        task = net.backend.submit("agt")
        agent.say(Drain())
        net.backend.submit("agt")
        await net.passes(2, agent)
        assert len(agent.tasks) == 1, "so it has nothing to refuse"
        agent.complete(agent.tasks[0])
        await until(lambda: agent.all(ResultAck))
        assert (await task.ended).task == "task_1"
        assert len(agent.tasks) == 1


async def test_an_agent_that_is_about_to_end_counts_as_offline_for_who_would_not_wait() -> None:
    async with network() as net:
        agent = await net.agent()
        assert net.backend.credit.online("agt") == 1
        agent.say(Drain())
        assert net.backend.credit.online("agt") == 0


async def test_what_a_draining_agent_leaves_goes_to_another_instance() -> None:
    async with network() as net:
        draining = await net.agent("agt", "tok_1", "inst_1", concurrency=4)
        other = await net.agent("agt", "tok_2", "inst_2", concurrency=4)
        draining.say(Drain())
        for _ in range(4):
            net.backend.submit("agt")
        assert (len(draining.tasks), len(other.tasks)) == (0, 4)


async def test_a_beat_after_the_drain_is_answered_after_every_task_that_was_on_its_way() -> None:
    async with network() as net:
        agent = await net.agent()
        net.backend.submit("agt")
        agent.say(Drain())
        agent.say(Beat(7))
        assert [type(message) for message in agent.heard[-2:]] == [Task, Beat]


async def test_a_task_that_is_claimed_while_its_agent_begins_to_drain_is_given_back_for_it() -> None:
    async with network() as net:
        agent = await net.agent(concurrency=2)
        net.backend.submit("agt")
        slot, task = claimed(net)
        agent.say(Drain())
        net.backend.deliver(slot, task)
        other = await net.agent("agt", "tok_2", "inst_2")
        await until(lambda: other.tasks)
        assert [(one.task, one.attempt) for one in other.tasks] == [("task_2", 2)]
        assert [one.task for one in agent.tasks] == ["task_1"]


async def test_a_task_that_is_claimed_for_an_agent_that_drained_and_ended_is_given_back_at_once() -> None:
    async with network() as net:
        agent = await net.agent(concurrency=2)
        net.backend.submit("agt")
        slot, task = claimed(net)
        agent.complete(agent.tasks[0])
        agent.say(Drain())
        agent.connection.closed()
        net.backend.deliver(slot, task)
        other = await net.agent("agt", "tok_2", "inst_2")
        await until(lambda: other.tasks)
        assert [(one.task, one.attempt) for one in other.tasks] == [("task_2", 2)]
        await net.passes(40, other)
        assert net.backend.losses == []


async def test_an_agent_that_was_cut_off_without_a_drain_keeps_what_is_claimed_for_it() -> None:
    async with network() as net:
        agent = await net.agent(concurrency=2)
        net.backend.submit("agt")
        slot, task = claimed(net)
        agent.connection.closed()
        net.backend.deliver(slot, task)
        again = await net.again(agent, agent.tasks[0])
        assert [(one.task, one.attempt) for one in again.tasks] == [("task_2", 1)]


async def test_a_router_that_is_about_to_stop_says_so_and_gives_out_nothing_more() -> None:
    async with network() as net:
        agent = await net.agent(concurrency=2)
        net.backend.submit("agt")
        net.router.announce(retry_after=1.5)
        net.backend.submit("agt")
        assert [message.retry_after for message in agent.all(Drain)] == [1.5]
        assert len(agent.tasks) == 1
        agent.complete(agent.tasks[0])
        await until(lambda: agent.all(ResultAck))
        assert agent.closed is None
        assert len(agent.tasks) == 1


async def test_what_was_reported_is_acknowledged_before_the_close_and_what_comes_later_is_not_taken() -> None:
    async with network() as net:
        agent = await net.agent(concurrency=2)
        net.backend.submit("agt")
        net.backend.submit("agt")
        net.backend.storing.clear()
        agent.complete(agent.tasks[0])
        settling = asyncio.create_task(net.router.settle(5.0))
        await settle()
        agent.complete(agent.tasks[1])
        assert not settling.done()
        net.backend.commit()
        await settling
        net.router.drain()
        assert [ack.task for ack in agent.all(ResultAck)] == ["task_1"]
        assert not net.backend.tasks["task_2"].ended.done()
        assert agent.code == 4000


async def test_reports_that_are_not_stored_hold_a_stop_up_for_a_bounded_time_only() -> None:
    async with network() as net:
        agent = await net.agent()
        net.backend.submit("agt")
        net.backend.storing.clear()
        agent.complete(agent.tasks[0])
        await net.router.settle(0.01)
        assert "reports_not_stored" in net.log.events()
        net.router.drain()
        assert agent.all(ResultAck) == []


async def test_agents_are_asked_to_come_back_one_after_the_other_and_all_of_them_well_within_the_grace_period() -> None:
    async def told_to(count: int, grace: float) -> list[float]:
        async with network(RouterSettings(grace=grace)) as net:
            agents = [await net.agent("agt", f"tok_{n}", f"inst_{n}") for n in range(count)]
            net.router.announce()
            net.router.drain()
            told = [agent.closed[1] for agent in agents if agent.closed is not None]
            assert told == [
                CloseReason(one.code, agent.last(Drain).retry_after) for one, agent in zip(told, agents, strict=True)
            ]
            return sorted(reason.retry_after or 0.0 for reason in told)

    few = await told_to(50, 30.0)
    assert (few[0], few[-1]) == (1.0, 2.96), "25 a second"
    many = await told_to(400, 30.0)
    assert many[-1] <= 1.0 + 30.0 / 6
    assert len({*many}) > 300


async def test_agents_that_a_stop_sends_away_have_not_departed() -> None:
    async with network() as net:
        leaving, staying = await net.agent(), await net.agent("agt", "tok_2", "inst_2")
        net.router.announce()
        leaving.connection.closed()
        net.router.drain()
        await settle()
        assert staying.code == 4000
        assert [one.instance_id for one in net.backend.departures] == ["inst"], "the other is expected back"


async def test_a_refusal_that_crosses_the_drain_gives_the_task_back_as_before() -> None:
    async with network() as net:
        agent = await net.agent()
        net.backend.submit("agt")
        agent.say(Drain())
        agent.say(Refuse("task_1", 1, RefuseReason.DRAINING))
        other = await net.agent("agt", "tok_2", "inst_2")
        await until(lambda: other.tasks)
        assert [(one.task, one.attempt) for one in other.tasks] == [("task_1", 2)]


async def test_an_agent_whose_token_has_expired_finishes_what_it_runs_and_gets_nothing_new() -> None:
    async with network() as net:
        agent = await net.agent(concurrency=4)
        task = net.backend.submit("agt")
        net.wall.now = agent.identity.expires_at
        await net.passes(2, agent)
        net.backend.submit("agt")
        await net.passes(10, agent)
        assert (len(agent.tasks), agent.code) == (1, None)
        agent.complete(agent.tasks[0])
        assert (await task.ended).task == "task_1"
        await net.passes(1, agent)
        assert agent.closed == (4102, CloseReason("token_expired"))
        assert net.backend.losses == []


async def test_its_result_is_acknowledged_before_it_is_closed() -> None:
    async with network() as net:
        agent = await net.agent()
        net.backend.submit("agt")
        net.wall.now = agent.identity.expires_at
        await net.passes(1, agent)
        net.backend.storing.clear()
        agent.complete(agent.tasks[0])
        await net.passes(5, agent)
        assert agent.code is None
        net.backend.storing.set()
        net.backend.commit()
        await net.passes(1, agent)
        assert agent.all(ResultAck)
        assert agent.code == 4102


async def test_who_is_not_done_when_the_time_for_it_is_over_is_closed_all_the_same() -> None:
    settings = RouterSettings(token_drain=20.0)
    async with network(settings) as net:
        agent = await net.agent()
        net.backend.submit("agt")
        net.wall.now = agent.identity.expires_at
        await net.passes(19, agent)
        assert agent.code is None
        await net.passes(2, agent)
        assert agent.code == 4102


async def test_an_agent_whose_token_is_replaced_is_told_and_finishes_what_it_runs_when_that_ends() -> None:
    async with network() as net:
        agent, other = await net.agent(concurrency=4), await net.agent("agt_2", "tok_2", "inst_2")
        ends_at = net.wall.now + 30
        net.router.say(Retire(("tok", "tok_none"), ends_at))
        told = agent.last(Renewal)
        assert (told.token, told.expires_at, told.renewable) == ("", ends_at, False)
        assert told.refused is not None
        assert told.refused.code == "token_rotated"
        await net.passes(29, agent, other)
        task = net.backend.submit("agt")
        assert len(agent.tasks) == 1
        await net.passes(2, agent, other)
        net.backend.submit("agt")
        await net.passes(10, agent, other)
        assert (len(agent.tasks), agent.code) == (1, None)
        agent.complete(agent.tasks[0])
        assert (await task.ended).task == "task_1"
        await net.passes(1, agent, other)
        assert agent.closed == (4103, CloseReason("token_rotated"))
        assert other.code is None
        assert other.all(Renewal) == []
        assert net.backend.losses == []


async def test_whose_token_is_replaced_on_the_way_in_learns_it_with_the_welcome() -> None:
    async with network() as net:
        agent = Agent("agt", "tok", "inst").connect(net.router)
        ends_at = net.wall.now + 30
        net.router.say(Retire(("tok",), ends_at))
        welcome = await agent.hello().welcome()
        assert (welcome.token_expires_at, welcome.token_renewable) == (ends_at, False)
        await net.passes(31, agent)
        assert agent.closed == (4103, CloseReason("token_rotated"))


async def test_what_is_replaced_never_ends_later_than_it_was_to() -> None:
    async with network() as net:
        agent = await net.agent()
        for seconds in (30, 60):
            net.router.say(Retire(("tok",), net.wall.now + seconds))
        assert len({told.expires_at for told in agent.all(Renewal)}) == 1
        await net.passes(31, agent)
        assert agent.code == 4103
