"""When API keys were last used is noted at no cost, and stored many at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from agentic_atlas.backend.asked_from import ADDRESS
from agentic_atlas.backend.domain.records import ApiKey, User
from agentic_atlas.backend.engine import key_uses
from agentic_atlas.backend.engine.api_keys import issue_key
from agentic_atlas.backend.engine.key_uses import KeyUses
from agentic_atlas.backend.ports import KeyUse
from agentic_atlas.errors import AtlasError, Busy, Unauthenticated, Unavailable
from tests.unit.backend.network import NOW, Network


class Written:
    """Where uses are stored: each write, and what is done while it is under way, or what it fails with."""

    def __init__(self, *meanwhile: str, error: Exception | None = None) -> None:
        self.writes: list[Mapping[str, KeyUse]] = []
        self.meanwhile = meanwhile
        self.error = error
        users: Any = self
        self.uses = KeyUses(users, lambda: NOW + len(self.writes))

    async def keys_used(self, uses: Mapping[str, KeyUse]) -> None:
        self.writes.append(uses)
        for key_id in self.meanwhile:
            self.uses.note(key_id)
        if self.error is not None:
            raise self.error


@pytest.fixture(autouse=True)
def _from_somewhere() -> Iterator[None]:
    before = ADDRESS.set("192.0.2.7")
    yield
    ADDRESS.reset(before)


def key(number: int = 1) -> ApiKey:
    return ApiKey(f"key_{number}", "usr_1", "laptop", bytes(32), NOW)


async def kept(network: Network, user: User, key_id: str) -> KeyUse:
    (one,) = [one for one in await network.store.users.keys_of(user.id) if one.id == key_id]
    return one.last_used_at or 0.0, one.last_address


async def test_who_is_let_in_has_used_their_key_and_the_store_hears_of_it_later() -> None:
    network = Network()
    ada = (await network.user()).user
    made, secret = await issue_key(network.engine, ada, ("*",), "ci")
    network.clock.now = NOW + 5
    await network.engine.access.authenticate(secret)
    assert await kept(network, ada, made.id) == (0.0, "")
    shown = network.engine.access.uses.shown(made)
    assert (shown.last_used_at, shown.last_address) == (NOW + 5, "192.0.2.7")
    await network.engine.sightings.store()
    assert await kept(network, ada, made.id) == (NOW + 5, "192.0.2.7")


async def test_who_is_not_let_in_has_used_nothing() -> None:
    network = Network()
    ada = (await network.user()).user
    made, secret = await issue_key(network.engine, ada, ("*",), "", 10)
    await network.engine.access.authenticate(secret)
    await network.engine.sightings.store()
    network.clock.now = NOW + 10
    with pytest.raises(Unauthenticated):
        await network.engine.access.authenticate(secret)
    await network.engine.sightings.store()
    assert (await kept(network, ada, made.id))[0] == NOW


async def test_many_uses_of_many_keys_are_one_write_and_without_a_use_there_is_none() -> None:
    written = Written()
    for number in (1, 2, 1, 1):
        written.uses.note(f"key_{number}")
    await written.uses.store()
    await written.uses.store()
    assert written.writes == [{"key_1": (NOW, "192.0.2.7"), "key_2": (NOW, "192.0.2.7")}]


async def test_what_is_used_while_it_is_being_stored_is_stored_again() -> None:
    written = Written("key_1")
    written.uses.note("key_1")
    written.uses.note("key_2")
    await written.uses.store()
    written.meanwhile = ()
    await written.uses.store()
    assert written.writes[1] == {"key_1": (NOW + 1, "192.0.2.7")}


@pytest.mark.parametrize("error", [Busy("too many writes wait"), Unavailable("the disk is away")])
async def test_what_can_not_be_stored_now_is_the_next_time(error: AtlasError) -> None:
    written = Written(error=error)
    written.uses.note("key_1")
    await written.uses.store()
    await written.uses.store()
    assert written.writes == [{"key_1": (NOW, "192.0.2.7")}] * 2
    assert written.uses.shown(key()).last_used_at == NOW


async def test_of_too_many_keys_those_are_left_out_that_were_not_used_since(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_uses, "MOST_NOTED", 2)
    written = Written()
    for number in (1, 2, 1, 3):
        written.uses.note(f"key_{number}")
    await written.uses.store()
    assert set(written.writes[0]) == {"key_1", "key_3"}
