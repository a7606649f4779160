"""When the token of a connection expires, said in time: an agent that outlives its token gets no more work."""

from datetime import UTC, datetime

from agentic_atlas.protocol.messages import Welcome

_DAY = 86_400.0
WARN_WITHIN = (7 * _DAY, _DAY, 3_600.0, 600.0)
"""Seconds before the end; the first line comes at the connection, or when so many are left."""


class Expiry:
    """Says once at each of these times that the token expires. Times are seconds of a monotonic clock."""

    def __init__(self) -> None:
        self._ends_at: float | None = None
        self._until = ""
        self._agent = ""
        self._told = len(WARN_WITHIN) + 1
        """How many of these times were left when it was said last."""

    def welcomed(self, welcome: Welcome, now: float) -> None:
        """A connection was made with the token that expires then."""
        expires_at = welcome.token_expires_at
        ends_at = None if expires_at is None else now + expires_at - welcome.now
        if ends_at is None or self._ends_at is None or abs(ends_at - self._ends_at) > WARN_WITHIN[-1]:
            # Another token than the last time.
            self._told = len(WARN_WITHIN) + 1
        self._ends_at = ends_at
        self._until = "" if expires_at is None else f"{datetime.fromtimestamp(expires_at, UTC):%Y-%m-%d %H:%M UTC}"
        self._agent = welcome.agent

    def line(self, now: float) -> str | None:
        """Return what is to be said now, if it is time."""
        if self._ends_at is None:
            return None
        left = self._ends_at - now
        times = sum(left > seconds for seconds in WARN_WITHIN)
        if times == len(WARN_WITHIN) or times >= self._told:
            return None
        self._told = times
        fix = f"make a new one with `atlas tokens create {self._agent} --env .env`"
        return f"this token expires in {_in_words(left)} ({self._until}), and the agent gets no new task then: {fix}"


def _in_words(seconds: float) -> str:
    for size, name in ((_DAY, "day"), (3_600.0, "hour"), (60.0, "minute")):
        number = round(seconds / size)
        if seconds >= size:
            return f"{number} {name}{'' if number == 1 else 's'}"
    return "less than a minute"
