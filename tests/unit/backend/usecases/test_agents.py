"""Agents are made, shown as they are, shut out and let in again, and end what waits for them when they go."""

from __future__ import annotations

import pytest

from agentic_atlas.backend.domain.records import Instance, Role, Token
from agentic_atlas.backend.usecases import agents
from agentic_atlas.errors import AtlasError, Conflict, InvalidInput, NotFound, Unavailable
from agentic_atlas.protocol.inside.messages import Credit, Readmit, ShutOut
from agentic_atlas.protocol.tasks import Holdup, TaskState
from tests.unit.backend.network import NOW, Network, settle, skill


async def test_a_new_agent_is_its_makers_and_waits_for_an_instance() -> None:
    network = Network()
    ada = await network.user()
    made = await agents.create(ada, network.application, "hello", "Says hello.")
    assert (made.full_name, made.description, made.status) == ("ada/hello", "Says hello.", "offline")
    with pytest.raises(Conflict) as refused:
        await agents.create(ada, network.application, "hello")
    assert refused.value.code == "agent_exists"
    eve = await network.user("eve")
    assert (await agents.create(eve, network.application, "hello")).full_name == "eve/hello"


@pytest.mark.parametrize(("name", "description"), [("Hello", ""), ("tokens", ""), ("", ""), ("hello", "x" * 1_001)])
async def test_what_no_agent_may_be_called_or_described_as_is_refused(name: str, description: str) -> None:
    network = Network()
    ada = await network.user()
    with pytest.raises(InvalidInput):
        await agents.create(ada, network.application, name, description)
    assert await agents.find(ada, network.application, limit=9, after=None) == []


async def test_everybody_lists_their_own_and_an_administrator_everybodys_page_by_page() -> None:
    network = Network()
    ada, eve, root = [await network.user("ada"), await network.user("eve"), await network.user("root", Role.ADMIN)]
    for owner, name in ((eve, "a"), (ada, "b"), (ada, "a")):
        await network.agent(owner, name)
    names = [one.full_name for one in await agents.find(ada, network.application, limit=9, after=None)]
    assert names == ["ada/a", "ada/b"]
    first = await agents.find(root, network.application, limit=2, after=None)
    rest = await agents.find(root, network.application, limit=2, after=first[-1].full_name)
    assert [one.full_name for one in (*first, *rest)] == ["ada/a", "ada/b", "eve/a"]


async def test_an_agent_is_shown_with_who_is_there_what_they_do_and_what_waits() -> None:
    network = Network()
    ada = await network.user()
    agent = await network.agent(ada)
    await network.store.tokens.add(Token("tok_1", agent.id, "", NOW, NOW + 60))
    await network.store.agents.register(Instance("ins_1", agent.id, "tok_1", 0, NOW), "", [skill(agent.id)])
    ref = network.comes(agent, slots=2)
    network.clock.now = NOW + 5
    for _ in range(3):
        await network.submit(ada)
    shown = await agents.show(ada, network.application, "hello")
    assert (shown.status, shown.instances_online, shown.slots_used, shown.slots) == ("online", 1, 2, 2)
    assert shown.tasks_waiting == 1
    assert [one.name for one in shown.skills] == ["greet"]
    assert [(one.id, one.slots_used) for one in shown.instances] == [("ins_1", 2)]
    assert shown.last_seen_at is not None
    assert shown.last_seen_at.timestamp() == NOW, "when it was heard last"
    network.hears(Credit(ref, 2, 2, Holdup.DRAINING))
    assert (await agents.show(ada, network.application, "hello")).status == "offline", "it is about to end"


async def test_an_agent_that_is_disabled_is_shut_out_and_takes_nothing_until_it_is_enabled_again() -> None:
    network = Network()
    ada = await network.user()
    agent = await network.agent(ada)
    await network.submit(ada)
    changed = await agents.update(ada, network.application, "hello", description=None, disabled=True)
    assert (changed.status, network.router.told) == ("disabled", [ShutOut(agent.id, "agent_disabled")])
    with pytest.raises(Unavailable):
        await network.submit(ada)
    network.router.told.clear()
    changed = await agents.update(ada, network.application, "ada/hello", description="New.", disabled=False)
    assert (changed.status, changed.description) == ("offline", "New.")
    assert network.router.told == [Readmit(agent.id)]
    await network.submit(ada)


async def test_what_is_not_named_stays_and_nobody_is_shut_out_for_a_new_description() -> None:
    network = Network()
    ada = await network.user()
    await network.agent(ada)
    await agents.update(ada, network.application, "hello", description=None, disabled=True)
    network.router.told.clear()
    changed = await agents.update(ada, network.application, "hello", description="New.", disabled=None)
    assert (changed.status, network.router.told) == ("disabled", [])


async def test_with_an_agent_go_its_tokens_and_the_tasks_that_nobody_can_run_any_more() -> None:
    network = Network()
    ada = await network.user()
    agent = await network.agent(ada)
    await network.store.tokens.add(Token("tok_1", agent.id, "", NOW, NOW + 60))
    running = await network.held(ada, agent)
    waits = (await network.submit(ada)).task
    await agents.delete(ada, network.application, "hello")
    for task in (running, waits):
        ended = network.now(task.id)
        assert ended.state is TaskState.FAILED
        assert ended.error is not None
        assert ended.error.code == "agent_deleted"
    assert ShutOut(agent.id, "agent_deleted") in network.router.told
    assert await network.store.tokens.get("tok_1") is None
    for ask in (agents.show(ada, network.application, "hello"), network.submit(ada)):
        with pytest.raises(NotFound):
            await ask


async def test_an_agent_of_the_same_name_later_has_none_of_the_old_ones_tasks() -> None:
    network = Network()
    ada = await network.user()
    await network.agent(ada)
    await network.submit(ada)
    await agents.delete(ada, network.application, "hello")
    new = await network.agent(ada)
    network.comes(new)
    await settle()
    assert network.delivered() == []
    assert (await network.submit(ada)).task.agent_id == new.id


@pytest.mark.parametrize("name", ["eve/hello", "hello", "ada/none"])
async def test_what_is_somebody_elses_does_not_exist(name: str) -> None:
    network = Network()
    await network.agent(await network.user("eve"))
    ada = await network.user()
    for ask in (
        agents.show(ada, network.application, name),
        agents.update(ada, network.application, name, description="mine", disabled=True),
        agents.delete(ada, network.application, name),
    ):
        with pytest.raises(AtlasError) as refused:
            await ask
        assert refused.value.code == "agent_not_found"
    assert network.router.told == []
