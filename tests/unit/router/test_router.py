from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec
import pytest

from agentic_atlas.errors import Unavailable
from agentic_atlas.protocol.inside.messages import Abandon, Adopt, Deliver, Forget, ShutOut
from agentic_atlas.protocol.messages import (
    Accept,
    Answer,
    Beat,
    Cancel,
    Event,
    EventAck,
    EventKind,
    Limits,
    Reaction,
    Refuse,
    RefuseReason,
    Result,
    ResultAck,
    Task,
    Welcome,
)
from agentic_atlas.protocol.tasks import Loss, TaskState
from agentic_atlas.router.agent import BEATS_MISSED
from agentic_atlas.router.settings import RouterSettings
from tests.unit.router.network import SETTINGS, Agent, attempt, network, settle, until


def event(task: Task, n: int, data: bytes = b"{}") -> Event:
    return Event(task.task, task.attempt, n, EventKind.LOG, msgspec.Raw(data))


async def test_a_task_goes_to_the_agent_and_its_result_is_acknowledged_after_it_is_stored() -> None:
    async with network() as net:
        agent = await net.agent()
        task = net.backend.submit("agt", payload=b'{"text": "hi"}')
        assert bytes(agent.tasks[0].input) == b'{"text": "hi"}'
        agent.accept(agent.tasks[0])
        net.backend.storing.clear()
        agent.complete(agent.tasks[0])
        await settle()
        assert agent.all(ResultAck) == []
        net.backend.commit()
        await until(lambda: agent.all(ResultAck))
        assert agent.last(ResultAck).recorded
        assert (await task.ended).output == msgspec.Raw(b'"done"')


async def test_a_slot_that_becomes_free_is_filled_before_the_result_is_acknowledged() -> None:
    async with network() as net:
        agent = await net.agent()
        net.backend.submit("agt")
        net.backend.submit("agt")
        assert len(agent.tasks) == 1
        net.backend.storing.clear()
        agent.complete(agent.tasks[0])
        assert [task.task for task in agent.tasks] == ["task_1", "task_2"]


async def test_tasks_are_spread_over_instances_by_load_and_in_turns() -> None:
    async with network() as net:
        agents = [await net.agent("agt", f"tok_{n}", f"inst_{n}", concurrency=4) for n in range(3)]
        for _ in range(9):
            net.backend.submit("agt")
        assert [len(agent.tasks) for agent in agents] == [3, 3, 3]


async def test_events_are_acknowledged_together_when_they_were_stored_together() -> None:
    async with network() as net:
        agent = await net.agent()
        task = net.backend.submit("agt")
        net.backend.storing.clear()
        for n in (1, 2, 3):
            agent.say(event(agent.tasks[0], n))
        agent.complete(agent.tasks[0])
        net.backend.commit()
        await until(lambda: agent.all(ResultAck))
        assert agent.heard[-2:] == [EventAck("task_1", 1, 3), ResultAck("task_1", 1)]
        assert [one.n for one in task.events] == [1, 2, 3]


async def test_an_event_of_an_attempt_that_does_not_count_any_more_is_acknowledged_all_the_same() -> None:
    async with network() as net:
        agent = await net.agent()
        agent.say(Event("task_9", 4, 7, EventKind.LOG, msgspec.Raw(b"{}")))
        await until(lambda: agent.all(EventAck))
        assert agent.last(EventAck) == EventAck("task_9", 4, 7)


async def test_an_event_out_of_turn_ends_the_connection_and_is_not_acknowledged() -> None:
    async with network() as net:
        agent = await net.agent()
        task = net.backend.submit("agt")
        agent.say(event(agent.tasks[0], 1))
        await until(lambda: agent.all(EventAck))
        agent.say(event(agent.tasks[0], 3))
        await until(lambda: agent.closed)
        assert (agent.code, agent.closed and agent.closed[1].code) == (4107, "event_out_of_turn")
        assert [one.n for one in task.events] == [ack.n for ack in agent.all(EventAck)] == [1]


