"""What became of tasks is told of what one sees, as it is counted, and of what is to be done now."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from agentic_atlas.backend.usecases import statistics, tasks
from agentic_atlas.errors import Forbidden, InvalidInput, NotFound
from tests.unit.backend.network import NOW, Network, wanted


async def test_what_is_seen_is_counted_by_time_skill_and_who_asked_whom() -> None:
    network = Network()
    ada, eve = await network.user(), await network.user("eve")
    agent = await network.agent(ada)
    await network.ends(await network.held(ada, agent))
    network.clock.now = NOW + 1
    await network.submit(ada, wanted())
    network.clock.now = NOW + 2
    read = await statistics.read(ada, network.application)
    assert (read.total.completed, read.total.failed, read.total.success_rate) == (1, 0, 1.0)
    assert (read.step, read.until) == (60, datetime.fromtimestamp(NOW + 2, UTC))
    assert sum(span.ended for span in read.spans) == 1
    assert [(one.agent, one.skill, one.completed) for one in read.skills] == [(agent.full_name, "greet", 1)]
    assert [(one.caller_kind, one.caller, one.agent, one.tasks) for one in read.callers] == [
        ("user", "ada", agent.full_name, 1)
    ]
    assert read.waiting + read.running == 1
    none = await statistics.read(eve, network.application)
    assert (none.total.ended, none.skills, none.callers, none.waiting, none.running) == (0, [], [], 0, 0)
    with pytest.raises(NotFound):
        await statistics.read(eve, network.application, agent=agent.full_name)
    assert (await statistics.read(ada, network.application, agent=agent.full_name)).total == read.total


async def test_failures_are_told_by_code_and_a_cancel_is_no_failure() -> None:
    network = Network()
    ada = await network.user()
    await network.agent(ada)
    made = await network.submit(ada, wanted())
    await network.engine.dispatcher.cancel(made.task.id, "enough")
    network.clock.now = NOW + 2
    read = await statistics.read(ada, network.application)
    assert (read.total.canceled, read.total.success_rate, read.failures, read.total.p50) == (1, None, [], None)


async def test_times_are_in_their_order_and_at_most_a_month_apart() -> None:
    network = Network()
    ada = await network.user()
    for since, until in ((NOW + 5, None), (NOW, NOW), (NOW - 32 * 86_400, NOW)):
        with pytest.raises(InvalidInput):
            await statistics.read(ada, network.application, since=since, until=until)


async def test_the_longer_ago_it_begins_the_longer_are_the_spans() -> None:
    network = Network()
    ada = await network.user()
    day = 86_400
    for span, step, spans in ((3_600, 60, 61), (7 * day, 3_600, 169), (30 * day, day, 31)):
        read = await statistics.read(ada, network.application, since=NOW - span)
        assert (read.step, len(read.spans), read.since.timestamp() % step) == (step, spans, 0)


async def test_a_key_that_sees_its_own_tasks_only_is_told_no_counts() -> None:
    network = Network()
    ada = await network.user()
    with pytest.raises(Forbidden):
        await statistics.read(replace(ada, scopes=("tasks:read:own",)), network.application)
    with pytest.raises(Forbidden):
        await statistics.rates(replace(ada, scopes=("tasks:read:own",)), network.application, ["ada/hello"], since=NOW)


async def test_a_rate_is_of_what_nobody_canceled_and_of_agents_that_are_asked_for() -> None:
    network = Network()
    ada, eve = await network.user(), await network.user("eve")
    agent = await network.agent(ada)
    await network.ends(await network.held(ada, agent))
    await tasks.cancel(ada, network.application, (await network.submit(ada)).task.id, "")
    network.clock.now = NOW + 1
    assert await statistics.rates(ada, network.application, [agent.full_name], since=NOW) == {agent.full_name: 1.0}
    assert await statistics.rates(ada, network.application, ["ada/other"], since=NOW) == {}
    assert await statistics.rates(eve, network.application, [agent.full_name], since=NOW) == {}
