"""Cuts of what runs: told in the events of the tasks that they concern, and of no other."""

from __future__ import annotations

import msgspec

from agentic_atlas.backend.domain.lifecycle import ConnectionData
from agentic_atlas.backend.domain.records import Task, TaskEventKind
from agentic_atlas.backend.engine.cuts import MOST_CUTS
from agentic_atlas.errors import Unavailable
from agentic_atlas.protocol.inside.messages import Departed, InstanceRef
from agentic_atlas.protocol.tasks import Loss
from tests.unit.backend.network import GRACE, NOW, Network, settle


async def told(network: Network, task: Task) -> list[ConnectionData]:
    found = await network.store.tasks.events(task.id)
    return [msgspec.json.decode(one.data, type=ConnectionData) for one in found if one.kind is TaskEventKind.CONNECTION]


async def running(network: Network) -> tuple[Task, InstanceRef]:
    ada = await network.user()
    agent = await network.agent(ada)
    return await network.held(ada, agent), InstanceRef(agent.id, "ins_1", 1)


async def test_a_cut_is_told_with_how_long_it_took() -> None:
    network = Network()
    task, ref = await running(network)
    network.hears(Departed(ref, 8.0, GRACE))
    await settle()
    network.clock.now += 2.1
    network.engine.cuts.resumed(ref, [task])
    await settle()
    assert await told(network, task) == [
        ConnectionData("lost", "ins_1", why=Loss.CUT),
        ConnectionData("resumed", "ins_1", 2.1),
    ]
    assert network.now(task.id).attempt == 1


async def test_of_an_instance_that_fell_silent_the_cut_began_when_it_was_heard_last() -> None:
    network = Network()
    task, ref = await running(network)
    network.hears(Departed(ref, 31.0, GRACE, why=Loss.SILENT))
    await settle()
    assert await told(network, task) == [ConnectionData("lost", "ins_1", 31.0, Loss.SILENT)]


async def test_nothing_is_told_of_another_instances_task_nor_of_one_that_the_router_itself_sent_away() -> None:
    network = Network()
    task, ref = await running(network)
    network.hears(Departed(InstanceRef(ref.agent_id, "ins_2", 1), 0.0, GRACE))
    network.hears(Departed(ref, 0.0, GRACE, expected=True))
    await settle()
    assert await told(network, task) == []


async def test_who_comes_back_before_the_cut_was_noticed_says_so() -> None:
    network = Network()
    task, ref = await running(network)
    network.engine.cuts.resumed(ref, [task])
    await settle()
    assert await told(network, task) == [ConnectionData("resumed", "ins_1")]


async def test_after_a_start_of_the_server_whoever_ran_something_is_waited_for() -> None:
    before = Network()
    task, _ = await running(before)
    after = Network(before=before)
    await after.engine.take_up()
    await settle()
    after.clock.now += 3
    after.engine.cuts.resumed(InstanceRef(task.agent_id, "ins_1", 2), [task])
    await settle()
    assert await told(after, task) == [
        ConnectionData("lost", "ins_1", why=Loss.ABSENT),
        ConnectionData("resumed", "ins_1", 3.0),
    ]


async def test_of_one_that_comes_and_goes_all_the_time_no_more_is_told() -> None:
    network = Network()
    task, ref = await running(network)
    for number in range(1, MOST_CUTS + 10):
        network.hears(Departed(InstanceRef(ref.agent_id, "ins_1", number), 0.0, GRACE))
        network.engine.cuts.resumed(ref, [task])
        await settle()
    assert len(await told(network, task)) == 2 * MOST_CUTS
    network.clock.now = NOW + 3_601
    network.hears(Departed(InstanceRef(ref.agent_id, "ins_1", 999), 0.0, GRACE))
    await settle()
    assert len(await told(network, task)) == 2 * MOST_CUTS + 1


async def test_what_cannot_be_stored_is_not_told_and_harms_nothing() -> None:
    network = Network()
    task, ref = await running(network)
    network.tasks.failing = Unavailable("the disk is full")
    network.hears(Departed(ref, 0.0, GRACE))
    await settle()
    network.tasks.failing = None
    assert await told(network, task) == []
    assert network.log.lines == []