@pytest.mark.parametrize("data", [b"1", b'"text"', b"[]", b"null", b"true", b'[{"a":1}]'])
async def test_an_event_whose_data_is_no_object_is_a_violation(data: bytes) -> None:
    async with network() as net:
        agent = await net.agent()
        task = net.backend.submit("agt")
        agent.say(event(agent.tasks[0], 1, data))
        assert (agent.code, agent.closed and agent.closed[1].code) == (4107, "invalid_event")
        assert task.events == []


async def test_a_second_result_is_acknowledged_as_not_recorded_and_frees_no_second_slot() -> None:
    async with network() as net:
        agent = await net.agent()
        net.backend.submit("agt")
        net.backend.submit("agt")
        first = agent.tasks[0]
        agent.complete(first)
        agent.complete(first, b'"changed my mind"')
        net.backend.submit("agt")
        await until(lambda: len(agent.all(ResultAck)) == 2)
        assert [ack.recorded for ack in agent.all(ResultAck)] == [True, False]
        assert len(agent.tasks) == 2


async def test_a_result_of_another_agents_task_is_of_no_account_and_leaves_its_lease() -> None:
    async with network() as net:
        victim, rogue = await net.agent(), await net.agent("rogue", "tok_r", "inst_r")
        task = net.backend.submit("agt")
        rogue.complete(victim.tasks[0], b'"mine"')
        await until(lambda: rogue.all(ResultAck))
        assert not rogue.last(ResultAck).recorded
        assert task.state is TaskState.WORKING
        victim.connection.closed()
        await net.passes(31, rogue)
        assert net.backend.losses == [("task_1", 1)]


async def test_when_reports_can_not_be_stored_the_agent_is_sent_away_to_come_back() -> None:
    async with network() as net:
        agent = await net.agent()
        net.backend.submit("agt")
        net.backend.failing = Unavailable("the disk is full", code="disk_full", retry_after=7.0)
        agent.complete(agent.tasks[0])
        await until(lambda: agent.closed)
        assert agent.closed is not None
        assert (agent.code, agent.closed[1].code, agent.closed[1].retry_after) == (4004, "disk_full", 7.0)
        assert agent.all(ResultAck) == []
        net.backend.failing = None
        again = await net.again(agent, results=(agent.tasks[0],))
        again.complete(agent.tasks[0])
        await until(lambda: again.all(ResultAck))
        assert again.last(ResultAck).recorded


async def test_reports_that_are_never_stored_end_the_connection_in_bounded_time() -> None:
    async with network() as net:
        agent = await net.agent()
        net.backend.submit("agt")
        net.backend.storing.clear()
        agent.complete(agent.tasks[0])
        await net.passes(31, agent)
        assert agent.code == 4004


async def test_a_reader_of_its_socket_is_slowed_down_when_too_much_waits_to_be_stored() -> None:
    async with network(limits=Limits(unacknowledged=4)) as net:
        agent = await net.agent()
        task = net.backend.submit("agt")
        net.backend.storing.clear()
        for n in range(1, 11):
            agent.say(event(agent.tasks[0], n))
        assert not agent.reading
        assert len(task.events) == 4
        net.backend.commit()
        await until(lambda: len(task.events) == 8)
        net.backend.storing.set()
        net.backend.commit()
        await until(lambda: agent.reading)
        assert [one.n for one in task.events] == list(range(1, 11))
        await until(lambda: agent.all(EventAck) and agent.last(EventAck).n == 10)


async def test_an_agent_that_is_cut_off_for_less_than_the_grace_period_keeps_its_task() -> None:
    async with network() as net:
        agent = await net.agent()
        task = net.backend.submit("agt")
        agent.accept(agent.tasks[0])
        agent.connection.closed()
        await net.passes(29)
        again = await net.again(agent, agent.tasks[0])
        assert again.last(Welcome).attempts[0].keep
        assert again.tasks == []
        await net.passes(60, again)
        assert net.backend.losses == []
        again.complete(agent.tasks[0])
        await until(task.ended.done)
        assert task.attempt == 1


