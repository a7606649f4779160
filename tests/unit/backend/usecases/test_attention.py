"""Everybody is told what needs them, as far as they may do something about it."""

from __future__ import annotations

from msgspec.structs import replace

from agentic_atlas.backend.domain.audit import broken
from agentic_atlas.backend.domain.invariants import Finding, Invariant
from agentic_atlas.backend.domain.records import Role, Token
from agentic_atlas.backend.engine.monitor import LOOKS
from agentic_atlas.backend.rights import Principal
from agentic_atlas.backend.usecases import attention
from tests.unit.backend.network import NOW, Network

DAY = 86_400.0


async def told(network: Network, who: Principal) -> list[tuple[str, str]]:
    return [(one.kind, one.subject) for one in await attention.find(who, network.application)]


async def test_an_open_question_is_told_to_who_may_answer_it() -> None:
    network = Network()
    ada, eve = await network.user(), await network.user("eve")
    task = await network.asking(ada, await network.agent(ada))
    (item,) = [one for one in await attention.find(ada, network.application) if one.kind == "question"]
    assert (item.subject, item.what) == (task.id, "ada/hello asks: Sure?")
    assert task.id in item.todo
    assert await told(network, eve) == []
    assert ("question", task.id) not in await told(network, replace(ada, scopes=("agents:read", "tasks:read")))
    viewer = replace(ada, user=replace(ada.user, role=Role.VIEWER))
    assert ("question", task.id) not in await told(network, viewer)


async def test_a_token_that_ends_soon_is_told_unless_its_agent_has_another_one_by_itself() -> None:
    network = Network()
    ada = await network.user()
    agent = await network.agent(ada)
    for name, ends in (("soon", 3 * DAY), ("later", 30 * DAY)):
        await network.store.tokens.add(Token(f"tok_{name}", agent.id, name, NOW, network.clock.now + ends))
    found = [one for one in await attention.find(ada, network.application) if one.kind == "token"]
    assert [one.subject for one in found] == ["ada/hello"]
    assert "the token soon of ada/hello" in found[0].what
    assert ("token", "ada/hello") not in await told(network, replace(ada, scopes=("agents:read",)))


async def test_an_agent_that_was_connected_and_is_not_is_told_until_it_is_back_or_nobody_misses_it() -> None:
    network = Network()
    ada = await network.user()
    agent = await network.agent(ada)
    await network.store.agents.seen({agent.id: network.clock.now})
    gone = ("agent", "ada/hello")
    assert gone not in await told(network, ada), "it may be on its way back"
    network.clock.now += 2 * attention.GONE_AFTER
    assert gone in await told(network, ada)
    ref = network.comes(agent)
    assert gone not in await told(network, ada)
    network.leaves(ref)
    network.clock.now += 2 * attention.GONE_FOR
    assert gone not in await told(network, ada)


async def test_what_hangs_in_the_network_is_told_to_administrators() -> None:
    network = Network()
    admin, ada = await network.user("root", Role.ADMIN), await network.user()
    for _ in range(LOOKS):
        network.engine.monitor.findings.look([Finding(Invariant.SLOT_KEPT_FOR_NOTHING, "ins_1")])
    assert await told(network, admin) == [("finding", "slot_kept_for_nothing")]
    assert await told(network, ada) == []


async def test_a_log_that_was_found_broken_is_told_to_administrators_for_a_month() -> None:
    network = Network()
    admin, ada = await network.user("root", Role.ADMIN), await network.user()
    await network.store.audit.append([broken(network.clock.now, "row 7 is another one than it was")])
    (item,) = await attention.find(admin, network.application)
    assert (item.kind, item.subject) == ("finding", "audit_broken")
    assert "row 7 is another one than it was" in item.what
    assert await told(network, ada) == []
    network.clock.now += attention.BROKEN_FOR + 1
    assert await told(network, admin) == []
