"""How the network is, told to anybody: counts, no names, and no secrets."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from agentic_atlas.auth import verify
from agentic_atlas.auth.keys import load_jwks
from agentic_atlas.backend.domain.invariants import Finding, Invariant
from agentic_atlas.backend.domain.records import Role
from agentic_atlas.backend.usecases import system, tokens
from agentic_atlas.backend.usecases.application import Application
from agentic_atlas.compose.server import RunningServer
from agentic_atlas.errors import Unavailable
from agentic_atlas.settings import read
from tests.unit.backend.network import NOW, Network


async def test_with_the_published_keys_a_token_is_verified_and_none_is_made() -> None:
    network = Network()
    published = await system.key_set(None, network.application)
    (key,) = published
    assert "d" not in key, "that is the private half"
    assert key["kid"] == network.engine.signing.ring.active.kid
    ada = await network.user()
    await network.agent(ada)
    made = await tokens.issue(ada, network.application, "hello")
    assert verify(made.token, load_jwks({"keys": published}), network="net_1", now=NOW).jti == made.id


async def test_it_is_ready_while_the_store_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    network = Network()
    await system.ready(None, network.application)

    async def away() -> None:
        raise Unavailable("the disk is away")

    monkeypatch.setattr(network.store, "ready", away)
    with pytest.raises(Unavailable):
        await system.ready(None, network.application)


async def test_what_lasts_is_counted_and_the_network_is_not_well_then() -> None:
    network = Network()
    findings = network.engine.monitor.findings
    stuck = Finding(Invariant.RUNNING_WITHOUT_LEASE, "tsk_1")
    while not findings.look([stuck]):
        assert (await system.figures(None, network.application)).well
    figures = await system.figures(None, network.application)
    assert not figures.well
    assert figures.lasting[Invariant.RUNNING_WITHOUT_LEASE] == figures.ever[Invariant.RUNNING_WITHOUT_LEASE] == 1
    findings.look([])
    figures = await system.figures(None, network.application)
    assert (figures.well, figures.ever[Invariant.RUNNING_WITHOUT_LEASE]) == (True, 1)


async def test_everybody_who_is_known_is_told_of_limits_and_administrators_where_the_data_is(tmp_path: Path) -> None:
    network = Network()
    ada, root = await network.user(), await network.user("root", Role.ADMIN)
    server = RunningServer(read({"data_dir": tmp_path}, {}), None, network.clock)
    on = Application(replace(network.engine, server=server))
    assert ((await system.about(root, on)).data_dir, (await system.about(ada, on)).data_dir) == (str(tmp_path), "")
    assert (await system.about(ada, on)).rows["users"] == 2
    await network.agent(ada)
    await network.submit(ada)
    used = {f"{one.part}.{one.name}": one.used for one in await system.limits(ada, on)}
    assert [used[f"OpenLimits.{name}"] for name in ("queue_per_agent", "open_per_caller", "open_per_user")] == [1, 1, 1]
    assert (used["RouterSettings.max_connections"], used["RouterSettings.grace"]) == (0, None)
    others = {one.name: one.used for one in await system.limits(root, on) if one.part == "OpenLimits"}
    assert others == {"queue_per_agent": 1, "open_per_caller": 0, "open_per_user": 0, "open_tasks": 1}


async def test_a_network_without_a_server_of_its_own_says_so() -> None:
    network = Network()
    ada = await network.user()
    assert await system.limits(ada, network.application) == []
    with pytest.raises(Unavailable) as refused:
        await system.about(ada, network.application)
    assert refused.value.code == "no_server"
