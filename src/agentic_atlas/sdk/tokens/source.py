"""Which token an agent connects with: the configured one, or a new one in `.env`.

A token that the router has refused for good is not used again. While no other is there, the agent waits for one: it
asks here again and again, and whoever writes a new one into `.env` has it come back.
"""

from collections.abc import Callable
from pathlib import Path

VARIABLE = "AGENT_JWT_TOKEN"


class TokenSource:
    """Gives the token for each connection. All of it belongs to the link's thread; every call is quick."""

    def __init__(
        self,
        configured: str,
        *,
        from_file: bool = False,
        in_file: Callable[[], tuple[str, Path] | None] = lambda: None,
    ) -> None:
        """Prepare.

        Args:
            configured: the token that the agent was started with.
            from_file: whether it was in `.env`, so that a new one there takes its place.
            in_file: returns what `.env` has now, and where that is; None when it has none.
        """
        self._configured = configured
        self._from_file = from_file
        self._in_file = in_file
        self._refused: set[str] = set()

    def current(self) -> str:
        """Return the token for the next connection."""
        candidates = self._candidates()
        return next((token for token in candidates if token not in self._refused), candidates[0])

    @property
    def usable(self) -> bool:
        """Whether there is a token that has not been refused."""
        return not self._refused.issuperset(self._candidates())

    def refuse(self, token: str) -> None:
        """The router has refused this token for good."""
        self._refused.add(token)

    def _candidates(self) -> list[str]:
        """Return what may be used, the best first."""
        held = self._in_file()
        if held is not None and self._from_file:
            self._configured = held[0]
        # With a token from elsewhere, that in the file counts only when there is no other.
        return [self._configured] if held is None else [self._configured, held[0]]
