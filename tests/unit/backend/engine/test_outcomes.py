"""How tasks end and how long they took, counted by skill a little later."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from agentic_atlas.backend.engine import outcomes
from agentic_atlas.backend.engine.outcomes import Outcomes
from agentic_atlas.observe import series
from agentic_atlas.observe.histogram import MOST_SKILLS, OTHER, Histogram
from agentic_atlas.observe.series import Series
from agentic_atlas.protocol.messages import Accept, Fault, Outcome, Raw, Refuse, RefuseReason, Result
from tests.unit.backend.network import Network, settle, wanted

SKILL = ("ada/hello", "greet")


@asynccontextmanager
async def counting() -> AsyncIterator[tuple[Network, Outcomes]]:
    network, never = Network(), asyncio.Event()
    counted = Outcomes(network.engine.feed, sleep=lambda _: never.wait())
    async with asyncio.TaskGroup() as group:
        running = group.create_task(counted.run())
        await asyncio.sleep(0)
        yield network, counted
        running.cancel()


def told(counted: Outcomes) -> dict[tuple[Series, tuple[str, ...]], float | Histogram]:
    return {(one.series, one.labels): one.value for one in counted.samples()}


def times(counted: Outcomes, of: tuple[str, ...] = SKILL) -> list[tuple[int, float]]:
    """Return how many were counted, and their seconds: queue, run and whole."""
    found = told(counted)
    histograms = [found[one, of] for one in (series.TASK_QUEUE, series.TASK_RUN, series.TASK_WHOLE)]
    return [(len(one), one.total) for one in histograms if isinstance(one, Histogram)]


async def test_a_task_is_counted_when_it_has_ended_with_what_it_waited_and_what_it_ran() -> None:
    async with counting() as (network, counted):
        ada = await network.user()
        agent = await network.agent(ada)
        task = (await network.submit(ada)).task
        network.clock.now += 3
        ref = network.comes(agent)
        await settle()
        assert told(counted) == {}
        await network.says(ref, Accept(task.id, 1))
        network.clock.now += 4
        await network.says(ref, Result(task.id, 1, Outcome.COMPLETED, Raw(b"1")))
        assert times(counted) == [(1, 3.0), (1, 4.0), (1, 7.0)]
        assert told(counted)[series.TASKS_ENDED, ("completed", "")] == 1
        await network.says(ref, Result(task.id, 1, Outcome.COMPLETED, Raw(b"1")))
        assert told(counted)[series.TASKS_ENDED, ("completed", "")] == 1, "a report that comes twice is one end"


async def test_of_a_task_that_never_began_it_is_counted_alone_how_long_it_was_there() -> None:
    async with counting() as (network, counted):
        ada = await network.user()
        await network.agent(ada)
        task = (await network.submit(ada)).task
        network.clock.now += 2
        network.engine.dispatcher.cancel(task.id, "changed my mind")
        await settle()
        assert times(counted) == [(0, 0.0), (0, 0.0), (1, 2.0)]
        assert told(counted)[series.TASKS_ENDED, ("canceled", "canceled")] == 1


async def test_what_an_attempt_had_that_was_given_back_counts_as_waiting() -> None:
    async with counting() as (network, counted):
        ada = await network.user()
        agent = await network.agent(ada)
        ref = network.comes(agent)
        task = (await network.submit(ada)).task
        network.clock.now += 1
        await network.says(ref, Refuse(task.id, 1, RefuseReason.DRAINING))
        network.clock.now += 2
        again = network.comes(agent, instance="ins_2")
        await settle()
        network.clock.now += 4
        await network.says(again, Result(task.id, 2, Outcome.COMPLETED, Raw(b"1")))
        assert times(counted) == [(1, 3.0), (1, 4.0), (1, 7.0)]


async def test_codes_that_skills_choose_are_one_and_so_are_skills_beyond_the_first_few() -> None:
    async with counting() as (network, counted):
        ada = await network.user()
        names = [f"s{number}" for number in range(MOST_SKILLS + 2)]
        agent = await network.agent(ada, skills=names)
        ref = network.comes(agent, slots=100)
        for number, name in enumerate(names):
            task = (await network.submit(ada, wanted(skill=name))).task
            fault = Fault(f"code_{number}", "no")
            await network.says(ref, Result(task.id, 1, Outcome.REJECTED, error=fault))
        found = told(counted)
        assert found[series.TASKS_ENDED, ("rejected", OTHER)] == len(names)
        assert len([of for one, of in found if one is series.TASK_WHOLE]) == MOST_SKILLS + 1
        assert times(counted, (OTHER, OTHER))[2][0] == 2


async def test_what_was_lost_before_it_was_counted_is_not_taken_for_something_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(outcomes, "MOST_UNCOUNTED", 3)
    async with counting() as (network, counted):
        ada = await network.user()
        agent = await network.agent(ada)
        ref = network.comes(agent)
        first = (await network.submit(ada)).task
        counted.gather()
        await network.says(ref, Result(first.id, 1, Outcome.COMPLETED, Raw(b"1")))
        second = (await network.submit(ada)).task
        for report in (Accept(second.id, 1), Result(second.id, 1, Outcome.COMPLETED, Raw(b"1"))):
            await network.says(network.comes(agent), report)
        counted.gather()
        assert not counted._begun