async def test_what_an_agent_runs_since_before_the_cut_takes_its_slot() -> None:
    async with network() as net:
        agent = await net.agent()
        net.backend.submit("agt")
        agent.connection.closed()
        again = await net.again(agent, agent.tasks[0])
        net.backend.submit("agt")
        assert again.tasks == []
        again.complete(agent.tasks[0])
        assert [task.task for task in again.tasks] == ["task_2"]


async def test_a_result_that_waits_to_be_sent_takes_no_slot_and_keeps_its_lease() -> None:
    async with network() as net:
        agent = await net.agent()
        first = net.backend.submit("agt")
        agent.connection.closed()
        again = await net.again(agent, results=(agent.tasks[0],))
        net.backend.submit("agt")
        assert [task.task for task in again.tasks] == ["task_2"]
        await net.passes(60, again)
        assert net.backend.losses == []
        again.complete(agent.tasks[0])
        await until(first.ended.done)


async def test_an_agent_that_stays_away_loses_its_task_to_another_instance() -> None:
    async with network() as net:
        agent = await net.agent()
        task = net.backend.submit("agt")
        agent.connection.closed()
        other = await net.agent("agt", "tok_2", "inst_2")
        await net.passes(29.5, other)
        assert other.tasks == []
        await net.passes(1, other)
        assert [one.attempt for one in other.tasks] == [2]
        late = await net.again(agent, agent.tasks[0])
        assert not late.last(Welcome).attempts[0].keep
        late.complete(agent.tasks[0], b'"too late"')
        await until(lambda: late.all(ResultAck))
        assert not late.last(ResultAck).recorded
        other.complete(other.tasks[0])
        assert (await task.ended).output == msgspec.Raw(b'"done"')


async def test_a_task_that_was_lost_on_the_way_is_delivered_again_as_the_same_attempt() -> None:
    async with network() as net:
        agent = await net.agent()
        net.backend.submit("agt")
        agent.connection.closed()
        again = await net.again(agent)
        assert again.tasks == agent.tasks
        assert net.backend.losses == []


async def test_a_loss_that_can_not_be_stored_is_reported_again() -> None:
    async with network() as net:
        agent = await net.agent()
        net.backend.submit("agt")
        agent.connection.closed()
        net.backend.failing = Unavailable("the disk is full")
        await net.passes(31)
        net.backend.failing = None
        await net.passes(6)
        assert net.backend.losses == [("task_1", 1)]


async def test_a_connection_that_stops_beating_is_closed_and_its_lease_runs_from_then() -> None:
    async with network() as net:
        agent = await net.agent()
        net.backend.submit("agt")
        await net.passes(20)
        assert agent.closed is None
        await net.passes(net.router.context.settings.tick)
        assert agent.code == 4002
        await net.passes(29)
        assert net.backend.losses == []
        await net.passes(2)
        assert net.backend.losses == [("task_1", 1)]


async def test_a_result_that_was_made_while_its_agent_was_away_waits_here_only_since_it_is_back() -> None:
    async with network() as net:
        agent = await net.agent()
        agent.say(Beat(1, oldest=3600.0))
        await net.passes(1)
        assert net.backend.credit.beats.oldest_results() == [("inst", pytest.approx(1.0, abs=0.1))]
        agent.say(Beat(2, oldest=3601.0))
        await net.passes(9)
        assert net.backend.credit.beats.oldest_results() == [("inst", pytest.approx(10.0, abs=0.1))]
        agent.say(Beat(3, oldest=2.0))
        assert net.backend.credit.beats.oldest_results() == [("inst", 2.0)]


async def test_time_in_which_the_router_stood_still_is_not_the_agents_silence() -> None:
    async with network() as net:
        agent, away = await net.agent(), await net.agent("agt", "tok_2", "inst_2")
        net.backend.submit("agt")
        net.backend.submit("agt")
        away.connection.closed()
        await net.tick(300.0)
        assert agent.closed is None
        assert net.backend.losses == []


async def test_an_attempt_that_was_accepted_is_not_given_back_so_its_slot_stays_taken() -> None:
    async with network() as net:
        agent = await net.agent()
        net.backend.submit("agt")
        await settle()
        agent.say(Accept("task_1", 1))
        agent.say(Refuse("task_1", 1, RefuseReason.GUARD))
        assert agent.closed is not None
        assert (agent.closed[0], agent.closed[1].code) == (4107, "out_of_order")
        assert net.backend.tasks["task_1"].state == "working"


