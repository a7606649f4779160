"""What processes take is told to who manages their agents, by points that are as long as the time is."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from agentic_atlas.backend.domain.resources import SpanFigures
from agentic_atlas.backend.usecases import resources
from agentic_atlas.errors import InvalidInput, NotFound
from tests.unit.backend.network import NOW, Network


@pytest.mark.parametrize(
    ("hours", "step"), [(1, 60), (6, 60), (7, 300), (24, 300), (48, 900), (7 * 24, 3_600), (30 * 24, 7_200)]
)
async def test_the_longer_the_time_the_longer_is_a_point(hours: int, step: int) -> None:
    network = Network()
    ada = await network.user()
    await network.agent(ada)
    read = await resources.history(ada, network.application, "hello", since=NOW - hours * 3_600)
    assert (read.step, read.instances) == (step, [])
    assert (read.until - read.since).total_seconds() == hours * 3_600


async def test_a_history_is_of_each_instance_the_last_that_was_there_first() -> None:
    network = Network()
    ada, eve = await network.user(), await network.user("eve")
    agent = await network.agent(ada)
    start = int(NOW) // 60 * 60 - 600
    series = network.engine.store.resources
    await series.add(
        start, {(agent.id, "old"): SpanFigures(cpu=1.0), (agent.id, "new"): SpanFigures(cpu=2.0, gpu=50.0)}
    )
    await series.add(start + 60, {(agent.id, "new"): SpanFigures(cpu=3.0)})
    read = await resources.history(ada, network.application, "hello")
    assert [(one.id, [point.cpu for point in one.points]) for one in read.instances] == [
        ("new", [2.0, 3.0]),
        ("old", [1.0]),
    ]
    assert read.instances[0].points[0].at == datetime.fromtimestamp(start, UTC)
    assert [point.gpu for point in read.instances[0].points] == [50.0, None]
    with pytest.raises(NotFound):
        await resources.history(eve, network.application, agent.full_name)
    for since, until in ((NOW, NOW - 1), (NOW - 31 * 86_400, NOW)):
        with pytest.raises(InvalidInput):
            await resources.history(ada, network.application, "hello", since=since, until=until)
