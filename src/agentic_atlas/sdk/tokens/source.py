"""Which token an agent connects with: the configured one, the one that came in its place, or a new one in `.env`.

A process stays with the lineage of tokens that it showed, for what it runs is known by that, until the router refuses
it for good; while another process has the seat of that one, the others are tried before it. A token that was refused
for good is not used again. While no other is there, the agent waits for one: it asks here again and again, and whoever
writes a new one into `.env` has it come back.
"""

import time
from collections.abc import Callable
from pathlib import Path

from agentic_atlas.errors import ConfigurationError, InvalidInput
from agentic_atlas.observe.logs import Log
from agentic_atlas.sdk import dotenv_file
from agentic_atlas.sdk.tokens.renewed import RenewedTokens
from agentic_atlas.sdk.tokens.unverified import lineage_name

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
        self._shown: str | None = None
        # Of another lineage, shown before that: it may be what this process is known by, until it is let in again.
        self._before: str | None = None
        self._in_use: str | None = None
        self._told = False

    def current(self) -> str:
        """Return the token for the next connection."""
        good = self._good()
        return min(good, key=self._rank, default=self._configured) if len(good) != 1 else good[0]

    def newest(self) -> str:
        """Return the token that is meant to be used in the end."""
        return next(iter(self._good()), self._configured)

    @property
    def usable(self) -> bool:
        """Whether there is a token that has not been refused."""
        return bool(self._good())

    def show(self, token: str | None) -> None:
        """This process says who it is with this token; None: it is known by none."""
        if token == self._shown:
            return
        if token is None or (self._shown is not None and not _same(token, self._shown)):
            self._before = None if token is None else self._shown
        self._shown = token

    def let_in(self) -> None:
        """The router has let this process in."""
        self._before = self._in_use = None

    def in_use(self, token: str) -> None:
        """The router keeps this process out for now: another has the token's seat, or it is known by another token."""
        self._in_use = token

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

    def _good(self) -> list[str]:
        """Return what has not been refused, the newest first."""
        held = self._in_file()
        if self._from_file and held is not None:
            self._configured = held[0]
        own = self._not_refused(self._configured, self._shown, self._before)
        # With a token from elsewhere, that in the file counts only when no other is left.
        return own if own or self._from_file or held is None else self._not_refused(held[0])

    def _not_refused(self, *firsts: str | None) -> list[str]:
        chains = [self._kept.chain(first) for first in dict.fromkeys(firsts) if first is not None]
        return [token for chain in chains for token in chain if token not in self._refused]

    def _rank(self, token: str) -> int:
        """Return a lower number for what is tried sooner."""
        if self._in_use is not None and _same(token, self._in_use):
            return 2
        return int(self._shown is None or not _same(token, self._shown))

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
            self._log.info("token_noted", message=line)


def _same(one: str, other: str) -> bool:
    return lineage_name(one) == lineage_name(other)
