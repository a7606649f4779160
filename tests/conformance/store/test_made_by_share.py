"""Tokens that somebody made by a share end in the write in which they lose it, and in no other: in every store."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from msgspec.structs import replace

from agentic_atlas.backend.domain.records import AccessLevel, Group, Role, Share, Token
from agentic_atlas.backend.ports import Ended, Store
from agentic_atlas.errors import NotFound
from tests.conformance.store.conftest import Open
from tests.conformance.store.samples import ADA, BOB, LIBRARY, NOW, TOKEN, populate

CALL, MANAGE = AccessLevel.CALL, AccessLevel.MANAGE
AT = NOW + 10
READERS = Group("grp_1", "readers", NOW)
WITH_BOB, WITH_READERS = f"user:{BOB.id}", f"group:{READERS.id}"
BOBS = Token("tok_bobs", LIBRARY.id, "bobs", NOW, NOW + 3600, made_by=BOB.id, by_share=True)
ADAS = Token("tok_adas", LIBRARY.id, "adas", NOW, NOW + 3600, made_by=ADA.id)
ONCE = Token("tok_once", LIBRARY.id, "once", NOW, NOW + 3600, made_by=BOB.id)
"""One of which it was not kept that bob made it of somebody else's agent."""


async def furnish(store: Store, *subjects: str) -> None:
    """The library is bob's to manage, as these; he has made a token of it, and others were made."""
    await populate(store)
    await store.groups.add(READERS)
    await store.groups.put_member(READERS.id, BOB.id)
    await store.shares.put(LIBRARY.id, [Share(subject, MANAGE) for subject in subjects], NOW)
    for token in (BOBS, ADAS, ONCE):
        await store.tokens.add(token)


async def changed(store: Store, **changes: Any) -> Ended:
    return (await store.users.update(BOB.id, AT, **changes))[1]


Ending = Callable[[Store], Awaitable[Any]]

ENDINGS: dict[str, tuple[str, Ending]] = {
    "shared with them no more": (WITH_BOB, lambda store: store.shares.drop(LIBRARY.id, [WITH_BOB], AT)),
    "shared with them for calling": (WITH_BOB, lambda store: store.shares.put(LIBRARY.id, [Share(WITH_BOB, CALL)], AT)),
    "shared with the group no more": (WITH_READERS, lambda store: store.shares.drop(LIBRARY.id, [WITH_READERS], AT)),
    "out of the group": (WITH_READERS, lambda store: store.groups.drop_member(READERS.id, BOB.id, AT)),
    "the group is gone": (WITH_READERS, lambda store: store.groups.delete(READERS.id, AT)),
    "disabled": (WITH_BOB, lambda store: changed(store, disabled_at=AT)),
    "a viewer": (WITH_BOB, lambda store: changed(store, role=Role.VIEWER)),
    "gone": (WITH_BOB, lambda store: store.users.delete(BOB.id, AT)),
}


@pytest.mark.parametrize("how", ENDINGS)
async def test_with_a_share_end_the_tokens_that_were_made_by_it_and_nothing_else(opened: Open, how: str) -> None:
    subject, end = ENDINGS[how]
    async with opened() as store:
        await furnish(store, subject)
        found = await end(store)
        assert (found if isinstance(found, list) else found[0]) == [replace(BOBS, revoked_at=AT)]
        listed = {one.id: one for one in await store.tokens.of_agent(LIBRARY.id)}
        assert listed == {one.id: one for one in (replace(BOBS, revoked_at=AT), ADAS, ONCE, TOKEN)}


async def test_who_may_still_manage_by_another_share_keeps_what_they_made_until_the_last_one_ends(opened: Open) -> None:
    async with opened() as store:
        await furnish(store, WITH_BOB, WITH_READERS)
        assert await store.shares.drop(LIBRARY.id, [WITH_BOB], AT) == []
        await store.shares.put(LIBRARY.id, [Share("everyone", CALL)], AT)
        assert [one.id for one in await store.groups.drop_member(READERS.id, BOB.id, AT)] == [BOBS.id]


async def test_an_administrator_manages_without_a_share_until_they_are_none(opened: Open) -> None:
    async with opened() as store:
        await furnish(store, WITH_BOB)
        await store.users.update(BOB.id, AT, role=Role.ADMIN)
        assert await store.shares.drop(LIBRARY.id, [WITH_BOB], AT) == []
        ended, *_ = await changed(store, role=Role.MEMBER)
        assert [one.id for one in ended] == [BOBS.id]


async def test_what_came_out_of_such_a_token_ends_with_it_and_what_another_person_made_of_it_does_not(
    opened: Open,
) -> None:
    async with opened() as store:
        await furnish(store, WITH_BOB)
        renewed = replace(BOBS, id="tok_renewed", issued_at=NOW + 1, lineage=BOBS.id)
        rotated = replace(renewed, id="tok_rotated", issued_at=NOW + 2, made_by=ADA.id, by_share=False)
        again = replace(rotated, id="tok_again", issued_at=NOW + 3)
        assert await store.tokens.renew(renewed, BOBS.id)
        assert await store.tokens.rotate(rotated, renewed.id, NOW + 100) is not None
        ended = await store.shares.drop(LIBRARY.id, [WITH_BOB], AT)
        assert [one.id for one in ended] == [BOBS.id, renewed.id]
        assert await store.tokens.renew(again, rotated.id), "the lineage goes on"
        assert await store.tokens.rotate(replace(again, id="tok_last"), renewed.id, NOW) is None


async def test_no_token_is_made_renewed_or_rotated_by_a_share_that_has_just_ended(opened: Open) -> None:
    async with opened() as store:
        await furnish(store, WITH_BOB)
        late = replace(BOBS, id="tok_late", issued_at=AT, lineage=ADAS.id)
        await store.shares.drop(LIBRARY.id, [WITH_BOB], AT)
        assert not await store.tokens.renew(replace(late, lineage=BOBS.id), BOBS.id)
        for ask in (store.tokens.add(late), store.tokens.rotate(late, ADAS.id, AT)):
            with pytest.raises(NotFound):
                await ask
        assert await store.tokens.get(late.id) is None
        assert await store.tokens.get(ADAS.id) == ADAS, "nothing of it is left"


async def test_what_is_over_is_not_said_to_end_with_a_share(opened: Open) -> None:
    async with opened() as store:
        await furnish(store, WITH_BOB)
        await store.tokens.revoke(BOBS.id, NOW + 1)
        await store.tokens.add(replace(BOBS, id="tok_short", expires_at=AT))
        assert await store.shares.drop(LIBRARY.id, [WITH_BOB], AT) == []


async def test_an_agent_is_shared_with_all_or_with_none(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agentic_atlas.backend.store.sharing.MOST_SHARES", 2)
    monkeypatch.setattr("agentic_atlas.backend.store.memory_sharing.MOST_SHARES", 2)
    async with opened() as store:
        await furnish(store, WITH_BOB)
        with pytest.raises(Exception, match="at most 2"):
            await store.shares.put(LIBRARY.id, [Share(WITH_READERS, CALL), Share("everyone", CALL)], AT)
        assert [name for _, name in await store.shares.named(LIBRARY.id)] == ["bob"]
