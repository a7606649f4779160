"""When the token of a connection expires, said in time: an agent that outlives its token gets no more work."""

from datetime import UTC, datetime

_DAY = 86_400.0
WARN_WITHIN = (7 * _DAY, _DAY, 3_600.0, 600.0)
"""Seconds before the end; the first line comes at the connection, or when so many are left."""


class Expiry:
    """Says once at each of these times that the token expires. Times are seconds of a monotonic clock."""

    def __init__(self) -> None:
        self._ends_at: float | None = None
        self._until = ""
        self._agent = ""
        self._renewable = False
        self._replaced = False
        self._told = len(WARN_WITHIN) + 1
        """How many of these times were left when it was said last."""

    def begin(self, agent: str, expires_at: float, ends_at: float, *, renewable: bool, replaced: bool = False) -> None:
        """The agent's connection has a token that expires then: since the epoch, and on the clock that `line` is given.

        Of one that is renewable nothing is said: another one comes in its place. For one that is `replaced` there is
        one already, somewhere.
        """
        if self._ends_at is None or abs(ends_at - self._ends_at) > WARN_WITHIN[-1]:
            # Another token than the last time.
            self._told = len(WARN_WITHIN) + 1
        self._ends_at, self._until, self._agent = ends_at, in_date(expires_at), agent
        self._renewable, self._replaced = renewable, replaced

    def alone(self) -> None:
        """No other one comes in its place after all."""
        self._renewable = False

    def line(self, now: float) -> str | None:
        """Return what is to be said now, if it is time."""
        if self._ends_at is None or self._renewable:
            return None
        left = self._ends_at - now
        times = sum(left > seconds for seconds in WARN_WITHIN)
        if times == len(WARN_WITHIN) or times >= self._told:
            return None
        self._told = times
        fix = f"make a new one with `atlas tokens create {self._agent} --env .env`"
        if self._replaced:
            fix = "put the one that was made in its place into .env"
        return f"this token expires in {_in_words(left)} ({self._until}), and the agent gets no new task then: {fix}"


def in_date(seconds: float) -> str:
    """Return a time since the epoch as people read it."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M UTC}"


def _in_words(seconds: float) -> str:
    for size, name in ((_DAY, "day"), (3_600.0, "hour"), (60.0, "minute")):
        number = round(seconds / size)
        if seconds >= size:
            return f"{number} {name}{'' if number == 1 else 's'}"
    return "less than a minute"
