"""Tasks that would not wait for an agent that is away end when it is, and no others."""

from __future__ import annotations

from agentic_atlas.backend.domain.records import Task
from agentic_atlas.backend.rights import Principal
from agentic_atlas.errors import Busy
from agentic_atlas.protocol.inside.messages import Credit
from agentic_atlas.protocol.tasks import Holdup, TaskState
from tests.unit.backend.network import Network, settle, wanted


async def busy(network: Network) -> tuple[Principal, str, Task, Task]:
    """Return an agent whose one slot is taken, with a task that would not wait for it and one that would."""
    ada = await network.user()
    agent = await network.agent(ada)
    network.comes(agent)
    await network.submit(ada)
    impatient = (await network.submit(ada, wanted(queue_ttl=0))).task
    patient = (await network.submit(ada)).task
    return ada, agent.id, impatient, patient


def code(network: Network, task: Task) -> str | None:
    error = network.now(task.id).error
    return None if error is None else error.code


async def test_an_agent_is_away_unless_it_is_connected_or_on_its_way_back() -> None:
    network = Network()
    agent = await network.agent(await network.user())
    absence = network.engine.absence
    assert absence.away(agent.id)
    absence.expect([agent.id])
    assert (absence.away(agent.id), absence.expected(agent.id)) == (False, True)
    ref = network.comes(agent)
    assert (absence.away(agent.id), absence.expected(agent.id)) == (False, False)
    network.leaves(ref)
    assert absence.away(agent.id), "it is expected once only"


async def test_an_instance_that_is_about_to_end_is_neither_there_nor_what_was_expected() -> None:
    network = Network()
    agent = await network.agent(await network.user())
    network.engine.absence.expect([agent.id])
    ref = network.comes(agent)
    network.engine.absence.expect([agent.id])
    network.hears(Credit(ref, 1, 1, Holdup.DRAINING))
    assert network.engine.absence.expected(agent.id)
    network.engine.absence.expect([])
    assert network.engine.absence.away(agent.id)


async def test_who_would_not_wait_for_an_agent_that_stays_away_is_told_and_others_wait_on() -> None:
    network = Network()
    _, agent_id, impatient, patient = await busy(network)
    network.engine.absence.absent(agent_id)
    await settle()
    assert code(network, impatient) == "agent_offline"
    assert network.now(patient.id).state is TaskState.SUBMITTED


async def test_an_attempt_that_runs_is_not_given_up_with_those_that_wait() -> None:
    network = Network()
    ada = await network.user()
    agent = await network.agent(ada)
    network.comes(agent)
    running = (await network.submit(ada, wanted(queue_ttl=0))).task
    network.engine.absence.absent(agent.id)
    await settle()
    assert network.now(running.id).state is TaskState.WORKING


async def test_when_the_grace_period_after_a_start_is_over_only_the_absent_are_given_up() -> None:
    network = Network()
    ada, agent_id, impatient, _ = await busy(network)
    other = await network.agent(ada, "other")
    network.engine.absence.expect([other.id])
    waits = (await network.submit(ada, wanted("other", queue_ttl=0))).task
    network.engine.absence.nobody_came()
    await settle()
    assert code(network, waits) == "agent_offline"
    assert network.now(impatient.id).state is TaskState.SUBMITTED, f"{agent_id} is there"
    assert not network.engine.absence.expected(other.id)


async def test_an_agent_that_left_while_a_task_was_being_stored_is_not_waited_for() -> None:
    network = Network()
    _, agent_id, impatient, patient = await busy(network)
    await network.engine.absence.left_meanwhile(impatient)
    assert network.now(impatient.id).state is TaskState.SUBMITTED, "it is still there"
    (usage,) = network.engine.credit.usage(agent_id)
    agent = await network.store.agents.get(agent_id)
    assert agent is not None
    network.leaves(network.comes(agent, instance=usage.instance_id))
    await network.engine.absence.left_meanwhile(patient)
    await network.engine.absence.left_meanwhile(impatient)
    assert (code(network, impatient), code(network, patient)) == ("agent_offline", None)


async def test_a_task_that_could_not_be_given_up_at_once_is_when_its_agent_has_been_away_for_long_enough() -> None:
    network = Network()
    ada = await network.user()
    agent = await network.agent(ada)
    network.engine.absence.expect([agent.id])
    task = (await network.submit(ada, wanted(queue_ttl=0))).task
    network.engine.absence.expect([])
    network.tasks.failing = Busy("too many writes wait")
    await network.engine.absence.left_meanwhile(task)
    network.tasks.failing = None
    assert network.now(task.id).state is TaskState.SUBMITTED
    network.engine.absence.absent(agent.id)
    await settle()
    assert code(network, task) == "agent_offline"
