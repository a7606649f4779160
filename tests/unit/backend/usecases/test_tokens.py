"""Agent tokens: what they say, who gets them, and that a revoked one ends its connection."""

from __future__ import annotations

import math

import pytest

from agentic_atlas.auth import AGENT_SCOPES, verify
from agentic_atlas.backend.domain.records import Role
from agentic_atlas.backend.engine.access import NotAdmitted
from agentic_atlas.backend.usecases import tokens
from agentic_atlas.errors import InvalidInput, NotFound
from agentic_atlas.protocol.inside.messages import Revoke
from tests.unit.backend.network import NOW, Network


async def test_a_token_says_whose_it_is_and_for_how_long_and_is_not_kept() -> None:
    network = Network()
    ada = await network.user()
    agent = await network.agent(ada)
    made = await tokens.issue(ada, network.application, "hello", name="box", lifetime=60)
    claims = verify(made.token, network.engine.keys.verification, now=NOW, network="net_1")
    assert (claims.jti, claims.agent_id, claims.name) == (made.id, agent.id, "ada/hello")
    assert (claims.scopes, claims.iat, claims.exp) == (AGENT_SCOPES, NOW, NOW + 60)
    stored = await network.store.tokens.get(made.id)
    assert made.token not in repr(stored)
    assert (await network.engine.access.bearer(made.id, agent.id)).user == ada.user


async def test_a_token_lives_for_a_quarter_of_a_year_unless_its_owner_says_otherwise() -> None:
    network = Network()
    ada = await network.user()
    await network.agent(ada)
    made = await tokens.issue(ada, network.application, "hello")
    assert made.expires_at.timestamp() == NOW + tokens.DEFAULT_LIFETIME


@pytest.mark.parametrize("lifetime", [0, -1, 366 * 86_400 + 1, math.inf, math.nan])
async def test_no_token_lives_shorter_than_a_second_or_longer_than_a_year(lifetime: float) -> None:
    network = Network()
    ada = await network.user()
    await network.agent(ada)
    with pytest.raises(InvalidInput):
        await tokens.issue(ada, network.application, "hello", lifetime=lifetime)
    assert (await tokens.of_agent(ada, network.application, "hello"))[1] == []


async def test_tokens_are_listed_newest_first() -> None:
    network = Network()
    ada = await network.user()
    agent = await network.agent(ada)
    made = []
    for _ in range(2):
        made.append((await tokens.issue(ada, network.application, "hello")).id)
        network.clock.now += 1
    found, listed = await tokens.of_agent(ada, network.application, "hello")
    assert (found, [one.id for one in listed]) == (agent, made[::-1])


async def test_a_revoked_token_ends_its_connection_and_lets_nobody_in() -> None:
    network = Network()
    ada = await network.user()
    agent = await network.agent(ada)
    made = await tokens.issue(ada, network.application, "hello")
    await network.engine.access.bearer(made.id, agent.id)
    found, revoked = await tokens.revoke(ada, network.application, made.id)
    assert (found, revoked.revoked_at) == (agent, NOW)
    assert network.router.told == [Revoke((made.id,), "token_revoked")]
    with pytest.raises(NotAdmitted) as refused:
        await network.engine.access.bearer(made.id, agent.id)
    assert refused.value.code == "token_revoked"


async def test_a_token_of_anothers_agent_does_not_exist_but_for_an_administrator() -> None:
    network = Network()
    ada, eve, root = await network.user(), await network.user("eve"), await network.user("root", Role.ADMIN)
    await network.agent(ada)
    made = await tokens.issue(ada, network.application, "hello")
    for token_id in (made.id, "tok_none"):
        with pytest.raises(NotFound) as refused:
            await tokens.revoke(eve, network.application, token_id)
        assert refused.value.code == "token_not_found"
    for ask in (
        tokens.issue(eve, network.application, "ada/hello"),
        tokens.of_agent(eve, network.application, "ada/hello"),
    ):
        with pytest.raises(NotFound):
            await ask
    assert network.router.told == []
    await tokens.revoke(root, network.application, made.id)
