from __future__ import annotations

import asyncio

import msgspec
import pytest

from agentic_atlas.protocol.inside.messages import Deliver, Heard, Replied
from agentic_atlas.protocol.messages import (
    BEAT_BYTES,
    Answer,
    Beat,
    Call,
    Cancel,
    Event,
    EventKind,
    Limits,
    Outcome,
    Reaction,
    Reply,
    ReplyKind,
    Resources,
    Result,
    ResultAck,
    RunningAttempt,
    Task,
)
from agentic_atlas.router.flow import Pause
from agentic_atlas.router.settings import RouterSettings
from tests.unit.router.network import Agent, network, settle, until

MEGABYTE = 1024 * 1024
LONG_RESULT = Result("task_1", 1, Outcome.COMPLETED, msgspec.Raw(b'"%s"' % (b"x" * 100_000)))


def call(id: str = "call_1", agent: str = "other", payload: bytes = b"{}") -> Call:
    return Call(id, "task_1", 1, agent, "echo", msgspec.Raw(payload))


@pytest.mark.parametrize(
    ("data", "code", "reason"),
    [
        (b"\xff", 1007, "invalid_text"),
        (b"[]", 4107, "invalid_message"),
        (b'{"type":"hello","protocol":1,"instance":{"id":"i"},"skills":[]}', 4107, "out_of_order"),
        (b'{"type":"task"}', 4107, "invalid_message"),
        (b'{"type":"cancel","task":"t","attempt":1}', 4107, "wrong_sender"),
        (b"[" * 10_000, 4107, "too_deep"),
    ],
)
async def test_a_peer_that_breaks_the_protocol_is_closed_with_the_reason(data: bytes, code: int, reason: str) -> None:
    async with network() as net:
        agent, other = await net.agent(), await net.agent("other", "tok_2", "inst_2")
        agent.connection.received(data)
        assert agent.closed is not None
        assert (agent.code, agent.closed[1].code) == (code, reason)
        agent.connection.received(b'{"type":"beat","n":1}')
        assert agent.all(Beat) == []
        other.beat()
        assert other.all(Beat)


async def test_how_a_process_is_that_a_beat_tells_goes_to_the_backend_with_the_next_tick() -> None:
    async with network() as net:
        agent = await net.agent()
        more = Resources(cores=4.0, machine_cpu=50.0, memory_used=3, memory_total=8)
        agent.say(Beat(1, lag=0.25, cpu=12.5, memory=84_000_000, resources=more))
        await until(lambda: agent.all(Beat))
        assert agent.connection.agent is not None
        ref = agent.connection.agent.instance
        assert net.router.context.heard == [Heard(ref, lag=0.25, cpu=12.5, memory=84_000_000, resources=more)]
        await net.tick(net.router.context.settings.tick)
        assert net.router.context.heard == []


async def test_an_event_over_the_limit_is_a_violation() -> None:
    async with network(limits=Limits(event_bytes=10)) as net:
        agent = await net.agent()
        agent.say(Event("t", 1, 1, EventKind.LOG, msgspec.Raw(b"12345678901")))
        assert agent.code == 4107


async def test_a_flood_of_beats_is_a_violation() -> None:
    async with network() as net:
        agent = await net.agent()
        for _ in range(20):
            agent.beat()
        assert agent.closed is None
        agent.beat()
        assert agent.code == 4107


async def test_a_beat_may_be_as_long_as_one_that_names_all_the_attempts_it_may_and_no_longer() -> None:
    longest = Beat(1, attempts=[RunningAttempt(f"{n:064}", 2**53) for n in range(10_000)])
    async with network() as net:
        agent = await net.agent()
        agent.say(longest)
        await until(lambda: agent.all(Beat))
        agent.connection.resume(Pause.RESTING)
        agent.connection.received(b'{"type":"beat","n":2,"z":"%s"}' % (b"x" * BEAT_BYTES))
        assert agent.closed is not None
        assert (agent.code, agent.closed[1].code) == (4107, "beat_too_big")


async def test_an_agent_that_does_not_read_is_told_and_cut_when_its_buffer_is_full() -> None:
    async with network() as net:
        agent = await net.agent()
        agent.backlog = 9 * MEGABYTE
        agent.beat()
        assert agent.closed is not None
        assert (agent.code, agent.closed[1].code) == (4005, "send_buffer_full")


async def test_the_buffer_has_room_for_the_longest_messages_however_long_they_may_be() -> None:
    async with network(RouterSettings(send_buffer=1000), Limits(message_bytes=MEGABYTE)) as net:
        agent = await net.agent()
        agent.backlog = 2 * MEGABYTE
        agent.beat()
        assert agent.closed is None


async def test_an_agent_that_reads_nothing_for_too_long_is_cut_however_little_waits() -> None:
    async with network() as net:
        agent = await net.agent()
        agent.backlog = 10
        await net.passes(15, agent)
        agent.backlog = 9
        await net.passes(15, agent)
        assert agent.closed is None
        await net.passes(10, agent)
        assert agent.code == 4005