async def test_an_attempt_that_has_reported_was_accepted_too_and_is_not_given_back() -> None:
    async with network() as net:
        agent = await net.agent()
        net.backend.submit("agt")
        await settle()
        agent.say(Event("task_1", 1, 1, EventKind.LOG, msgspec.Raw(b"{}")))
        agent.say(Refuse("task_1", 1, RefuseReason.BUSY))
        assert agent.closed is not None
        assert (agent.closed[0], agent.closed[1].code) == (4107, "out_of_order")


async def test_who_is_away_has_its_whole_grace_period_however_often_the_router_stood_still() -> None:
    async with network() as net:
        away = await net.agent()
        net.backend.submit("agt")
        away.connection.closed()
        for _ in range(4):
            await net.tick(1.75)  # 1.5 s of it stood still, from the middle of a tick on.
        await net.passes(29)
        assert net.backend.losses == []
        await net.passes(4)
        assert net.backend.losses == [("task_1", 1)]


async def test_the_attempts_of_an_earlier_process_have_the_whole_grace_period() -> None:
    async with network() as net:
        net.router.say(Adopt("task_1", 1, "inst"))
        net.router.say(Adopt("task_2", 3, "inst_2"))
        await net.passes(29)
        assert net.backend.losses == []
        await net.passes(2)
        assert sorted(net.backend.losses) == [("task_1", 1), ("task_2", 3)]


async def test_an_instance_that_returns_while_its_loss_is_being_stored_is_told_of_it() -> None:
    async with network() as net:
        agent = await net.agent()
        net.backend.submit("agt")
        agent.connection.closed()
        net.backend.losing.clear()
        await net.passes(31)
        again = Agent("agt", "tok", "inst").connect(net.router).hello(running=[attempt(agent.tasks[0])])
        await settle()
        assert again.all(Welcome) == []
        net.backend.losing.set()
        assert not (await again.welcome()).attempts[0].keep


async def test_an_instance_that_the_backend_cannot_let_in_keeps_what_it_holds_for_as_long_as_it_tries() -> None:
    async with network() as net:
        agent = await net.agent()
        net.backend.submit("agt")
        agent.connection.closed()
        net.backend.failing = Unavailable("the store does not answer")
        for _ in range(6):
            await net.passes(20)
            Agent("agt", "tok", "inst").connect(net.router).hello(running=[attempt(agent.tasks[0])])
            await settle()
        net.backend.failing = None
        await net.passes(29)
        assert net.backend.losses == []
        await net.passes(2)
        assert net.backend.losses == [("task_1", 1)]


async def test_an_attempt_whose_loss_is_being_stored_is_not_forgotten_meanwhile() -> None:
    async with network() as net:
        net.backend.losing.clear()
        net.router.say(Adopt("task_1", 1, "inst"))
        await net.passes(31)
        assert net.backend.holds("task_1", 1)
        net.backend.losing.set()
        await settle()
        assert not net.backend.holds("task_1", 1)


async def test_a_lease_does_not_run_out_while_its_instance_is_being_let_in() -> None:
    async with network(RouterSettings(admit_within=5.0)) as net:
        agent = await net.agent()
        net.backend.submit("agt")
        agent.connection.closed()
        await net.passes(29.5)
        net.backend.admitting.clear()
        again = Agent("agt", "tok", "inst").connect(net.router).hello(running=[attempt(agent.tasks[0])])
        await net.passes(1)
        assert net.backend.losses == []
        net.backend.admitting.set()
        assert (await again.welcome()).attempts[0].keep


async def test_a_cancel_reaches_the_agent_and_one_that_is_away_is_told_when_it_comes_back() -> None:
    async with network() as net:
        agent = await net.agent()
        task = net.backend.submit("agt")
        net.backend.cancel(task, "no longer needed")
        assert agent.all(Cancel) == [Cancel("task_1", 1, "no longer needed")]
        agent.connection.closed()
        again = await net.again(agent, agent.tasks[0])
        assert again.all(Cancel) == [Cancel("task_1", 1, "no longer needed")]


