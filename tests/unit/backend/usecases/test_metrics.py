"""What Prometheus reads of a backend: what is open and how it is, and when tokens end to who may know."""

from __future__ import annotations

import pytest

from agentic_atlas.backend.domain.invariants import Finding, Invariant
from agentic_atlas.backend.domain.records import Instance, Role
from agentic_atlas.backend.rights import Principal
from agentic_atlas.backend.usecases import metrics, tokens
from agentic_atlas.backend.usecases.metrics import Expires, TokensInUse, tokens_in_use
from agentic_atlas.errors import Forbidden, Unauthenticated
from agentic_atlas.observe import series
from agentic_atlas.observe.series import Series
from agentic_atlas.protocol.inside.messages import Heard
from tests.unit.backend.network import NOW, Network


def in_use(network: Network) -> TokensInUse:
    return tokens_in_use(network.engine.access.in_use(), network.clock())


async def scraped(network: Network) -> dict[tuple[Series, tuple[str, ...]], object]:
    root = await network.user(network.id("root"), Role.ADMIN)
    return {(one.series, one.labels): one.value for one in await metrics.read(root, network.application)}


async def test_only_an_administrator_reads_what_everybody_does() -> None:
    network = Network()
    nobody: Principal = None  # type: ignore[assignment]
    with pytest.raises(Unauthenticated):
        await metrics.read(nobody, network.application)
    with pytest.raises(Forbidden):
        await metrics.read(await network.user(), network.application)


async def test_what_is_open_and_who_could_do_it_is_told_as_it_is_at_this_moment() -> None:
    network = Network()
    ada = await network.user()
    agent = await network.agent(ada)
    quiet = await scraped(network)
    for told in (series.QUEUES, series.QUEUE_LONGEST, series.QUEUE_OLDEST, series.OLDEST_RESULT, series.AUDIT_BROKEN):
        assert quiet[told, ()] == 0
    assert {quiet[series.INVARIANTS_VIOLATED, (one.value,)] for one in Invariant} == {0}
    ref = network.comes(agent)
    for _ in range(3):
        await network.submit(ada)
        network.clock.now += 5
    network.hears(Heard(ref, oldest_result=12.0))
    told = await scraped(network)
    assert (told[series.OPEN_TASKS, ("working",)], told[series.OPEN_TASKS, ("submitted",)]) == (1, 2)
    assert (told[series.QUEUES, ()], told[series.QUEUE_LONGEST, ()], told[series.QUEUE_OLDEST, ()]) == (1, 2, 10.0)
    assert (told[series.SLOTS, ("used",)], told[series.SLOTS, ("free",)]) == (1, 0)
    assert (told[series.INSTANCES, ("none",)], told[series.INSTANCES, ("draining",)]) == (1, 0)


async def test_what_lasts_is_told_while_it_does_and_counted_for_ever() -> None:
    network = Network()
    findings = network.engine.monitor.findings
    while not findings.look([Finding(Invariant.RUNNING_WITHOUT_LEASE, "tsk_1")]):
        pass
    of = (Invariant.RUNNING_WITHOUT_LEASE.value,)
    told = await scraped(network)
    assert (told[series.INVARIANTS_VIOLATED, of], told[series.INVARIANT_VIOLATIONS, of]) == (1, 1)
    findings.look([])
    told = await scraped(network)
    assert (told[series.INVARIANTS_VIOLATED, of], told[series.INVARIANT_VIOLATIONS, of]) == (0, 1)


async def test_tokens_in_use_are_counted_by_how_soon_they_end_and_whether_they_are_renewed() -> None:
    network = Network()
    ada = await network.user()
    agent = await network.agent(ada)
    quiet = in_use(network)
    assert (quiet.next_expiry, set(quiet.ending.values()), len(quiet.ending)) == (None, {0}, 8)
    helped = ""
    for days, renews in ((0.5, True), (6, False), (30, True), (60, False)):
        made = await tokens.issue(ada, network.application, "hello", lifetime=days * 86_400, renews=renews)
        who = await network.engine.access.bearer(made.id, agent.id)
        network.engine.access.came(Instance(f"ins_{days}", agent.id, made.id, 1, NOW), who)
        helped = made.id if days == 30 else helped
    found = in_use(network)
    assert found.next_expiry == 43_200
    assert {key: count for key, count in found.ending.items() if count} == {
        (Expires.DAY, True): 1,
        (Expires.WEEK, False): 1,
        (Expires.LATER, True): 1,
        (Expires.LATER, False): 1,
    }
    await tokens.rotate(ada, network.application, made.id, overlap=3_600)
    network.clock.now += 43_201
    found = in_use(network)
    assert found.next_expiry == 3_600 - 43_201, "whoever has it finishes what it runs"
    assert found.ending[Expires.EXPIRED, True] == found.ending[Expires.EXPIRED, False] == 1
    await tokens.rotate(ada, network.application, helped, overlap=3_600)
    assert in_use(network).ending[Expires.DAY, False] == 1


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
        found = await metrics.token_ends(who, network.application)
        return [(agent, float(str(seconds)), renewable == "yes") for _, seconds, (agent, renewable) in found]

    assert await told(root) == all_of
    assert await told(ada) == [all_of[0], all_of[2]]
    assert await told(eve) == [all_of[1]]


async def test_of_very_many_agents_those_are_told_whose_tokens_end_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "MOST_ENDS", 2)
    network = Network()
    ada = await network.user()
    for days in (3, 1, 2):
        agent = await network.agent(ada, f"a{days}")
        made = await tokens.issue(ada, network.application, f"a{days}", lifetime=days * 86_400)
        who = await network.engine.access.bearer(made.id, agent.id)
        network.engine.access.came(Instance(f"ins_{days}", agent.id, made.id, 1, NOW), who)
    assert [of[0] for *_, of in await metrics.token_ends(ada, network.application)] == ["ada/a1", "ada/a2"]
