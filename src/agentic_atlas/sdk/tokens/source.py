"""Which token an agent connects with: the configured one, the one that came in its place, or a new one in `.env`.

A token that the router has refused for good is not used again. While no other is there, the agent waits for one: it
asks here again and again, and whoever writes a new one into `.env` has it come back.
"""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

from agentic_atlas.errors import ConfigurationError, InvalidInput
from agentic_atlas.sdk import dotenv_file
from agentic_atlas.sdk.logs import Log
from agentic_atlas.sdk.tokens.renewed import RenewedTokens

VARIABLE = "AGENT_JWT_TOKEN"


class TokenSource:
    """Gives the token for each connection. All of it belongs to the link's thread; every call is quick."""

    def __init__(
        self,
        configured: str,
        *,
        log: Log,
        from_file: bool = False,
        in_file: Callable[[], tuple[str, Path] | None] = lambda: None,
        kept: RenewedTokens | None = None,
        wall: Callable[[], float] = time.time,  # noqa: TID251 - tokens end at a time of day
    ) -> None:
        """Prepare.

        Args:
            configured: the token that the agent was started with.
            log: where to say what becomes of a renewed one.
            from_file: whether it was in `.env`, so that a new one there takes its place.
            in_file: returns what `.env` has now, and where that is; None when it has none.
            kept: the tokens that were renewed.
            wall: seconds since the epoch.
        """
        self._configured = configured
        self._from_file = from_file
        self._in_file = in_file
        self._kept = kept or RenewedTokens(None)
        self._wall = wall
        self._log = log
        self._refused: set[str] = set()
        self._told = False

    def current(self) -> str:
        """Return the token for the next connection."""
        return next(self._good(), self._configured)

    @property
    def usable(self) -> bool:
        """Whether there is a token that has not been refused."""
        return next(self._good(), None) is not None

    def refuse(self, token: str) -> None:
        """The router has refused this token for good."""
        self._refused.add(token)

    def renew(self, token: str, renewed: str) -> None:
        """Another token came in the place of this one: keep it for the next connection, and the next process."""
        try:
            self._kept.keep(token, renewed, self._wall())
        except OSError as error:
            self._tell(f"the renewed token is kept in memory only ({error.strerror or type(error).__name__})")
        held = self._in_file()
        if held is not None and held[0] == token:
            self._write(held[1], renewed)

    def _good(self) -> Iterator[str]:
        """Yield what has not been refused, the best first."""
        return (token for token in self._candidates() if token not in self._refused)

    def _candidates(self) -> Iterator[str]:
        held = self._in_file() if self._from_file else None
        if held is not None:
            self._configured = held[0]
        yield from self._kept.chain(self._configured)
        # With a token from elsewhere, that in the file counts only when no other is left.
        other = None if self._from_file else self._in_file()
        if other is not None:
            yield from self._kept.chain(other[0])

    def _write(self, file: Path, renewed: str) -> None:
        """Put the token in the place of the older one in `.env`, where that is a file that can be replaced."""
        try:
            dotenv_file.replace_value(file, VARIABLE, renewed)
        except (OSError, ConfigurationError, InvalidInput) as error:
            why = error.strerror if isinstance(error, OSError) else str(error)
            self._tell(f"{file} keeps the token from before its renewal ({why}); the new one is used all the same")
        else:
            self._configured = renewed if self._from_file else self._configured

    def _tell(self, line: str) -> None:
        if not self._told:
            self._told = True
            self._log.info(line)
