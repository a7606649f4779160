"""Promises of the stores about tokens that end with a signing key."""

from __future__ import annotations

from msgspec.structs import replace

from agentic_atlas.backend.domain.records import Token
from agentic_atlas.backend.ports import Store
from tests.conformance.store.conftest import Open
from tests.conformance.store.samples import LIBRARY, NOW, TOKEN, populate

OLD, NEW = "old-" + 39 * "k", "new_" + 39 * "k"


def token(name: str, key_id: str, *earlier: str, **more: float) -> Token:
    made = Token(f"tok_{name}", LIBRARY.id, name, NOW, NOW + 3600, key_id=key_id, earlier_keys=earlier)
    return replace(made, **more)


SIGNED, RENEWED, OTHER = token("signed", OLD), token("renewed", NEW, "else", OLD), token("other", NEW, "else")
OVER, REVOKED = token("over", OLD, expires_at=NOW + 1), token("revoked", OLD, revoked_at=NOW + 1)


async def furnished(store: Store, *tokens: Token) -> None:
    await populate(store)
    for one in tokens:
        await store.tokens.add(one)


async def test_what_rests_on_a_key_ends_with_it_and_what_had_not_ended_is_told(opened: Open) -> None:
    async with opened() as store:
        # Nobody knows what signed the sample.
        await furnished(store, SIGNED, RENEWED, OTHER, OVER, REVOKED)
        living = [(one, LIBRARY.full_name) for one in (TOKEN, RENEWED, SIGNED)]
        assert await store.tokens.resting_on(OLD, NOW + 5) == living
        assert await store.tokens.withdraw(OLD, NOW + 5) == living
        assert await store.tokens.withdraw(OLD, NOW + 9) == await store.tokens.resting_on(OLD, NOW + 9) == []
        for one in (TOKEN, SIGNED, RENEWED, OVER):
            assert await store.tokens.get(one.id) == replace(one, revoked_at=NOW + 5, withdrawn=True)
        for one in (OTHER, REVOKED):
            assert await store.tokens.get(one.id) == one


async def test_what_ended_with_a_key_is_not_renewed_and_a_person_may_have_another_one_made_for_it(opened: Open) -> None:
    async with opened() as store:
        await furnished(store, SIGNED)
        rotated = token("rotated", NEW)
        rotated = replace(rotated, lineage=SIGNED.id, issued_at=NOW + 3)
        assert await store.tokens.rotate(rotated, SIGNED.id, NOW + 60) is not None
        await store.tokens.withdraw(OLD, NOW + 5)
        assert not await store.tokens.renew(token("late", NEW, OLD), SIGNED.id)
        renewed = replace(token("next", NEW), lineage=SIGNED.id, issued_at=NOW + 7)
        assert await store.tokens.renew(renewed, rotated.id)
        again = replace(token("again", NEW), lineage=SIGNED.id, issued_at=NOW + 8)
        retired = await store.tokens.rotate(again, renewed.id, NOW + 60)
        assert {one.id for one in retired or ()} == {renewed.id, rotated.id}, "the one that ended has"


async def test_a_person_who_revokes_what_ended_with_a_key_ends_its_lineage(opened: Open) -> None:
    async with opened() as store:
        await furnished(store, SIGNED)
        await store.tokens.withdraw(OLD, NOW + 5)
        assert await store.tokens.revoke(SIGNED.id, NOW + 9) == replace(SIGNED, revoked_at=NOW + 5)
        assert await store.tokens.rotate(replace(token("late", NEW), lineage=SIGNED.id), SIGNED.id, NOW + 60) is None


async def test_what_no_known_key_has_signed_ends_unless_nobody_knows_which_has(opened: Open) -> None:
    async with opened() as store:
        await furnished(store, SIGNED, RENEWED, OVER)
        await store.tokens.withdraw_others([NEW], NOW + 5)
        assert await store.tokens.get(SIGNED.id) == replace(SIGNED, revoked_at=NOW + 5, withdrawn=True)
        for one in (TOKEN, RENEWED, OVER):
            assert await store.tokens.get(one.id) == one
