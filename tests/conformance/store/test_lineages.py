"""Promises of the stores about tokens that take each other's place."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from agentic_atlas.backend.domain.records import Token
from agentic_atlas.backend.ports import MOST_OF_LINEAGE, Store
from agentic_atlas.errors import Conflict
from tests.conformance.store.conftest import Open
from tests.conformance.store.samples import LIBRARY, NOW, TOKEN, instance, populate

OTHER = Token("tok_other", LIBRARY.id, "desk", NOW, NOW + 3600)


def after(number: int, **more: Any) -> Token:
    """Return one that comes out of the sample, made so many seconds after it."""
    made = {"id": f"tok_{number}", "issued_at": NOW + number, "lineage": TOKEN.id}
    return msgspec.structs.replace(TOKEN, **{**made, **more})


async def grown(store: Store) -> None:
    """A lineage of three, and a token that has nothing to do with it."""
    await populate(store)
    await store.tokens.add(OTHER)
    for number in (2, 3):
        assert await store.tokens.renew(after(number), TOKEN.id)


async def test_tokens_of_a_lineage_are_found_by_its_first(opened: Open) -> None:
    async with opened() as store:
        await grown(store)
        assert await store.tokens.of_lineage(TOKEN.id) == [after(3), after(2), TOKEN]
        assert await store.tokens.of_lineage(OTHER.id) == [OTHER]
        assert await store.tokens.of_lineage("tok_none") == []


async def test_all_of_a_token_comes_back_as_it_was(opened: Open) -> None:
    async with opened() as store:
        await populate(store)
        full = after(2, lifetime=5.0, renewable_until=NOW + 9, retires_at=NOW + 7, last_instance="i", last_host="h")
        assert await store.tokens.renew(full, TOKEN.id)
        assert await store.tokens.get(full.id) == full


@pytest.mark.parametrize("named", [TOKEN.id, "tok_2"])
async def test_revoking_one_revokes_its_lineage_and_nothing_takes_its_place(opened: Open, named: str) -> None:
    async with opened() as store:
        await grown(store)
        revoked = await store.tokens.revoke(named, NOW + 9)
        assert revoked is not None
        assert (revoked.id, revoked.revoked_at) == (named, NOW + 9)
        assert {one.revoked_at for one in await store.tokens.of_lineage(TOKEN.id)} == {NOW + 9}
        assert await store.tokens.get(OTHER.id) == OTHER
        assert not await store.tokens.renew(after(4), "tok_3")
        assert await store.tokens.rotate(after(4), TOKEN.id, NOW) is None
        assert await store.tokens.get("tok_4") is None


async def test_all_others_end_when_one_takes_their_place_and_never_later_than_they_were_to(opened: Open) -> None:
    async with opened() as store:
        await grown(store)
        retired = [msgspec.structs.replace(one, retires_at=NOW + 60) for one in (TOKEN, after(2), after(3))]
        # Its id says nothing of when it is stored.
        assert await store.tokens.rotate(after(2, id="tok_0"), TOKEN.id, NOW + 60) == retired
        assert await store.tokens.get("tok_0") == after(2, id="tok_0")
        assert await store.tokens.get(OTHER.id) == OTHER
        later = await store.tokens.rotate(after(4), TOKEN.id, NOW + 90)
        assert later is not None
        assert {one.id: one.retires_at for one in later} == {
            "tok_0": NOW + 90,
            "tok_1": NOW + 60,
            "tok_2": NOW + 60,
            "tok_3": NOW + 60,
        }
        again = await store.tokens.rotate(after(70), TOKEN.id, NOW + 80)
        assert {one.id: one.retires_at for one in again or ()} == {"tok_0": NOW + 80, "tok_4": NOW + 80}


async def test_what_is_about_to_retire_is_not_renewed_and_what_took_its_place_is(opened: Open) -> None:
    async with opened() as store:
        await grown(store)
        assert await store.tokens.rotate(after(4), TOKEN.id, NOW + 60) is not None
        assert not await store.tokens.renew(after(5), "tok_3")
        assert await store.tokens.get("tok_5") is None
        assert not await store.tokens.renew(after(5), "tok_none")
        assert await store.tokens.renew(after(5), "tok_4")


async def test_what_is_over_does_not_retire(opened: Open) -> None:
    async with opened() as store:
        await populate(store)
        late = after(2, issued_at=NOW + 4000, expires_at=NOW + 9000)
        assert await store.tokens.rotate(late, TOKEN.id, NOW + 5000) == []
        assert await store.tokens.get(TOKEN.id) == TOKEN


async def test_a_lineage_forgets_its_oldest_that_nobody_has(opened: Open) -> None:
    async with opened() as store:
        await populate(store)
        for number in range(10, 35):
            assert await store.tokens.renew(after(number, expires_at=NOW + number + 0.5), TOKEN.id)
            if number == 10:
                await store.agents.register(instance(1, token_id="tok_10", lineage=TOKEN.id), "", [])
        assert await store.tokens.renew(after(99, expires_at=NOW + 200), TOKEN.id)
        kept = [one.id for one in await store.tokens.of_lineage(TOKEN.id)]
        newest = [f"tok_{number}" for number in range(34, 34 - MOST_OF_LINEAGE, -1)]
        assert kept == ["tok_99", *newest, "tok_10", TOKEN.id]


async def test_an_instance_comes_back_with_the_next_token_and_leaves_its_predecessors_to_who_has_that(
    opened: Open,
) -> None:
    async with opened() as store:
        await grown(store)
        await store.agents.register(instance(1, host="box", address="192.0.2.1"), "", [])
        again = await store.agents.register(instance(1, token_id="tok_2", lineage=TOKEN.id), "", [])
        assert again.generation > 1
        with pytest.raises(Conflict):
            await store.agents.register(instance(1, token_id=OTHER.id), "", [])
        await store.agents.register(instance(2, token_id="tok_3", lineage=TOKEN.id), "", [])
        left = {one.id: one.disconnected_at is None for one in await store.agents.instances(LIBRARY.id)}
        assert left == {"inst_1": False, "inst_2": True}, "they have one seat"
        assert await store.agents.departed(LIBRARY.id, TOKEN.id, ["inst_1", "inst_2"]) == ["inst_1"]
        assert await store.agents.departed(LIBRARY.id, OTHER.id, ["inst_1", "inst_2"]) == []


async def test_who_used_a_token_last_is_known_with_where_from(opened: Open) -> None:
    async with opened() as store:
        await grown(store)
        first = await store.agents.register(instance(1, host="box", address="192.0.2.1"), "", [])
        used = msgspec.structs.replace(
            TOKEN, last_used_at=NOW + 1, last_instance="inst_1", last_host="box", last_address="192.0.2.1"
        )
        assert await store.tokens.get(TOKEN.id) == used
        back = msgspec.structs.replace(first, generation=2, connected_at=NOW + 5, address="192.0.2.2")
        await store.agents.come_back(back)
        assert await store.tokens.get(TOKEN.id) == msgspec.structs.replace(
            used, last_used_at=NOW + 5, last_address="192.0.2.2"
        )
        assert await store.agents.instances(LIBRARY.id) == [back]


async def test_a_connection_goes_on_with_the_next_token_while_it_is_the_latest(opened: Open) -> None:
    async with opened() as store:
        await grown(store)
        held = await store.agents.register(instance(1, host="box", address="192.0.2.1"), "", [])
        await store.agents.go_on(held.id, held.generation + 1, after(2))
        assert await store.agents.instances(LIBRARY.id) == [held]
        await store.agents.go_on(held.id, held.generation, after(2))
        (now,) = await store.agents.instances(LIBRARY.id)
        assert now == msgspec.structs.replace(held, token_id="tok_2", lineage=TOKEN.id)
        used = await store.tokens.get("tok_2")
        assert used is not None
        assert (used.last_used_at, used.last_instance, used.last_host) == (NOW + 2, held.id, "box")
