"""The keys that sign tokens: which are in use, who is told of it and when, and what a disk that fails changes."""

from __future__ import annotations

import pytest

from agentic_atlas.auth import KeyRing
from agentic_atlas.auth.keys import MAX_KEYS
from agentic_atlas.backend.domain.records import Token
from agentic_atlas.backend.engine.signing import OVERLAP
from agentic_atlas.errors import Conflict, NotFound, Unavailable
from agentic_atlas.protocol.inside.messages import VerifyWith
from tests.unit.backend.network import NOW, Network

pytestmark = pytest.mark.anyio


def told(network: Network) -> list[int]:
    """Return of how many keys routers were told, each time."""
    return [len(message.keys) for message in network.router.all(VerifyWith)]


def ids(ring: KeyRing) -> set[str]:
    return set(ring.verification)


async def test_a_rotation_is_kept_before_it_is_in_use_and_routers_are_told_of_both_keys() -> None:
    network = Network()
    signing, old = network.engine.signing, network.engine.signing.ring.active.kid
    new = await signing.rotate()
    assert network.keys.saved == [signing.ring]
    assert (signing.ring.active.kid, ids(signing.ring)) == (new.kid, {new.kid, old})
    (message,) = network.router.all(VerifyWith)
    by_time = {key.x: key.retire_at for key in message.keys}
    assert by_time == {new.x: None, signing.ring.verification[old].x: int(NOW) + OVERLAP}


async def test_a_key_that_was_rotated_out_is_withdrawn_and_routers_are_told_of_the_rest() -> None:
    network = Network()
    signing, old = network.engine.signing, network.engine.signing.ring.active.kid
    await signing.rotate()
    key, ended = await signing.withdraw(old)
    assert (key.kid, ended) == (old, [])
    assert old not in ids(signing.ring)
    assert ids(network.keys.saved[-1]) == ids(signing.ring)
    assert told(network) == [2, 1]


async def test_the_key_that_signs_is_not_withdrawn_and_one_that_is_not_there_is_told() -> None:
    network = Network()
    signing = network.engine.signing
    with pytest.raises(Conflict) as refused:
        await signing.withdraw(signing.ring.active.kid)
    assert refused.value.code == "key_in_use"
    with pytest.raises(NotFound) as unknown:
        await signing.withdraw("none")
    assert unknown.value.code == "signing_key_not_found"
    assert (told(network), network.keys.saved) == ([], [])


async def test_a_disk_that_fails_leaves_the_keys_as_they_were() -> None:
    network = Network()
    before = network.engine.signing.ring
    network.keys.why = Unavailable("no disk")
    with pytest.raises(Unavailable):
        await network.engine.signing.rotate()
    assert (network.engine.signing.ring, told(network)) == (before, [])


async def test_what_rests_on_a_key_has_ended_before_the_key_goes_so_that_it_can_be_withdrawn_again() -> None:
    network = Network()
    signing, old = network.engine.signing, network.engine.signing.ring.active.kid
    agent = await network.agent(await network.user())
    token = Token("tok_1", agent.id, "", NOW, NOW + 60, key_id=old)
    await network.store.tokens.add(token)
    await signing.rotate()
    network.keys.why = Unavailable("no disk")
    with pytest.raises(Unavailable):
        await signing.withdraw(old)
    stored = await network.store.tokens.get(token.id)
    assert stored is not None
    assert (stored.withdrawn, old in ids(signing.ring)) == (True, True)
    network.keys.why = None
    assert (await signing.withdraw(old))[0].kid == old


async def test_a_process_that_has_lost_its_keys_knows_that_what_they_signed_is_good_no_more() -> None:
    network = Network()
    agent = await network.agent(await network.user())
    for number, key_id in enumerate((network.engine.signing.ring.active.kid, "lost", "")):
        await network.store.tokens.add(Token(f"tok_{number}", agent.id, "", NOW, NOW + 60, key_id=key_id))
    await network.engine.take_up()
    found = await network.store.tokens.of_agent(agent.id)
    assert {one.id: one.withdrawn for one in found} == {"tok_0": False, "tok_1": True, "tok_2": False}


async def test_more_keys_than_a_ring_holds_are_told_with_what_to_do() -> None:
    network = Network()
    for _ in range(MAX_KEYS - 1):
        await network.engine.signing.rotate()
    with pytest.raises(Conflict, match="withdraw one first") as refused:
        await network.engine.signing.rotate()
    assert refused.value.code == "too_many_keys"


async def test_routers_are_told_at_the_start() -> None:
    network = Network()
    await network.engine.take_up()
    assert told(network) == [1]