async def test_an_answer_reaches_the_agent_and_one_that_is_away_is_told_all_of_them_when_it_comes_back() -> None:
    async with network() as net:
        agent = await net.agent()
        task = net.backend.submit("agt")
        first, second = Reaction(1, msgspec.Raw(b'"yes"')), Reaction(2, expired=True)
        net.backend.answer(task, first)
        assert agent.all(Answer) == [Answer("task_1", 1, first)]
        agent.connection.closed()
        net.backend.answer(task, second)
        again = await net.again(agent, agent.tasks[0])
        assert again.all(Answer) == [Answer("task_1", 1, first), Answer("task_1", 1, second)]


async def test_an_answer_of_an_attempt_that_nobody_holds_is_said_to_nobody() -> None:
    async with network() as net:
        agent = await net.agent()
        net.backend.submit("agt")
        net.router.say(Answer("task_1", 2, Reaction(1)))
        net.router.say(Answer("task_9", 1, Reaction(1)))
        assert agent.all(Answer) == []


async def test_what_is_decided_while_an_instance_is_being_let_in_reaches_it() -> None:
    async with network() as net:
        agent = await net.agent(concurrency=2)
        first = net.backend.submit("agt")
        slot = net.backend.credit.reserve("agt")
        assert slot is not None
        agent.connection.closed()
        claimed = asyncio.Event()
        admit = net.backend.admit

        async def slowly(arrival):  # type: ignore[no-untyped-def]
            admission = await admit(arrival)
            await claimed.wait()
            return admission

        net.backend.admit = slowly  # type: ignore[method-assign]
        again = Agent("agt", "tok", "inst").connect(net.router).hello(running=[attempt(agent.tasks[0])])
        await settle()
        # The store was read already: neither of these is in the admission.
        net.router.say(Deliver(slot, msgspec.structs.replace(agent.tasks[0], task="task_2")))
        net.backend.answer(first, Reaction(1))
        net.backend.cancel(first, "stop")
        claimed.set()
        await again.welcome()
        await until(lambda: again.all(Cancel))
        assert [task.task for task in again.tasks] == ["task_2"]
        assert again.all(Cancel) == [Cancel("task_1", 1, "stop")]
        assert again.all(Answer) == [Answer("task_1", 1, Reaction(1))]


async def test_an_attempt_that_is_forgotten_is_not_reported_lost() -> None:
    async with network() as net:
        agent = await net.agent()
        net.backend.submit("agt")
        agent.connection.closed()
        net.router.say(Forget("task_1", 1))
        await net.passes(40)
        assert net.backend.losses == []


async def test_an_agent_whose_loop_lags_gets_no_new_work_until_it_does_not() -> None:
    async with network() as net:
        agent = await net.agent()
        agent.beat(lag=2.5)
        net.backend.submit("agt")
        assert agent.tasks == []
        agent.beat(lag=0.1)
        assert len(agent.tasks) == 1
        assert agent.last(Beat).n == 1


async def test_an_agent_that_pauses_gets_no_new_work_from_its_hello_on_until_it_goes_on() -> None:
    async with network() as net:
        net.backend.submit("agt")
        agent = await net.agent(pause="quiet_hours")
        await settle()
        assert agent.tasks == []
        agent.say(Beat(1, pause="memory"))
        assert agent.tasks == []
        agent.say(Beat(2))
        assert len(agent.tasks) == 1


@pytest.mark.parametrize("reason", [RefuseReason.BUSY, RefuseReason.DRAINING])
async def test_a_task_that_is_refused_goes_elsewhere(reason: RefuseReason) -> None:
    async with network() as net:
        agent = await net.agent()
        net.backend.submit("agt")
        agent.say(Refuse("task_1", 1, reason))
        await settle()
        assert len(agent.tasks) == 1
        other = await net.agent("agt", "tok_2", "inst_2")
        assert [(one.task, one.attempt) for one in other.tasks] == [("task_1", 2)]


