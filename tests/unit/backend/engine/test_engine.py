"""The engine put together: what it takes up at a start, what it does by itself, and that settings reach its parts."""

from __future__ import annotations

import asyncio

import pytest

from agentic_atlas.backend.domain.records import Instance, Token
from agentic_atlas.backend.engine.census import OpenLimits
from agentic_atlas.backend.engine.engine import EngineSettings
from agentic_atlas.errors import Busy, PayloadTooLarge
from agentic_atlas.protocol.inside.messages import Adopt
from agentic_atlas.protocol.messages import Limits
from agentic_atlas.protocol.tasks import TaskState
from tests.unit.backend.network import NOW, Network, skill, until, wanted


async def left_behind() -> tuple[Network, str, str]:
    """Return a network whose process ended while an instance held a task, with another one that waits."""
    network = Network()
    ada = await network.user()
    agent = await network.agent(ada)
    await network.store.tokens.add(Token("tok_1", agent.id, "", NOW, NOW + 60))
    await network.store.agents.register(Instance("ins_1", agent.id, "tok_1", 0, NOW), "", [skill(agent.id)])
    held = await network.held(ada, agent)
    waits = (await network.submit(ada, wanted(queue_ttl=0))).task
    return network, held.id, waits.id


async def test_a_start_takes_up_what_the_last_process_left() -> None:
    before, held, waits = await left_behind()
    engine = (after := Network(before=before)).engine
    await engine.take_up()
    agent_id = after.now(held).agent_id
    (instance,) = await after.store.agents.instances(agent_id)
    assert instance.disconnected_at == NOW, "nobody is connected"
    assert engine.absence.expected(agent_id)
    assert after.router.all(Adopt) == [Adopt(held, 1, "ins_1", "tok_1")]
    assert engine.dispatcher.census.states()[TaskState.WORKING] == 1
    assert after.now(waits).state is TaskState.SUBMITTED, "its agent is on its way back"


async def test_an_attempt_of_an_instance_that_is_not_known_any_more_is_kept_all_the_same() -> None:
    before, held, _ = await left_behind()
    await before.store.agents.delete(before.now(held).agent_id)
    await (after := Network(before=before)).engine.take_up()
    assert after.router.all(Adopt) == [Adopt(held, 1, "ins_1", "")]


async def test_who_does_not_come_back_within_the_grace_period_is_not_waited_for() -> None:
    before, held, waits = await left_behind()
    after = Network(before=before)
    await after.engine.take_up()
    running = asyncio.create_task(after.engine.run(grace=0.0))
    await until(lambda: after.now(waits).terminal)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    error = after.now(waits).error
    assert error is not None
    assert error.code == "agent_offline"
    assert after.now(held).state is TaskState.WORKING, "that is for the router to say"


async def test_a_running_engine_ends_what_is_over() -> None:
    network = Network()
    ada = await network.user()
    await network.agent(ada)
    task = (await network.submit(ada, wanted(queue_ttl=60))).task
    running = asyncio.create_task(network.engine.run(grace=60.0))
    network.clock.now = NOW + 60
    await until(lambda: network.now(task.id).terminal)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_settings_reach_the_parts_that_they_are_of() -> None:
    settings = EngineSettings(
        messages=Limits(payload_bytes=20),
        open=OpenLimits(queue_per_agent=1),
        watchers_per_task=1,
        watchers_per_key=2,
        login_lifetime=7.0,
        requests_per_second=1,
    )
    network = Network(settings)
    engine, ada = network.engine, await network.user()
    await network.agent(ada)
    with pytest.raises(PayloadTooLarge):
        await network.submit(ada, wanted(text=b'{"text":"%s"}' % (b"x" * 20)))
    await network.submit(ada, wanted(text=b"{}"))
    with pytest.raises(Busy) as refused:
        await network.submit(ada, wanted(text=b"{}"))
    assert refused.value.code == "agent_queue_full"
    with engine.watchers.place("tsk_1", "key_1"), pytest.raises(Busy), engine.watchers.place("tsk_1", "key_2"):
        pass
    assert engine.logins.key_lifetime == 7.0
    assert engine.pace is not None
    assert (engine.pace("usr_1", 1), engine.pace("usr_1", 2)) == (0.0, 1.0)
