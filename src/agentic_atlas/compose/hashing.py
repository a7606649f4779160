"""Passwords are hashed here, with argon2id (RFC 9106), on threads of their own.

One hash takes tens of milliseconds and `MEMORY`, which is what makes guessing dear; so only `THREADS` are made at once
and few wait, or log-ins would be a way to fill the memory and to hold up everybody.
"""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Final, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.low_level import Type

from agentic_atlas.auth.passwords import plain
from agentic_atlas.errors import Busy

T = TypeVar("T")

MEMORY = 64 * 1024
"""KiB of memory that one hash of a password takes (RFC 9106 section 4, second recommended option)."""
PASSES = 3
"""Passes over that memory."""
THREADS = 2
"""Passwords that are hashed at the same time."""
MOST_WAITING = 64
"""Passwords that wait to be hashed, half of them of strangers; more are answered with Busy (`too_many_logins`)."""

_SALT, _HASH = "A" * 22, "A" * 43
"""Zeros in base64: what nobody's password comes to."""


class Argon2Passwords:
    """`backend.accounts.Passwords`; close it at the end.

    Args:
        memory: KiB that one hash takes.
        passes: over that memory.
    """

    def __init__(self, memory: int = MEMORY, passes: int = PASSES) -> None:
        # One lane: another would be another thread, and how many there are is said above.
        self._hasher: Final = PasswordHasher(time_cost=passes, memory_cost=memory, parallelism=1, type=Type.ID)
        self._nobodys: Final = f"$argon2id$v=19$m={memory},t={passes},p=1${_SALT}${_HASH}"
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="passwords")
        self._asked = 0

    async def hash(self, password: str) -> str:
        """See the port."""
        return await self._apart(lambda: self._hasher.hash(plain(password)))

    async def check(self, password: str, kept: str, *, known: bool) -> tuple[bool, str | None]:
        """See the port."""
        most = MOST_WAITING if known else MOST_WAITING // 2
        return await self._apart(lambda: self._check(plain(password), kept), most)

    def close(self) -> None:
        """End the threads; blocks for as long as one hash takes."""
        self._threads.shutdown(cancel_futures=True)

    def _check(self, password: str, kept: str) -> tuple[bool, str | None]:
        try:
            self._hasher.verify(kept or self._nobodys, password)
        except (VerificationError, InvalidHashError):
            return False, None
        # What is kept says itself with which parameters it was made.
        return True, self._hasher.hash(password) if self._hasher.check_needs_rehash(kept) else None

    async def _apart(self, work: Callable[[], T], most: int = MOST_WAITING) -> T:
        if self._asked >= THREADS + most:
            raise Busy("too many people log in at this moment: try again", code="too_many_logins", retry_after=2.0)
        self._asked += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._asked -= 1


@contextmanager
def hashing() -> Iterator[Argon2Passwords]:
    """Give what hashes passwords until the end of the block."""
    passwords = Argon2Passwords()
    try:
        yield passwords
    finally:
        passwords.close()