async def test_a_busy_agent_gets_work_again_after_a_pause_and_a_draining_one_none() -> None:
    async with network() as net:
        busy = await net.agent("busy", "tok_1", "inst_1")
        draining = await net.agent("draining", "tok_2", "inst_2")
        for agent, reason in ((busy, RefuseReason.BUSY), (draining, RefuseReason.DRAINING)):
            task = net.backend.submit(agent.identity.agent_id)
            agent.say(Refuse(task.id, 1, reason))
        await net.passes(2)
        assert (len(busy.tasks), len(draining.tasks)) == (2, 1)


async def test_revoking_a_token_closes_its_connections_and_no_other() -> None:
    async with network() as net:
        agent, other = await net.agent(), await net.agent("agt", "tok_2", "inst_2")
        silent = Agent("agt", "tok", "inst").connect(net.router)
        net.backend.revoke("tok")
        assert (agent.code, silent.code, other.code) == (4103, 4103, None)
        refused = Agent("agt", "tok", "inst").connect(net.router).hello()
        await until(lambda: refused.closed)
        assert refused.code == 4103


async def test_disabling_an_agent_closes_all_of_its_connections() -> None:
    async with network() as net:
        agents = [await net.agent("agt", f"tok_{n}", f"inst_{n}") for n in range(2)]
        other = await net.agent("other", "tok_9", "inst_9")
        assert net.backend.credit.online("agt") == 2
        net.router.say(ShutOut("agt", "agent_disabled"))
        assert [agent.code for agent in (*agents, other)] == [4104, 4104, None]
        assert net.backend.credit.online("agt") == 0


async def test_a_token_that_expires_closes_its_connection() -> None:
    async with network() as net:
        agent = await net.agent()
        net.wall.now = agent.identity.expires_at
        await net.tick(0.5)
        assert agent.code == 4102


async def test_a_router_that_stops_sends_everyone_away_to_come_back() -> None:
    async with network() as net:
        agent = await net.agent()
        net.router.drain(retry_after=3.0)
        newcomer = Agent("agt", "tok", "inst").connect(net.router)
        for one in (agent, newcomer):
            assert one.closed is not None
            assert (one.code, one.closed[1].retry_after) == (4000, 3.0)
        assert net.backend.credit.reserve("agt") is None


async def test_the_backend_is_told_of_every_departure_with_its_generation() -> None:
    async with network() as net:
        agent = await net.agent()
        again = await net.again(agent)
        assert agent.closed is not None
        assert (agent.code, agent.closed[1].code) == (1001, "superseded")
        await settle()
        assert [one.generation for one in net.backend.departures] == [1]
        assert net.backend.online == {"inst": 2}
        again.connection.closed()
        await settle()
        assert net.backend.online == {}


async def test_an_output_that_is_too_large_ends_its_task_with_an_error() -> None:
    async with network(limits=Limits(payload_bytes=100)) as net:
        agent = await net.agent()
        task = net.backend.submit("agt")
        agent.complete(agent.tasks[0], b'"%s"' % (b"x" * 200))
        result: Result = await task.ended
        assert result.error is not None
        assert result.error.code == "payload_too_large"
        assert agent.closed is None


async def test_nothing_is_left_of_connections_that_ended() -> None:
    async with network() as net:
        for _ in range(5):
            agent = await net.agent()
            task = net.backend.submit("agt")
            agent.complete(agent.tasks[-1])
            await task.ended
            agent.connection.closed()
        await settle()
        router = net.router
        assert (router._connections, len(router.leases), router.hub.everyone()) == ({}, 0, [])
        assert vars(router.hub) == {name: {} for name in vars(router.hub)}


async def test_an_agent_is_absent_when_its_last_instance_has_been_away_for_one_grace_period() -> None:
    async with network() as net:
        first = await net.agent("agt", "tok_1", "inst_1")
        second = await net.agent("agt", "tok_2", "inst_2")
        first.connection.closed()
        await net.passes(SETTINGS.grace, second)
        assert net.backend.absences == []
        second.connection.closed()
        await net.passes(SETTINGS.grace - 1.0)
        assert net.backend.absences == []
        back = await net.agent("agt", "tok_1", "inst_1")
        await net.passes(2.0, back)
        assert net.backend.absences == []
        back.connection.closed()
        await net.passes(SETTINGS.grace)
        assert net.backend.absences == ["agt"]
        await net.passes(SETTINGS.grace)
        assert net.backend.absences == ["agt"]


