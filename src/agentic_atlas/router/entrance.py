"""Whom the router turns away at the handshake though their token is good: cheaply, before anything of theirs is read.

Pure; the time is passed in. What is remembered is bounded, and the oldest is forgotten first: whoever is let in wrongly
is found out at `hello`, as after a restart.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

from agentic_atlas import auth
from agentic_atlas.errors import Busy, Forbidden, Unauthenticated
from agentic_atlas.protocol.inside.messages import Identity, TokenKey

if TYPE_CHECKING:
    from agentic_atlas.auth import VerificationKey

MOST_SILENT = 4
"""Connections of one token that have not said `hello`: one that was cut and its successors."""
MOST_REMEMBERED = 10_000
"""Tokens whose pauses are remembered; of more, the oldest are forgotten."""
FIRST_PAUSE = 1.0
"""Seconds that a token waits whose connection was closed for what came on it; twice as long each time."""
LONGEST_PAUSE = 30.0
"""Seconds that a pause grows to, at the most."""
FORGIVEN = 60.0
"""Seconds after its last pause when a token begins afresh."""
_SHUT = 60.0
"""Seconds after which the backend is asked again whether an agent is disabled."""

V = TypeVar("V")


class Entrance:
    """What is known of those who may not come in, or not now."""

    def __init__(self) -> None:
        self.keys: Mapping[str, VerificationKey] = {}
        """What tokens are verified with, by their ids."""
        self._revoked: dict[str, str] = {}
        self._shut: dict[str, tuple[str, float]] = {}
        self._pauses: dict[str, tuple[float, float]] = {}

    def check(self, identity: Identity, silent: int, now: float) -> None:
        """Let somebody pass with this token, of which so many connections have not said `hello`.

        Raises:
            Unauthenticated: the token is revoked. Forbidden: its agent is disabled or deleted.
            Busy: its last connection was closed for what came on it, or it has too many silent ones.
        """
        revoked = self._revoked.get(identity.token_id)
        if revoked is not None:
            raise Unauthenticated("the token has been revoked", code=revoked)
        shut, until = self._shut.get(identity.agent_id) or ("", 0.0)
        if now < until:
            raise Forbidden("this agent or its owner is disabled, or it was deleted", code=shut)
        until, _ = self._pauses.get(identity.token_id) or (0.0, 0.0)
        if now < until:
            raise Busy("the last connection with this token broke the protocol", code="paused", retry_after=until - now)
        if silent >= MOST_SILENT:
            raise Busy(
                f"{silent} connections with this token have not said hello", code="too_many_silent", retry_after=5.0
            )

    def verify_with(self, keys: Sequence[TokenKey]) -> None:
        """Verify tokens with these from now on, and with no other."""
        self.keys = auth.read_keys((key.x, key.created_at, key.retire_at) for key in keys)

    def revoke(self, token_id: str, code: str) -> None:
        """Let nobody in with this token any more."""
        _remember(self._revoked, token_id, code)

    def shut_out(self, agent_id: str, code: str, now: float) -> None:
        """Let no instance of this agent in for a while."""
        _remember(self._shut, agent_id, (code, now + _SHUT))

    def readmit(self, agent_id: str) -> None:
        """The agent may come in again, as far as is known here."""
        self._shut.pop(agent_id, None)

    def pause(self, token_id: str, now: float) -> float:
        """A connection with this token is closed for what came on it; return how many seconds the next one waits."""
        until, last = self._pauses.get(token_id) or (0.0, 0.0)
        seconds = min(2 * last, LONGEST_PAUSE) if last and now < until + FORGIVEN else FIRST_PAUSE
        _remember(self._pauses, token_id, (now + seconds, seconds))
        return seconds


def _remember(entries: dict[str, V], key: str, value: V) -> None:
    entries.pop(key, None)
    entries[key] = value
    if len(entries) > MOST_REMEMBERED:
        del entries[next(iter(entries))]
