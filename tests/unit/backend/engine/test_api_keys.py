"""What is kept of a new API key, and what no key may be."""

from __future__ import annotations

import math

import pytest

from agentic_atlas.auth import digest
from agentic_atlas.backend.engine.api_keys import KEY_PREFIX, MAX_LIFETIME, VISIBLE, issue_key
from agentic_atlas.errors import InvalidInput, NotFound, Unauthenticated
from tests.unit.backend.network import NOW, Network


async def test_a_new_key_lets_in_as_its_user_with_its_scopes_and_its_secret_is_not_kept() -> None:
    network = Network()
    ada = await network.user()
    key, secret = await issue_key(network.engine, ada.user, ("tasks:read",), "ci")
    assert secret.startswith(KEY_PREFIX)
    who = await network.engine.access.authenticate(secret)
    assert (who.user, who.scopes, who.credential) == (ada.user, ("tasks:read",), key)
    (kept,) = [one for one in await network.store.users.keys_of(ada.user.id) if one.id == key.id]
    assert (kept.digest, kept.name, kept.expires_at) == (digest(secret), "ci", None)
    assert secret not in repr(key) + repr(kept)


async def test_a_key_is_told_by_its_first_characters_and_the_rest_can_not_be_guessed() -> None:
    network = Network()
    key, secret = await issue_key(network.engine, (await network.user()).user, ("*",), "ci")
    assert secret.startswith(key.prefix)
    assert len(key.prefix) == len(KEY_PREFIX) + VISIBLE
    assert 6 * (len(secret) - len(key.prefix)) - 2 >= 128, "43 characters of 6 bits have 256"


async def test_two_keys_have_nothing_in_common() -> None:
    network = Network()
    ada = await network.user()
    first, second = [await issue_key(network.engine, ada.user, ("*",), "same") for _ in range(2)]
    assert first[1] != second[1]
    assert first[0].id != second[0].id


@pytest.mark.parametrize("lifetime", [1, MAX_LIFETIME])
async def test_a_key_is_good_for_its_lifetime(lifetime: float) -> None:
    network = Network()
    key, secret = await issue_key(network.engine, (await network.user()).user, ("*",), "", lifetime)
    assert key.expires_at == NOW + lifetime
    network.clock.now = NOW + lifetime - 0.5
    await network.engine.access.authenticate(secret)
    network.clock.now = NOW + lifetime
    with pytest.raises(Unauthenticated):
        await network.engine.access.authenticate(secret)


@pytest.mark.parametrize("lifetime", [0, 0.9, -1, MAX_LIFETIME + 1, math.inf, math.nan])
async def test_no_key_lives_shorter_than_a_second_or_longer_than_a_year(lifetime: float) -> None:
    network = Network()
    ada = await network.user()
    with pytest.raises(InvalidInput):
        await issue_key(network.engine, ada.user, ("*",), "", lifetime)
    assert len(await network.store.users.keys_of(ada.user.id)) == 1, "the one it came with"


@pytest.mark.parametrize("name", ["two\nlines", "x" * 101])
async def test_a_keys_name_is_one_short_line(name: str) -> None:
    network = Network()
    with pytest.raises(InvalidInput) as refused:
        await issue_key(network.engine, (await network.user()).user, ("*",), name)
    assert refused.value.code == "invalid_name"


async def test_nobody_who_is_not_there_gets_a_key() -> None:
    network, other = Network(), Network()
    nobody = (await other.user("eve")).user
    with pytest.raises(NotFound):
        await issue_key(network.engine, nobody, ("*",), "")