async def test_nothing_is_read_from_an_agent_that_reads_nothing_and_it_gets_no_work() -> None:
    async with network() as net:
        agent = await net.agent(concurrency=5)
        agent.backlog = 5 * MEGABYTE
        agent.beat()
        assert not agent.reading
        net.backend.submit("agt")
        assert agent.tasks == []
        agent.backlog = 0
        agent.connection.writable()
        assert agent.reading
        assert len(agent.tasks) == 1


async def test_large_tasks_wait_for_room_and_their_cancel_waits_with_them() -> None:
    async with network() as net:
        agent = await net.agent(concurrency=5)
        slots = [net.backend.credit.reserve("agt") for _ in range(3)]
        tasks = [net.backend.submit("nobody", payload=b'"%s"' % (b"x" * 2 * MEGABYTE)) for _ in range(3)]
        agent.backlog = 3 * MEGABYTE
        for slot, task in zip(slots, tasks, strict=True):
            assert slot is not None
            net.router.say(Deliver(slot, task.message()))
        net.router.say(Cancel("task_2", 0, "stop"))
        assert agent.tasks == []
        agent.backlog = 0
        agent.connection.writable()
        assert [task.task for task in agent.tasks] == ["task_1", "task_2", "task_3"]
        kinds = [type(message) for message in agent.heard[1:]]
        assert kinds == [Task, Task, Task, Cancel]
        assert agent.closed is None


async def test_large_answers_wait_for_room_instead_of_ending_the_connection() -> None:
    async with network() as net:
        agent = await net.agent()
        task = net.backend.submit("agt")
        agent.backlog = 3 * MEGABYTE
        large = msgspec.Raw(b'"%s"' % (b"x" * 2 * MEGABYTE))
        for number in (1, 2, 3):
            net.backend.answer(task, Reaction(number, large))
        net.router.say(Cancel("task_1", 1, "stop"))
        assert agent.all(Answer) == []
        agent.backlog = 0
        agent.connection.writable()
        assert [type(message) for message in agent.heard[2:]] == [Answer, Answer, Answer, Cancel]
        assert agent.closed is None


async def test_an_agent_for_which_tasks_wait_is_listened_to_for_it_may_have_to_speak_before_it_reads() -> None:
    async with network() as net:
        agent = await net.agent(concurrency=5)
        slot = net.backend.credit.reserve("agt")
        task = net.backend.submit("nobody", payload=b'"%s"' % (b"x" * 2 * MEGABYTE))
        agent.backlog = 3 * MEGABYTE
        assert slot is not None
        net.router.say(Deliver(slot, task.message()))
        assert agent.tasks == []
        assert agent.reading
        assert net.backend.credit.reserve("agt") is None


async def test_a_call_is_answered_with_the_result_of_the_agent_that_was_called() -> None:
    async with network() as net:
        agent, other = await net.agent(), await net.agent("other", "tok_2", "inst_2")
        net.backend.submit("agt")
        agent.say(call(payload=b'{"n":1}'))
        await until(lambda: other.tasks)
        assert bytes(other.tasks[0].input) == b'{"n":1}'
        other.complete(other.tasks[0], b"[1, 2]")
        await until(lambda: agent.all(Reply))
        reply = agent.last(Reply)
        assert (reply.id, bytes(reply.data), reply.state) == ("call_1", b"[1, 2]", "completed")


async def test_a_call_too_many_and_one_too_large_are_answered_and_nothing_else_happens() -> None:
    async with network(limits=Limits(open_calls=2, payload_bytes=100)) as net:
        agent = await net.agent()
        for n in range(3):
            agent.say(call(f"call_{n}"))
        agent.say(call("call_1", payload=b'"%s"' % (b"x" * 100)))
        faults = {reply.id: reply.error and reply.error.code for reply in agent.all(Reply)}
        assert faults == {"call_2": "too_many_calls", "call_1": "payload_too_large"}
        assert agent.closed is None


async def test_a_call_is_answered_once_and_on_the_connection_on_which_it_was_made() -> None:
    async with network() as net:
        agent = await net.agent()
        agent.say(call())
        (asked,) = net.backend.calls
        final = Reply("call_1", ReplyKind.RESULT, "task_9")
        net.router.say(Replied(asked.instance, Reply("call_1", ReplyKind.EVENT, "task_9", 1)))
        net.router.say(Replied(asked.instance, Reply("call_2", ReplyKind.EVENT, "task_9", 1)))
        net.router.say(Replied(asked.instance, final))
        net.router.say(Replied(asked.instance, final))
        assert [(reply.id, reply.kind) for reply in agent.all(Reply)] == [
            ("call_1", ReplyKind.EVENT),
            ("call_1", ReplyKind.RESULT),
        ]
        again = await net.again(agent)
        again.say(call())
        net.router.say(Replied(asked.instance, final))
        assert again.all(Reply) == []


async def test_the_backend_is_told_when_an_agent_does_not_read_and_when_it_reads_again() -> None:
    async with network() as net:
        agent = await net.agent()
        for backlog in (5, 5, 0, 0, 5):
            agent.backlog = backlog * MEGABYTE
            if backlog:
                agent.beat()
            else:
                agent.connection.writable()
        assert net.backend.congestion == [True, False, True]


