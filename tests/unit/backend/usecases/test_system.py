"""How the network is, told to anybody: counts, no names, and no secrets."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from agentic_atlas.auth import verify
from agentic_atlas.auth.keys import load_jwks
from agentic_atlas.backend.domain.invariants import Finding, Invariant
from agentic_atlas.backend.domain.records import Instance, Role
from agentic_atlas.backend.rights import Principal
from agentic_atlas.backend.usecases import system, tokens
from agentic_atlas.backend.usecases.application import Application
from agentic_atlas.backend.usecases.system import Expires
from agentic_atlas.compose.server import RunningServer
from agentic_atlas.errors import Unavailable
from agentic_atlas.protocol.inside.messages import Heard
from agentic_atlas.protocol.tasks import TaskState
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


async def test_the_figures_are_those_of_this_moment() -> None:
    network = Network()
    ada = await network.user()
    agent = await network.agent(ada)
    quiet = await system.figures(None, network.application)
    assert (quiet.well, quiet.oldest_result, set(quiet.lasting.values())) == (True, 0.0, {0})
    assert set(quiet.ever) == set(Invariant)
    ref = network.comes(agent)
    for _ in range(3):
        await network.submit(ada)
    network.clock.now = NOW + 20
    network.hears(Heard(ref, oldest_result=12.0))
    figures = await system.figures(None, network.application)
    assert figures.open_tasks[TaskState.SUBMITTED] == 2
    assert figures.open_tasks[TaskState.WORKING] == 1
    assert figures.oldest_result == 12.0


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


async def test_tokens_in_use_are_counted_by_how_soon_they_end_and_whether_they_are_renewed() -> None:
    network = Network()
    ada = await network.user()
    agent = await network.agent(ada)
    quiet = await system.tokens_in_use(None, network.application)
    assert (quiet.next_expiry, set(quiet.ending.values()), len(quiet.ending)) == (None, {0}, 8)
    helped = ""
    for days, renews in ((0.5, True), (6, False), (30, True), (60, False)):
        made = await tokens.issue(ada, network.application, "hello", lifetime=days * 86_400, renews=renews)
        who = await network.engine.access.bearer(made.id, agent.id)
        network.engine.access.came(Instance(f"ins_{days}", agent.id, made.id, 1, NOW), who)
        helped = made.id if days == 30 else helped
    found = await system.tokens_in_use(None, network.application)
    assert found.next_expiry == 43_200
    assert {key: count for key, count in found.ending.items() if count} == {
        (Expires.DAY, True): 1,
        (Expires.WEEK, False): 1,
        (Expires.LATER, True): 1,
        (Expires.LATER, False): 1,
    }
    await tokens.rotate(ada, network.application, made.id, overlap=3_600)
    network.clock.now += 43_201
    found = await system.tokens_in_use(None, network.application)
    assert found.next_expiry == 3_600 - 43_201, "whoever has it finishes what it runs"
    assert found.ending[Expires.EXPIRED, True] == found.ending[Expires.EXPIRED, False] == 1
    await tokens.rotate(ada, network.application, helped, overlap=3_600)
    assert (await system.tokens_in_use(None, network.application)).ending[Expires.DAY, False] == 1


async def test_when_tokens_end_is_told_of_each_agent_that_one_manages_the_soonest_first() -> None:
    network = Network()
    ada, eve, root = await network.user(), await network.user("eve"), await network.user("root", Role.ADMIN)
    for owner, name, days in ((ada, "a", (9, 3)), (ada, "b", (1,)), (eve, "c", (2,))):
        agent = await network.agent(owner, name)
        for one in days:
            made = await tokens.issue(owner, network.application, name, lifetime=one * 86_400, renews=one == 3)
            who = await network.engine.access.bearer(made.id, agent.id)
            network.engine.access.came(Instance(f"ins_{name}_{one}", agent.id, made.id, 1, NOW), who)
    all_of = [("ada/b", 86_400.0, False), ("eve/c", 172_800.0, False), ("ada/a", 259_200.0, True)]

    async def told(who: Principal) -> list[tuple[str, float, bool]]:
        found = await system.token_ends(who, network.application)
        return [(end.agent, end.seconds, end.renewable) for end in found]

    assert await told(root) == all_of
    assert await told(ada) == [all_of[0], all_of[2]]
    assert await told(eve) == [all_of[1]]


async def test_of_very_many_agents_those_are_told_whose_tokens_end_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system, "MOST_ENDS", 2)
    network = Network()
    ada = await network.user()
    for days in (3, 1, 2):
        agent = await network.agent(ada, f"a{days}")
        made = await tokens.issue(ada, network.application, f"a{days}", lifetime=days * 86_400)
        who = await network.engine.access.bearer(made.id, agent.id)
        network.engine.access.came(Instance(f"ins_{days}", agent.id, made.id, 1, NOW), who)
    assert [end.agent for end in await system.token_ends(ada, network.application)] == ["ada/a1", "ada/a2"]


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
