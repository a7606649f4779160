"""The trace of a task has all that belongs together and is seen, each below the one that called it."""

from __future__ import annotations

import pytest

from agentic_atlas.backend.domain.records import AccessLevel, Instance, Share, Token
from agentic_atlas.backend.usecases import traces
from agentic_atlas.errors import NotFound
from tests.unit.backend.network import NOW, Network, skill, wanted


async def test_a_task_is_shown_with_its_attempts_and_to_nobody_else() -> None:
    network = Network()
    ada, eve = await network.user(), await network.user("eve")
    agent = await network.agent(ada)
    task = await network.ends(await network.held(ada, agent))
    shown = await traces.show(ada, network.application, task.id)
    assert (shown.trace_id, shown.more) == (task.trace_id, False)
    (one,) = shown.tasks
    assert (one.task.id, one.task.state, one.depth) == (task.id, "completed", 0)
    (attempt,) = one.attempts
    assert (attempt.number, attempt.instance_id, attempt.end, attempt.error) == (1, "ins_1", "completed", None)
    with pytest.raises(NotFound):
        await traces.show(eve, network.application, task.id)


async def test_questions_are_among_the_steps_of_a_task() -> None:
    network = Network()
    ada = await network.user()
    agent = await network.agent(ada)
    task = await network.asking(ada, agent)
    (one,) = (await traces.show(ada, network.application, task.id)).tasks
    assert [(step.kind, step.attempt) for step in one.steps] == [("question", 1)]
    assert one.attempts[0].ended_at is None


async def test_tasks_of_another_trace_are_not_shown() -> None:
    network = Network()
    ada = await network.user()
    await network.agent(ada)
    first, _ = [(await network.submit(ada, wanted())).task for _ in range(2)]
    shown = await traces.show(ada, network.application, first.id)
    assert [one.task.id for one in shown.tasks] == [first.id]
    assert shown.tasks[0].attempts == []


async def test_where_instances_run_is_told_who_manages_the_agent_alone() -> None:
    network = Network()
    ada, eve = await network.user(), await network.user("eve")
    agent = await network.agent(ada)
    await network.store.shares.put(agent.id, [Share("everyone", AccessLevel.CALL)], NOW)
    await network.store.tokens.add(Token("tok_1", agent.id, "", NOW, NOW + 60))
    instance = Instance("ins_1", agent.id, "tok_1", 1, NOW, host="secret-host")
    await network.store.agents.register(instance, "", [skill(agent.id)])
    task = await network.held(eve, agent, wanted("ada/hello"))
    for who, host in ((ada, "secret-host"), (eve, "")):
        (one,) = (await traces.show(who, network.application, task.id)).tasks
        assert [(attempt.instance_id, attempt.host) for attempt in one.attempts] == [("ins_1", host)]
