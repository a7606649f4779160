"""When the token of a connection is renewed: in the last third of its life, each agent at a time of its own.

Nothing here waits. All times are seconds of one monotonic clock, and arguments.
"""

from collections.abc import Callable
from typing import Final

from agentic_atlas.sdk.tokens import unverified

LAST_PART: Final = 1 / 3
"""Part of its life that a token has left when it is renewed; up to a quarter less, so that not all ask at once."""
_JITTER: Final = 1 / 4
_TRIES: Final = 8
"""Times that it could be asked, without an answer, until the token expires."""
_SOONEST: Final = 1.0
_LATEST: Final = 3_600.0
"""Seconds between two tries, at the least and at the most."""


class RenewalTimes:
    """Says when to ask. `random` returns numbers in [0, 1)."""

    def __init__(self, random: Callable[[], float]) -> None:
        self._random = random
        self._ends_at = 0.0
        self._due_at: float | None = None

    @property
    def expected(self) -> bool:
        """Whether another token comes in the place of this one, as far as is known."""
        return self._due_at is not None

    def begin(self, token: str, left: float, now: float, *, renewable: bool) -> None:
        """The connection has this token, which is good for so many seconds more."""
        said = unverified.read(token)
        life = left if said.iat is None or said.exp is None else max(left, said.exp - said.iat)
        self._ends_at = now + left
        self._due_at = self._ends_at - life * LAST_PART * (1.0 - self._random() * _JITTER) if renewable else None

    def due(self, now: float) -> bool:
        """Tell whether to ask now; it counts as asked then, and is due again when no answer comes."""
        if self._due_at is None or not self._due_at <= now < self._ends_at:
            return False
        self._due_at = now + min(max((self._ends_at - now) / _TRIES, _SOONEST), _LATEST)
        return True

    def refused(self, retry_after: float | None, now: float) -> None:
        """There is no other token now; None for never."""
        self._due_at = None if retry_after is None else now + max(retry_after, _SOONEST)
