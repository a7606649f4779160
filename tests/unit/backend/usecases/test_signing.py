"""What administrators see of the keys that sign tokens."""

from __future__ import annotations

import pytest

from agentic_atlas.auth import verify
from agentic_atlas.backend.domain.records import Role
from agentic_atlas.backend.usecases import signing, tokens
from tests.unit.backend.network import NOW, Network

pytestmark = pytest.mark.anyio


async def test_the_key_that_signs_comes_first_and_the_others_say_until_when_they_verify() -> None:
    network = Network()
    admin = await network.user(role=Role.ADMIN)
    (first,) = await signing.find(admin, network.application)
    made = await signing.rotate(admin, network.application)
    new, old = await signing.find(admin, network.application)
    assert (new, new.signs, new.retires_at) == (made, True, None)
    assert (old.id, old.signs) == (first.id, False)
    assert old.retires_at is not None
    assert old.retires_at.timestamp() > NOW
    withdrawn = await signing.withdraw(admin, network.application, old.id)
    assert (withdrawn.id, withdrawn.signs) == (old.id, False)
    assert await signing.find(admin, network.application) == [new]


async def test_tokens_of_before_and_after_a_rotation_are_good_and_each_names_its_key() -> None:
    network = Network()
    admin = await network.user(role=Role.ADMIN)
    agent = await network.agent(admin)
    secrets = [(await tokens.issue(admin, network.application, agent.full_name)).token]
    old = network.engine.signing.ring.active.kid
    await signing.rotate(admin, network.application)
    secrets.append((await tokens.issue(admin, network.application, agent.full_name)).token)
    keys = network.engine.signing.ring.verification
    found = [verify(one, keys, network="net_1", now=NOW).agent_id for one in secrets]
    assert found == [agent.id, agent.id]
    assert len(keys) == 2
    assert old in keys
