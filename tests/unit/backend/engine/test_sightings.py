"""When agents were last heard is stored once in a while, and of those alone who are connected."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from agentic_atlas.backend.engine.sightings import STORED_EVERY, Sightings
from agentic_atlas.backend.rights import Visible
from agentic_atlas.errors import AtlasError, Busy, Unavailable
from agentic_atlas.protocol.inside.messages import Heard
from tests.unit.backend.network import NOW, Network


class Away:
    """Agents of a store that can't be had just now."""

    def __init__(self, error: Exception) -> None:
        self.error: Exception = error

    async def seen(self, heard: Mapping[str, float]) -> None:
        raise self.error


def failing(network: Network, error: Exception) -> Sightings:
    agents: Any = Away(error)
    return Sightings(agents, network.engine.credit, network.engine.access.uses, network.clock)


async def test_each_connected_agent_was_seen_when_the_last_of_its_instances_was_heard() -> None:
    network = Network()
    ada = await network.user()
    one, two, away = [await network.agent(ada, name) for name in ("one", "two", "away")]
    first, second = network.comes(one, instance="ins_1"), network.comes(one, instance="ins_2")
    network.comes(two, instance="ins_3")
    network.clock.now = NOW + 10
    network.hears(Heard(first))
    network.clock.now = NOW + 20
    network.hears(Heard(second))
    network.clock.now = NOW + 50
    await network.engine.sightings.store()
    seen = {agent.name: agent.last_seen_at for agent in await network.store.agents.find(Visible(None), limit=9)}
    assert seen == {"one": NOW + 20, "two": NOW, "away": None}
    assert away.last_seen_at is None


async def test_without_anybody_connected_nothing_is_written() -> None:
    network = Network()
    await failing(network, AssertionError("a write")).store()


@pytest.mark.parametrize("error", [Busy("too many writes wait"), Unavailable("the disk is away")])
async def test_what_can_not_be_stored_now_is_the_next_time(error: AtlasError) -> None:
    network = Network()
    network.comes(await network.agent(await network.user()))
    await failing(network, error).store()


async def test_a_fault_of_ours_is_not_hidden() -> None:
    network = Network()
    network.comes(await network.agent(await network.user()))
    with pytest.raises(ZeroDivisionError):
        await failing(network, ZeroDivisionError()).store()


async def test_it_is_stored_again_and_again_and_not_more_often_than_that() -> None:
    network = Network()
    agent = await network.agent(await network.user())
    network.comes(agent)
    slept: list[float] = []
    seen: list[float | None] = []

    async def sleep(seconds: float) -> None:
        found = await network.store.agents.get(agent.id)
        seen.append(found.last_seen_at if found else None)
        slept.append(seconds)
        if len(slept) == 3:
            raise InterruptedError

    uses = network.engine.access.uses
    with pytest.raises(InterruptedError):
        await Sightings(network.store.agents, network.engine.credit, uses, network.clock, sleep).run()
    assert slept == [STORED_EVERY] * 3
    assert seen == [None, NOW, NOW]
