"""Changes are gathered while somebody watches, told as the last of each, kept for a while, and never without bound."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack

import pytest

from agentic_atlas.backend.engine import changes as module
from agentic_atlas.backend.engine.changes import STREAMS_PER_USER, Changes, Told
from agentic_atlas.backend.rights import Principal
from agentic_atlas.errors import Busy
from agentic_atlas.protocol.tasks import TaskState
from tests.unit.backend.network import Network, settle, wanted


async def scene() -> tuple[Network, Principal, Changes]:
    """Return a network in which ada has an agent; what changes is told as soon as it can be."""
    network = Network()
    ada = await network.user()
    await network.agent(ada)
    network.engine.changes._every = 0.0
    return network, ada, network.engine.changes


def found(told: Told | None) -> Told:
    assert told is not None
    return told


async def test_while_nobody_watches_changes_are_counted_and_nothing_is_gathered() -> None:
    network, ada, changes = await scene()
    before = changes.seq
    await network.submit(ada, wanted())
    assert changes.seq > before
    assert (network.engine.feed.hear, len(changes._tasks), len(changes._log)) == (None, 0, 0)
    assert changes.after(before) is None, "nobody knows what it was"
    assert changes.after(changes.seq) == Told(changes.seq)


async def test_of_a_task_the_last_state_is_told_and_what_was_missed_is_told_as_one() -> None:
    network, ada, changes = await scene()
    agent = await network.engine.access.agent(ada.user, "hello")
    with changes.place(ada.user.id):
        before = changes.seq
        task = await network.held(ada, agent)
        await settle()
        at_work = found(changes.after(before))
        assert {one.id: one.state for one in at_work.tasks.values()} == {task.id: TaskState.WORKING}
        assert agent.id in at_work.agents, "an instance of it came"
        await network.ends(task)
        await settle()
        assert found(changes.after(at_work.seq)).tasks[task.id].state is TaskState.COMPLETED
        both = found(changes.after(before))
        assert both.tasks[task.id].state is TaskState.COMPLETED
        assert both.seq == changes.seq
    assert (network.engine.feed.hear, len(changes._log)) == (None, 0)


async def test_whoever_watches_is_rung_for_and_an_agent_is_told_of_again_once_its_slots_are_counted() -> None:
    network, ada, changes = await scene()
    agent = await network.engine.access.agent(ada.user, "hello")
    with changes.place(ada.user.id), changes.watch(ada) as bell:
        task = await network.held(ada, agent)
        assert await bell.changed(10.0)
        await settle()
        ended = changes.seq
        await network.ends(task)
        while agent.id not in found(changes.after(ended)).agents:
            assert await bell.changed(10.0)


async def test_too_much_to_be_told_is_told_as_everything_and_too_long_ago_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_TOLD", 2)
    monkeypatch.setattr(module, "MOST_KEPT", 4)
    network, ada, changes = await scene()
    with changes.place(ada.user.id):
        before = changes.seq
        for _ in range(3):
            await network.submit(ada, wanted())
        await settle()
        many = found(changes.after(before))
        assert (many.everything, many.tasks) == (True, {})
        for agent_id in ("agt_1", "agt_2", "agt_3"):
            changes.agent(agent_id)
            await settle()
        assert changes.after(before) is None
        assert set(found(changes.after(changes.seq - 1)).agents) == {"agt_3"}
        assert changes.after(changes.seq + 1) is None, "of another process"


async def test_an_agent_that_is_told_of_is_read_anew_and_one_that_is_not_is_kept() -> None:
    network, ada, changes = await scene()
    agent = await network.engine.access.agent(ada.user, "hello")
    with changes.place(ada.user.id):
        assert await changes.record(agent.id) == agent
        await network.store.agents.update(agent.id, description="other")
        assert await changes.record(agent.id) == agent
        changes.agent(agent.id)
        assert found_description(await changes.record(agent.id)) == "other"
        assert await changes.record("agt_none") is None


def found_description(record: object) -> str:
    return str(getattr(record, "description", None))


async def test_a_user_has_so_many_streams_and_others_have_theirs() -> None:
    network, ada, changes = await scene()
    with ExitStack() as held:
        for _ in range(STREAMS_PER_USER):
            held.enter_context(changes.place(ada.user.id))
        with pytest.raises(Busy) as refused, changes.place(ada.user.id):
            pass
        assert refused.value.code == "too_many_watchers"
        with changes.place("usr_other"):
            pass
        assert network.engine.feed.hear is not None
    assert network.engine.feed.hear is None


async def test_after_a_few_changes_the_next_are_told_sooner_than_after_many() -> None:
    _, ada, changes = await scene()
    changes._every = 10.0
    for many, pause in ((1, 5.0), (9, 10.0)):
        with changes.place(ada.user.id):
            changes._next = 0.0
            for number in range(many):
                changes.tokens(f"agt_{number}")
            await settle()
            assert changes._next - asyncio.get_running_loop().time() == pytest.approx(pause, abs=1.0)
