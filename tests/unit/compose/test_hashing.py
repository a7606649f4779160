"""Passwords are hashed with argon2id, few at a time, and those of nobody take as long as any."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from agentic_atlas.compose.hashing import MOST_WAITING, THREADS, Argon2Passwords
from agentic_atlas.errors import Busy


@pytest.fixture
def passwords() -> Iterator[Argon2Passwords]:
    made = Argon2Passwords(memory=64, passes=1)
    yield made
    made.close()


async def test_a_password_is_kept_as_argon2id_with_a_salt_of_its_own(passwords: Argon2Passwords) -> None:
    first, second = await passwords.hash("tall trees"), await passwords.hash("tall trees")
    assert first != second
    assert first.startswith("$argon2id$v=19$m=64,t=1,p=1$")
    assert await passwords.check("tall trees", first, known=False) == (True, None)
    assert await passwords.check("tall treez", first, known=False) == (False, None)
    assert await passwords.check("tall trees", "no hash at all", known=False) == (False, None)


async def test_what_is_kept_of_nobody_is_hashed_all_the_same_and_matches_nothing(passwords: Argon2Passwords) -> None:
    for password in ("", "tall trees", "A" * 43):
        assert await passwords.check(password, "", known=False) == (False, None)
    # It is of a form that is computed: else it would be refused in no time.
    assert passwords._hasher.check_needs_rehash(passwords._nobodys) is False


async def test_letters_are_the_same_however_a_keyboard_writes_them(passwords: Argon2Passwords) -> None:
    kept = await passwords.hash("cafe\u0301 ﬁne")
    assert await passwords.check("caf\u00e9 fine", kept, known=False) == (True, None)


async def test_a_hash_of_other_parameters_is_taken_and_made_anew(passwords: Argon2Passwords) -> None:
    old = Argon2Passwords(memory=32, passes=2)
    kept = await old.hash("tall trees")
    old.close()
    right, renewed = await passwords.check("tall trees", kept, known=False)
    assert right
    assert renewed is not None
    assert renewed.startswith("$argon2id$v=19$m=64,t=1,p=1$")
    assert await passwords.check("wrong", kept, known=False) == (False, None)


async def test_few_wait_and_the_loop_goes_on_meanwhile() -> None:
    passwords = Argon2Passwords(memory=1024, passes=1)
    try:
        asked = [asyncio.ensure_future(passwords.hash("tall trees")) for _ in range(THREADS + MOST_WAITING)]
        await asyncio.sleep(0)
        with pytest.raises(Busy) as refused:
            await passwords.hash("tall trees")
        assert refused.value.code == "too_many_logins"
        assert len(set(await asyncio.gather(*asked))) == THREADS + MOST_WAITING
        await passwords.hash("tall trees")
    finally:
        passwords.close()


async def test_strangers_leave_room_for_those_who_are_known() -> None:
    passwords = Argon2Passwords(memory=1024, passes=1)
    try:
        tried = [
            asyncio.ensure_future(passwords.check("guess", "", known=False)) for _ in range(THREADS + MOST_WAITING // 2)
        ]
        await asyncio.sleep(0)
        with pytest.raises(Busy):
            await passwords.check("guess", "", known=False)
        assert await passwords.check("known", "", known=True) == (False, None)
        await asyncio.gather(*tried)
    finally:
        passwords.close()
