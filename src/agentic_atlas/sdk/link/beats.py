"""The beats of one connection: when one is due, what its answer tells, and when the silence was too long. Pure.

All times are seconds of one monotonic clock, and arguments.
"""

from agentic_atlas.sdk.link.settings import Timeouts

_SHORTEST = 0.01
"""Seconds: a router that wants beats more often than this does not get them."""


class Beats:
    """Counts the beats that were sent and answered.

    Attributes:
        sent: number of the last beat.
        answered: number of the last beat that the router has answered; it answers in order.
    """

    def __init__(self, timeouts: Timeouts, every: float, now: float) -> None:
        """Begin with a connection that was let in now, and whose router wants a beat so often."""
        self.sent = 0
        self.answered = 0
        self._timeouts = timeouts
        self._every = max(every, _SHORTEST)
        self._due_at = now
        self._heard_at = now
        self._unanswered_since: float | None = None
        self._probe: tuple[int, float] | None = None
        self._buffered = 0

    def due(self, now: float) -> bool:
        """Tell whether a beat is to be sent."""
        return now >= self._due_at

    def next(self, now: float) -> int:
        """Return the number of the beat that is sent now."""
        self.sent += 1
        self._due_at = now + self._every
        if self._unanswered_since is None:
            self._unanswered_since = now
        return self.sent

    def heard(self, now: float) -> None:
        """The router said something, or nothing could be heard: that is no silence of the router's."""
        self._heard_at = now

    def answer(self, n: int) -> None:
        """The router answered a beat."""
        self.answered = max(self.answered, n)
        if self.answered >= self.sent:
            self._unanswered_since = None
        if self._probe is not None and self.answered >= self._probe[0]:
            self._probe = None

    def begin_probe(self, now: float) -> None:
        """The clock jumped: the answer to the beat that is sent next decides whether the connection is still there."""
        # What was due before the jump says nothing.
        self._heard_at, self._unanswered_since = now, None
        self._probe = (self.sent + 1, now)

    def end_probe(self) -> None:
        """Wait for no certain answer any more."""
        self._probe = None

    def overdue(self, now: float, buffered: int) -> str | None:
        """Return why the connection is to be given up, or None; `buffered` is how many bytes wait to be sent."""
        if self._probe is not None and now - self._probe[1] > self._timeouts.probe:
            return "the connection did not survive the sleep of this machine"
        if buffered < self._buffered:
            # A slow line that still carries what waits is not dead.
            self._heard_at = now
        self._buffered = buffered
        if self._unanswered_since is None:
            return None
        patience = self._timeouts.silent_beats * self._every
        # Counted from what was heard last, or a cut right after an answer would be found a whole beat later. A beat
        # that went out late, because this process had no time, has half of one for its answer all the same.
        quiet = now - max(self._heard_at, self._unanswered_since - patience + self._every / 2)
        return None if quiet < patience else f"the router has not answered for {quiet:.1f} s"
