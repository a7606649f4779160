"""When a request is tried again: one pure rule, and what it takes from outside."""

import asyncio
import random
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from agentic_atlas.errors import AtlasError, Busy, Unavailable
from agentic_atlas.sdk.client.errors import ConnectionCut

FIRST_PAUSE = 0.1
"""Seconds: the window before the first repetition."""
LONGEST_PAUSE = 3.0
"""Seconds: the window never grows beyond this."""
LASTING = frozenset({"agent_offline", "agent_disabled", "storage_full"})
"""Codes of what is away, or full, until somebody does something: waiting a moment does not help."""


@dataclass(frozen=True)
class Sources:
    """What the client takes from outside: clock, sleep, chance and keys."""

    clock: Callable[[], float] = time.monotonic
    """Seconds; only differences count."""
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    chance: Callable[[], float] = random.random
    """A number in [0, 1)."""
    key: Callable[[], str] = lambda: secrets.token_hex(16)
    """A new idempotency key, never the same twice."""


def pause(error: AtlasError, *, tries: int, waited: float, patience: float, repeatable: bool) -> float | None:
    """Return the seconds to wait before the next try, or None when the error is the answer.

    Args:
        error: why the try failed.
        tries: how many have failed, this one included.
        waited: seconds since the first of them failed.
        patience: seconds after which no other try begins.
        repeatable: the request can arrive twice without harm; else only one that was refused or never sent is repeated.
    """
    if not isinstance(error, Busy | Unavailable) or (isinstance(error, ConnectionCut) and not repeatable):
        return None
    if error.code in LASTING:
        return None
    seconds = max(min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(tries - 1, 16)), error.retry_after)
    return seconds if waited + seconds <= patience else None


class Tries:
    """The failures of one request, or of one stream that is opened again and again."""

    def __init__(self, sources: Sources, patience: float) -> None:
        self.patience = patience
        self._sources = sources
        self._failed = 0
        self._since: float | None = None

    def alive(self) -> None:
        """The server showed that it is there: patience counts anew from the next failure."""
        self._since = None

    def progress(self) -> None:
        """What was asked for goes on: earlier failures do not count any more."""
        self._since, self._failed = None, 0

    async def again(self, error: AtlasError, *, repeatable: bool = True) -> None:
        """Return when the next try may begin; raise the error when there is none (see `pause`)."""
        now = self._sources.clock()
        self._since = now if self._since is None else self._since
        self._failed += 1
        seconds = pause(
            error, tries=self._failed, waited=now - self._since, patience=self.patience, repeatable=repeatable
        )
        if seconds is None:
            raise error
        # Up to a half longer, so that many clients do not come back at the same moment.
        await self._sources.sleep(seconds * (1 + self._sources.chance() / 2))
