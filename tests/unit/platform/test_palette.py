"""The command palette finds what somebody sees by a part of its name."""

from __future__ import annotations

import json
from time import monotonic

import pytest

from agentic_atlas.backend.rights import Principal
from agentic_atlas.http.turns import Turns
from agentic_atlas.platform.pages import palette
from agentic_atlas.platform.pages.settings.page import parts_for
from tests.unit.backend.network import Network

pytestmark = pytest.mark.anyio


async def found(network: Network, who: Principal, typed: str) -> list[tuple[str, str, str]]:
    answer = await palette.palette(network.application, who, Turns(monotonic), typed)
    return [(one["kind"], one["name"], one["path"]) for one in json.loads(answer.body)["items"]]


async def test_pages_agents_and_tasks_are_found_and_nobody_elses() -> None:
    network = Network()
    ada, eve = await network.user(), await network.user("eve")
    agent = await network.agent(ada)
    await network.agent(eve, "hidden")
    task = await network.held(ada, agent)
    everything = await found(network, ada, "")
    there = [("Page", name, path) for name, path in palette.SECTIONS.items()]
    there += [("Page", f"Settings: {one.name}", one.path) for one in parts_for(ada)]
    assert everything[: len(there)] == there
    assert everything[len(there) :] == [
        ("Agent", "ada/hello", "/agents/ada/hello"),
        ("Task", "ada/hello.greet", f"/tasks/{task.id}"),
    ]
    assert await found(network, ada, " HELL") == [("Agent", "ada/hello", "/agents/ada/hello")]
    assert await found(network, ada, task.id) == [("Task", "ada/hello.greet", f"/tasks/{task.id}")]
    assert await found(network, ada, "hidden") == await found(network, ada, "<script>") == []


async def test_all_agents_are_looked_at_and_the_first_of_those_that_fit_are_told() -> None:
    network = Network()
    ada = await network.user()
    for number in range(palette.MOST_FOUND + 2):
        await network.agent(ada, f"a{number}-worker")
    await network.agent(ada, "zoo-keeper")
    assert [name for _, name, _ in await found(network, ada, "O-KEEP")] == ["ada/zoo-keeper"]
    assert len(await found(network, ada, "worker")) == palette.MOST_FOUND
    assert await found(network, ada, "a%") == []
