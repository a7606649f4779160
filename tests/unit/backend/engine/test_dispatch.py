"""Waiting tasks and free slots find each other; and every change of a task is followed by what it leads to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import pytest
from msgspec.structs import replace

from agentic_atlas.backend.domain import lifecycle
from agentic_atlas.backend.domain.children import call_key
from agentic_atlas.backend.domain.records import AgentRecord, Task, TaskFailure
from agentic_atlas.backend.engine import dispatch
from agentic_atlas.backend.ports import Write
from agentic_atlas.backend.rights import Principal
from agentic_atlas.errors import Busy, InvalidInput, Unavailable
from agentic_atlas.protocol.inside.messages import Credit, Forget, InstanceRef
from agentic_atlas.protocol.messages import Cancel
from agentic_atlas.protocol.tasks import TaskState
from tests.unit.backend.network import NOW, Network, settle, skill, until, wanted

ERROR = TaskFailure("agent_deleted", "gone")
AWAY = Unavailable("the disk is away")


async def one_agent() -> tuple[Network, Principal, AgentRecord]:
    network = Network()
    ada = await network.user()
    return network, ada, await network.agent(ada, skills=("greet", "part"))


async def waiting(network: Network, who: Principal, count: int = 1) -> list[str]:
    return [(await network.submit(who)).task.id for _ in range(count)]


@asynccontextmanager
async def alarms(network: Network) -> AsyncIterator[None]:
    running = asyncio.create_task(network.engine.dispatcher.deadlines.run())
    try:
        yield
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


# Waiting tasks and free slots


async def test_free_slots_are_filled_in_the_order_of_the_queue_and_no_further() -> None:
    network, ada, agent = await one_agent()
    tasks = await waiting(network, ada, 3)
    network.comes(agent, slots=2)
    await settle()
    assert network.delivered() == [(tasks[0], 1), (tasks[1], 1)]
    assert network.now(tasks[2]).state is TaskState.SUBMITTED
    await network.ends(network.now(tasks[0]))
    network.hears(Credit(InstanceRef(agent.id, "ins_1", 1), 2, 3))
    await settle()
    assert network.delivered()[2:] == [(tasks[2], 1)]


async def test_a_new_task_does_not_overtake_those_that_wait() -> None:
    network, ada, agent = await one_agent()
    claims = network.engine.dispatcher.claims
    (first,) = await waiting(network, ada)
    network.engine.credit.granted(Credit(InstanceRef(agent.id, "ins_1", 1), 2, 2))
    assert claims.slot_for(agent.id, "greet") is None
    claims.freed(agent.id)
    await settle()
    assert network.delivered() == [(first, 1)]
    slot = claims.slot_for(agent.id, "greet")
    assert slot is not None, "the backlog is known to be empty again"
    network.engine.credit.release(slot)


async def test_a_task_that_begins_to_wait_while_slots_are_being_filled_is_not_forgotten() -> None:
    network, ada, agent = await one_agent()
    (first,) = await waiting(network, ada)
    network.comes(agent, slots=2)
    (second,) = await waiting(network, ada)
    await settle()
    assert network.delivered() == [(first, 1), (second, 1)]


async def test_what_begins_to_wait_while_it_is_claimed_for_the_agent_is_remembered() -> None:
    network, ada, agent = await one_agent()
    claims = network.engine.dispatcher.claims
    await waiting(network, ada)
    network.engine.credit.granted(Credit(InstanceRef(agent.id, "ins_1", 1), 2, 2))
    with network.storing():
        claims.make(agent.id)
        claims.waits(agent.id)
    assert len(network.delivered()) == 1
    assert agent.id in claims._backlog, "it is looked for again"


async def test_who_waits_for_a_skill_that_no_instance_has_is_not_waited_for() -> None:
    network, ada, agent = await one_agent()
    await waiting(network, ada)
    network.engine.dispatcher.offers.came(agent.id, "ins_1", [skill(agent.id, "part")], 1)
    network.comes(agent, slots=3)
    for number in (1, 2):
        submitted = (await network.submit(ada, wanted(skill="part"))).task
        assert submitted.state is TaskState.WORKING, "claimed as it was stored"
        assert len(network.delivered()) == number
    third, fourth = [(await network.submit(ada, wanted(skill="part"))).task for _ in range(2)]
    assert (third.state, fourth.state) == (TaskState.WORKING, TaskState.SUBMITTED)
    network.hears(Credit(InstanceRef(agent.id, "ins_1", 1), 3, 4))
    assert (await network.submit(ada, wanted(skill="part"))).task.state is TaskState.SUBMITTED, "it does not overtake"
    await settle()
    assert network.delivered()[3:] == [(fourth.id, 1)]


async def test_a_slot_is_filled_only_with_what_its_instance_can_do() -> None:
    network, ada, agent = await one_agent()
    greet = (await network.submit(ada)).task.id
    part = (await network.submit(ada, wanted(skill="part"))).task.id
    offers = network.engine.dispatcher.offers
    offers.came(agent.id, "ins_1", [skill(agent.id, "part")], 1)
    offers.came(agent.id, "ins_2", [skill(agent.id, "greet"), skill(agent.id, "part")], 1)
    network.comes(agent, slots=2)
    await settle()
    assert network.delivered() == [(part, 1)]
    assert network.engine.credit.free(agent.id) == 1, "the slot that was not used is given back"
    network.comes(agent, instance="ins_2")
    await settle()
    assert network.delivered() == [(part, 1), (greet, 1)]


async def test_an_agent_stalls_when_what_waits_could_begin_and_nobody_is_about_to_see_to_that() -> None:
    network, ada, agent = await one_agent()
    claims = network.engine.dispatcher.claims
    assert not claims.stalls(agent.id), "nothing waits"
    await waiting(network, ada)
    assert not claims.stalls(agent.id), "nobody is there"
    network.engine.credit.granted(Credit(InstanceRef(agent.id, "ins_1", 1), 1, 1))
    assert claims.stalls(agent.id)
    with network.storing():
        claims.make(agent.id)
        assert claims.open(agent.id)
        assert not claims.stalls(agent.id), "a claim is on its way"
    assert not claims.open(agent.id)
    assert len(network.delivered()) == 1


async def test_a_claim_that_failed_gives_its_slots_back_and_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    network, ada, agent = await one_agent()
    (task,) = await waiting(network, ada)
    monkeypatch.setattr(dispatch, "AGAIN_AFTER", 0.0)
    claim, failures = network.tasks.claim, [AWAY, AWAY]

    def fails(*args: object) -> Write[object]:
        write: Write[object] = Write()
        write.loop.call_soon(write.settle, failures.pop())
        if not failures:
            monkeypatch.setattr(network.tasks, "claim", claim)
        return write

    monkeypatch.setattr(network.tasks, "claim", fails)
    network.comes(agent)
    await until(network.delivered)
    assert network.delivered() == [(task, 1)]
    assert network.log.lines == [], "whoever asks the server how it is hears of the store"
    assert not network.engine.dispatcher.claims.open(agent.id)


async def test_a_task_for_an_instance_that_drained_and_left_meanwhile_waits_for_another_one() -> None:
    network, ada, agent = await one_agent()
    ref = network.comes(agent)
    with network.storing():
        submitting = asyncio.create_task(network.submit(ada))
        await until(lambda: network.engine.dispatcher.brings(agent.id))
        network.drains(ref)
    task = (await submitting).task.id
    await until(lambda: network.now(task).state is TaskState.SUBMITTED)
    assert network.delivered() == []
    network.comes(agent, instance="ins_2")
    await until(network.delivered)
    assert network.delivered() == [(task, 2)]


async def test_of_a_deleted_agent_nothing_waits() -> None:
    network, ada, agent = await one_agent()
    await waiting(network, ada)
    network.engine.dispatcher.forget(agent.id)
    assert network.engine.dispatcher.claims.slot_for(agent.id, "greet") is None, "nobody is there"
    network.comes(agent)
    await settle()
    assert network.delivered() == []


async def test_tasks_are_known_to_be_on_their_way_until_they_are_stored() -> None:
    network, ada, agent = await one_agent()
    network.comes(agent)
    with network.storing():
        submitting = asyncio.create_task(network.submit(ada))
        await until(lambda: network.engine.dispatcher.brings(agent.id))
        await settle()
        assert network.delivered() == [], "it is not on disk"
    await submitting
    assert not network.engine.dispatcher.brings(agent.id)
    assert len(network.delivered()) == 1


async def test_a_slot_that_a_repeated_submit_did_not_need_goes_to_the_task_that_found_none() -> None:
    network, ada, agent = await one_agent()
    network.comes(agent)
    await network.submit(ada, wanted(idempotency_key="one"))
    census = network.engine.dispatcher.census
    with network.storing():
        found_none = asyncio.create_task(network.submit(ada))
        await until(lambda: len(census) == 2)
        network.hears(Credit(InstanceRef(agent.id, "ins_1", 1), 2, 2))
        repeated = asyncio.create_task(network.submit(ada, wanted(idempotency_key="one")))
        await until(lambda: len(census) == 3)
    assert (await repeated).created is False
    waits = (await found_none).task.id
    await settle()
    assert network.delivered()[1:] == [(waits, 1)]


# What follows a change


async def test_a_cancel_ends_what_waits_and_asks_what_runs_to_stop() -> None:
    network, ada, agent = await one_agent()
    running = await network.held(ada, agent)
    (waits,) = await waiting(network, ada)
    assert await _state(network, waits, "enough") is TaskState.CANCELED
    assert network.router.all(Cancel) == []
    assert await _state(network, running.id, "enough") is TaskState.WORKING
    assert network.router.all(Cancel) == [Cancel(running.id, 1, "enough")]
    assert await _state(network, running.id, "again") is TaskState.WORKING
    assert len(network.router.all(Cancel)) == 1, "it was asked already"


async def _state(network: Network, task_id: str, reason: str) -> TaskState:
    changed = await network.engine.dispatcher.cancel(task_id, reason)
    assert changed.task is not None
    return changed.task.state


async def test_a_task_that_ends_without_its_agent_is_stopped_there_and_needs_no_lease() -> None:
    network, ada, agent = await one_agent()
    task = await network.held(ada, agent)
    decide = partial(lifecycle.force, attempt=None, error=ERROR, now=NOW)
    await network.engine.dispatcher.end(task.id, decide)
    assert network.router.all(Cancel) == [Cancel(task.id, 1, "gone")]
    assert network.router.all(Forget) == [Forget(task.id, 1)]
    await network.engine.dispatcher.end(task.id, decide)
    assert len(network.router.all(Forget)) == 1, "it had ended already"


async def test_an_end_that_is_insisted_on_comes_as_soon_as_the_store_is_back(monkeypatch: pytest.MonkeyPatch) -> None:
    network, ada, agent = await one_agent()
    task = await network.held(ada, agent)
    monkeypatch.setattr(dispatch, "AGAIN_AFTER", 0.0)
    network.tasks.failing = AWAY
    first = network.engine.dispatcher.insist(task.id, partial(lifecycle.force, attempt=None, error=ERROR, now=NOW))
    await first.over()
    assert first.error is AWAY
    await settle()
    assert not network.now(task.id).terminal
    network.tasks.failing = None
    await until(lambda: network.now(task.id).terminal)
    await settle()
    assert network.router.all(Forget) == [Forget(task.id, 1)]


async def _family(network: Network, who: Principal, agent: AgentRecord) -> tuple[Task, Task]:
    """Return a task that runs, and one that it has called."""
    parent = await network.held(who, agent)
    await network.agent(who, "child")
    ask = wanted("child", idempotency_key=call_key(parent.id, 1, "call_1"))
    return parent, (await network.submit(who, ask, parent=parent)).task


@pytest.mark.parametrize("how", ["ends", "is canceled"])
async def test_what_a_task_called_ends_with_it(how: str) -> None:
    network, ada, agent = await one_agent()
    parent, child = await _family(network, ada, agent)
    if how == "ends":
        await network.ends(parent)
    else:
        await network.engine.dispatcher.cancel(parent.id, "enough")
    await settle()
    assert network.now(child.id).state is TaskState.CANCELED


async def test_what_a_task_called_ends_though_the_store_was_away(monkeypatch: pytest.MonkeyPatch) -> None:
    network, ada, agent = await one_agent()
    parent, child = await _family(network, ada, agent)
    monkeypatch.setattr(dispatch, "AGAIN_AFTER", 0.0)
    with network.storing():
        write = network.engine.dispatcher.cancel(parent.id, "enough")
        network.tasks.failing = AWAY
    await write
    await settle()
    assert network.now(child.id).state is TaskState.SUBMITTED
    network.tasks.failing = None
    await until(lambda: network.now(child.id).terminal)


async def test_a_task_that_was_not_stored_leaves_no_place_taken() -> None:
    network, ada, agent = await one_agent()
    network.comes(agent)
    first = await network.submit(ada, wanted(idempotency_key="one"))
    network.hears(Credit(InstanceRef(agent.id, "ins_1", 1), 2, 2))
    again = await network.submit(ada, wanted(idempotency_key="one"))
    assert (again.created, again.task.id) == (False, first.task.id)
    await settle()
    assert len(network.engine.dispatcher.census) == 1
    assert network.engine.credit.free(agent.id) == 1


# After a start


async def test_what_was_open_when_the_process_started_goes_on() -> None:
    before, ada, agent = await one_agent()
    parent, child = await _family(before, ada, agent)
    (waits,) = await waiting(before, ada)
    # The process ends between the end of the parent and that of its child.
    await before.tasks.change(parent.id, partial(lifecycle.force, attempt=None, error=ERROR, now=NOW))
    after = Network(before=before)
    after.engine.dispatcher.resume(await before.tasks.open())
    await until(lambda: after.now(child.id).state is TaskState.CANCELED)
    after.comes(agent)
    await until(after.delivered)
    assert after.delivered() == [(waits, 1)]


# Time


async def test_a_task_ends_when_its_time_is_over_and_its_agent_is_told() -> None:
    network, ada, agent = await one_agent()
    await network.held(ada, agent)
    waits = (await network.submit(ada, wanted(queue_ttl=60))).task
    longer = (await network.submit(ada, wanted(queue_ttl=120))).task
    network.clock.now = NOW + 60
    async with alarms(network):
        await until(lambda: network.now(waits.id).terminal)
    error = network.now(waits.id).error
    assert error is not None
    assert error.code == "agent_offline"
    assert not network.now(longer.id).terminal


async def test_an_alarm_that_is_earlier_than_all_others_is_not_slept_over() -> None:
    network, ada, _ = await one_agent()
    (later,) = await waiting(network, ada)
    async with alarms(network):
        await settle()
        soon = (await network.submit(ada, wanted(queue_ttl=0.001))).task
        network.clock.now = NOW + 1
        await until(lambda: network.now(soon.id).terminal)
    assert not network.now(later).terminal


async def test_a_retry_whose_rest_is_over_begins() -> None:
    network, ada, agent = await one_agent()
    (task,) = await waiting(network, ada)
    await network.engine.dispatcher.change(task, lambda one: lifecycle.Change(replace(one, not_before=NOW + 10)))
    network.comes(agent)
    await settle()
    assert network.delivered() == []
    network.clock.now = NOW + 10
    async with alarms(network):
        await until(network.delivered)


async def test_an_alarm_that_could_not_be_followed_rings_again(monkeypatch: pytest.MonkeyPatch) -> None:
    network, ada, _ = await one_agent()
    waits = (await network.submit(ada, wanted(queue_ttl=60))).task
    monkeypatch.setattr(dispatch, "AGAIN_AFTER", 0.0)
    network.clock.now = NOW + 60
    network.tasks.failing = AWAY
    async with alarms(network):
        await settle()
        assert not network.now(waits.id).terminal
        network.tasks.failing = None
        await until(lambda: network.now(waits.id).terminal)
    assert network.log.lines == []


async def test_time_that_the_clock_was_set_by_is_nobodys_waiting() -> None:
    network, ada, _ = await one_agent()
    waits = (await network.submit(ada, wanted(queue_ttl=60))).task
    network.clock.now += 3_600
    network.engine.forgive(3_600)
    async with alarms(network):
        await settle()
        assert not network.now(waits.id).terminal
        network.clock.now += 60
        network.engine.forgive(0)
        await until(lambda: network.now(waits.id).terminal)


async def test_a_retry_rests_as_long_as_before_when_the_clock_was_set() -> None:
    network, ada, agent = await one_agent()
    (task,) = await waiting(network, ada)
    await network.engine.dispatcher.change(task, lambda one: lifecycle.Change(replace(one, not_before=NOW + 10)))
    network.engine.credit.granted(Credit(InstanceRef(agent.id, "ins_1", 1), 1, 1))
    network.clock.now += 3_600
    network.engine.forgive(3_600)
    assert not network.engine.dispatcher.claims.stalls(agent.id)
    network.clock.now += 10
    assert network.engine.dispatcher.claims.stalls(agent.id)


async def test_a_shift_that_could_not_be_stored_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    network, ada, _ = await one_agent()
    waits = (await network.submit(ada, wanted(queue_ttl=60))).task
    monkeypatch.setattr(dispatch, "AGAIN_AFTER", 0.0)
    shift = network.tasks.shift

    def fails(seconds: float) -> Write[None]:
        monkeypatch.setattr(network.tasks, "shift", shift)
        write: Write[None] = Write()
        write.loop.call_soon(write.settle, AWAY)
        return write

    monkeypatch.setattr(network.tasks, "shift", fails)
    network.engine.forgive(100)
    await until(lambda: network.now(waits.id).queue_expires_at == NOW + 160)


# What nobody awaits


@pytest.mark.parametrize(
    ("error", "again", "logged"),
    [
        (Unavailable("the disk is away"), dispatch.AGAIN_AFTER, []),
        (Busy("too many writes wait"), dispatch.AGAIN_AFTER, []),
        (InvalidInput("never so"), dispatch.AFTER_A_FAULT, ["looked"]),
        (ZeroDivisionError(), dispatch.AFTER_A_FAULT, ["looked"]),
    ],
)
async def test_a_store_that_is_away_is_no_fault_and_all_else_is_told(
    error: Exception, again: float, logged: list[str]
) -> None:
    network, write = Network(), Write[int]()
    write.settle(error)
    assert dispatch.outcome(write, network.log, "looked", task="tsk_1") is None
    assert (dispatch.again_after(write), network.log.at("error")) == (again, logged)


async def test_what_was_carried_out_is_no_fault() -> None:
    network, write = Network(), Write[int]()
    write.settle(7)
    assert (dispatch.outcome(write, network.log, "looked"), network.log.lines) == (7, [])