async def test_a_transport_that_does_not_pause_is_closed_in_the_end() -> None:
    async with network(RouterSettings(), Limits(unacknowledged=1, message_bytes=1000)) as net:
        agent = await net.agent()
        net.backend.storing.clear()
        for n in range(1, 30):
            agent.say(Event("task_1", 1, n, EventKind.LOG, msgspec.Raw(b'{"text":"%s"}' % (b"x" * 500))))
            if agent.closed:
                break
        assert agent.code == 4001


async def test_an_agent_that_was_closed_hears_nothing_more() -> None:
    async with network() as net:
        agent: Agent = await net.agent(concurrency=2)
        slot = net.backend.credit.reserve("agt")
        agent.connection.close(4000, "test")
        heard = list(agent.heard)
        agent.connection.send(Beat(1))
        agent.connection.writable()
        assert slot is not None
        net.router.say(Deliver(slot, net.backend.submit("agt").message()))
        assert agent.heard == heard


async def test_a_message_that_took_long_has_its_connection_rest_and_another_one_does_not() -> None:
    async with network() as net:
        heavy, light = await net.agent("agt", "tok_1", "inst_1"), await net.agent("agt", "tok_2", "inst_2")
        net.clock.step = 0.01
        heavy.beat()
        net.clock.step = 0.0
        light.beat()
        assert (heavy.reading, light.reading) == (False, True)
        async with asyncio.timeout(5):
            while not heavy.reading:  # noqa: ASYNC110 - the loop's own time passes
                await asyncio.sleep(0.01)
        assert heavy.last(Beat) is not None


async def test_a_long_message_is_looked_at_in_one_turn_and_read_in_another_and_what_follows_waits_for_it() -> None:
    async with network(RouterSettings(longest_rest=0.0)) as net:
        agent = await net.agent()
        net.clock.step = 0.01
        agent.say(LONG_RESULT)
        agent.beat()
        assert (agent.reading, agent.all(ResultAck), agent.all(Beat)) == (False, [], [])
        net.clock.step = 0.0
        await until(lambda: agent.all(ResultAck) and agent.all(Beat))
        assert agent.reading


async def test_a_long_message_that_takes_little_is_taken_at_once() -> None:
    async with network() as net:
        agent = await net.agent()
        agent.say(LONG_RESULT)
        assert agent.reading
        await until(lambda: agent.all(ResultAck))


async def test_a_long_message_is_refused_at_the_first_look_at_it() -> None:
    async with network() as net:
        agent = await net.agent()
        net.clock.step = 0.01
        agent.connection.received(b"[" * 100_000)
        assert agent.closed is not None
        assert (agent.code, agent.closed[1].code) == (4107, "too_deep")


async def test_of_a_connection_that_ended_between_the_two_steps_nothing_is_taken() -> None:
    async with network(RouterSettings(longest_rest=0.0)) as net:
        agent = await net.agent()
        net.clock.step = 0.01
        agent.say(LONG_RESULT)
        net.clock.step = 0.0
        agent.connection.closed(left=True)
        await settle()
        assert agent.connection.agent is not None
        assert agent.connection.agent.idle
        assert agent.all(ResultAck) == []


async def test_an_idle_agent_is_looked_at_when_its_time_is_over_and_not_before() -> None:
    async with network() as net:
        agent = await net.agent()
        await net.passes(6.0, agent)  # over is by then what it had for its `hello`
        agent.looked_at = 0
        await net.passes(17.0)
        assert agent.looked_at == 0
        await net.passes(4.0)
        assert agent.code == 4002


async def test_an_agent_to_which_something_waits_to_be_sent_is_looked_at_often() -> None:
    async with network() as net:
        agent = await net.agent()
        agent.backlog = 10
        agent.beat()
        agent.looked_at = 0
        await net.passes(2.0)
        assert agent.looked_at >= 4
        agent.backlog = 0
        await net.passes(1.0)
        agent.looked_at = 0
        await net.passes(5.0)
        assert agent.looked_at == 0


async def test_what_is_found_to_wait_after_it_was_sent_is_looked_at_often_too_and_held_to_the_same_limit() -> None:
    async with network() as net:
        agent = await net.agent()
        agent.beat()
        agent.backlog = 10
        agent.connection.writable()
        agent.looked_at = 0
        await net.passes(2.0)
        assert agent.looked_at >= 4
        agent.backlog = 9 * MEGABYTE
        agent.connection.writable()
        assert agent.code == 4005


async def test_an_agent_that_was_not_listened_to_is_not_silent() -> None:
    async with network(limits=Limits(unacknowledged=1)) as net:
        agent = await net.agent()
        task = net.backend.submit("agt")
        net.backend.storing.clear()
        agent.accept(agent.tasks[0])
        assert not agent.reading
        await net.passes(19.0)
        assert agent.connection.patience.quiet(net.clock.now) == 0.0
        net.backend.storing.set()
        net.backend.commit()
        await settle()
        assert agent.reading
        await net.passes(19.0)
        assert agent.closed is None
        assert task.attempt == 1
        await net.passes(2.0)
        assert agent.code == 4002
