"""Whether an instance wants new work: not while it drains, is busy, or its handlers' loop lags. Pure."""

from agentic_atlas.protocol.messages import RefuseReason
from agentic_atlas.protocol.tasks import Holdup

_LONGEST_PAUSE = 30.0
"""Seconds. One that refuses again and again is asked seldom: each try is on record in its task's events."""


class Readiness:
    """What an instance said of itself.

    Attributes:
        oldest_result: seconds for which its oldest result waits to be acknowledged; 0 when none does.
        busy_until: when it may be given work again, since it refused some; None when it may now.
    """

    def __init__(self, max_lag: float, busy_pause: float) -> None:
        self.oldest_result = 0.0
        self._max_lag = max_lag
        self._busy_pause = busy_pause
        self._pause = busy_pause
        self._lag = 0.0
        self._draining = False
        self.busy_until: float | None = None

    @property
    def willing(self) -> bool:
        """True when it wants new work."""
        return self.holdup is None

    @property
    def holdup(self) -> Holdup | None:
        """Why it does not want new work; None when it does."""
        if self._draining:
            return Holdup.DRAINING
        if self._lag > self._max_lag:
            return Holdup.BLOCKED
        return Holdup.REFUSED if self.busy_until is not None else None

    @property
    def draining(self) -> bool:
        """True when it is about to end."""
        return self._draining

    def drains(self) -> None:
        """It is about to end: no new work, for good."""
        self._draining = True

    def refused(self, reason: RefuseReason, now: float) -> None:
        """It gave a task back. Busy is for a while, longer each time, or it would get the same task at once."""
        if reason is RefuseReason.DRAINING:
            self.drains()
        elif reason is RefuseReason.BUSY and self.busy_until is None:
            # Several at once, delivered before the first was refused, say no more than one.
            self.busy_until = now + self._pause
            self._pause = min(2.0 * self._pause, _LONGEST_PAUSE)

    def accepted(self) -> None:
        """It took a task."""
        self._pause = self._busy_pause

    def lags(self, lag: float) -> bool:
        """Its loop is late by so many seconds; True when that made it willing again."""
        before = self.willing
        self._lag = lag
        return self.willing and not before

    def tick(self, now: float) -> bool:
        """Let time pass; True when that made it willing again."""
        if self.busy_until is None or now < self.busy_until:
            return False
        self.busy_until = None
        return self.willing