async def test_what_an_agent_does_not_name_is_told_and_can_be_counted_no_more() -> None:
    async with network() as net:
        agent = await net.agent(concurrency=2)
        net.backend.submit("agt")
        net.backend.submit("agt")
        mine, lost = agent.tasks
        for _ in range(BEATS_MISSED):
            agent.say(Beat(1))
        assert net.backend.credit.beats.unheard() == [], "it does not say what it has"
        for _ in range(BEATS_MISSED):
            agent.say(Beat(1, attempts=[attempt(mine)]))
        assert net.backend.credit.beats.unheard() == [attempt(lost)]
        waiting = net.backend.submit("agt")
        assert waiting.attempt == 0
        net.backend.credit.beats.abandon(attempt(lost))
        net.router.say(Abandon(lost.task, 1))
        assert not net.backend.holds(lost.task, 1)
        assert agent.last(Cancel).task == lost.task
        assert waiting.attempt == 1
        assert net.backend.credit.beats.unheard() == []


async def test_an_attempt_says_how_long_it_waits_for_an_instance_that_is_away() -> None:
    async with network() as net:
        agent = await net.agent("agt", "tok_1", "inst_1")
        net.backend.submit("agt")
        assert net.backend.credit.awaits("agt", "inst_1") is None
        agent.connection.closed()
        grace = net.router.context.settings.grace
        assert net.backend.credit.awaits("agt", "inst_1") == grace
        await net.passes(1.0)
        assert round(net.backend.credit.awaits("agt", "inst_1") or 0.0) == round(grace) - 1


async def test_an_agent_is_heard_when_any_of_its_instances_says_something() -> None:
    async with network() as net:
        one, two = await net.agent("agt", "tok_1", "inst_1"), await net.agent("agt", "tok_2", "inst_2")
        tick = net.router.context.settings.tick
        await net.passes(6.0, two)
        assert net.backend.credit.beats.silent() == {"agt": 0.0}
        assert [round(used.silent) for used in net.backend.credit.usage("agt")] == [6, 0]
        one.beat()
        await net.passes(tick)
        assert net.backend.credit.beats.silent() == {"agt": 0.0}, "told with the tick"
        assert [used.silent for used in net.backend.credit.usage("agt")] == [0.0, tick]


@pytest.mark.parametrize(
    ("ends", "why"),
    [
        (lambda agent: agent.connection.closed(), Loss.CUT),
        (lambda agent: agent.connection.closed(left=True), Loss.LEFT),
        (lambda agent: None, Loss.SILENT),
    ],
)
async def test_a_loss_is_told_with_what_is_known_of_it(ends: Callable[[Agent], None], why: Loss) -> None:
    async with network() as net:
        agent = await net.agent()
        net.backend.submit("agt")
        ends(agent)
        await net.passes(2 * SETTINGS.grace)
        assert net.backend.causes == [why]
        net.log.lines.clear()


async def test_what_nobody_claims_after_a_start_was_held_by_who_did_not_come_back() -> None:
    async with network() as net:
        net.router.say(Adopt("task_1", 1, "inst"))
        await net.passes(SETTINGS.grace + 1.0)
        assert net.backend.causes == [Loss.ABSENT]


async def test_slots_that_are_reserved_are_told_by_instance() -> None:
    async with network() as net:
        await net.agent("agt", "tok_1", "inst_1", concurrency=3)
        await net.agent("agt", "tok_2", "inst_2")
        assert net.backend.credit.reservations() == []
        slots = [net.backend.credit.reserve("agt", {"inst_1"}) for _ in range(2)]
        assert net.backend.credit.reserve("agt", {"inst_9"}) is None
        assert slots[0] is not None
        assert net.backend.credit.reservations() == [(slots[0], 2)]
