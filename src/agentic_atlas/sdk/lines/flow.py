"""When log lines are sent on a connection: soon, many at a time, one message after the other, and after all else.

No thread, clock or socket: time and what looks again later are arguments. Used on the link's loop only.
"""

from collections.abc import Callable
from typing import Final

from agentic_atlas.protocol.messages import Logs, LogsAck, LogTerms
from agentic_atlas.sdk.lines.ring import LogRing

SENT_WITHIN: Final = 0.05
"""Seconds that a log line may wait for others to be sent with it; one that comes after a silence goes at once."""

_AGAIN: Final = 1.0
"""Seconds until lines are sent again for which there was no room."""
_SLOW: Final = 0.25
"""Seconds that a message may take to be kept. After a longer one the next is half as long: tasks share the line."""
_LEAST: Final = 20 * 1024
"""Bytes of the shortest message: any line fits."""
_SLACK: Final = 0.001
"""Seconds by which it is looked later, for a clock may be coarse."""


class LogFlow:
    """The lines of one agent on its connections, one after the other.

    Attributes:
        ring: where they wait.
        later: has the link look for what it may send, after so many seconds; set by the link.
    """

    def __init__(self, ring: LogRing, clock: Callable[[], float], settled: Callable[[], object] = lambda: None) -> None:
        """Prepare; `settled` is told of each acknowledgement."""
        self.ring = ring
        self.later: Callable[[float], object] = lambda _: None
        self._clock = clock
        self._settled = settled
        self._terms: LogTerms | None = None
        self._bytes = _LEAST
        self._sent_at = self._not_before = self._look_at = 0.0

    @property
    def owes(self) -> bool:
        """Whether there are lines that a router that is there would take, and does not have."""
        return self._terms is not None and self.ring.owed

    def begin(self, terms: LogTerms | None) -> None:
        """A connection is there, whose router takes lines on these terms; None: it takes none."""
        self._terms = terms
        self._bytes = _LEAST if terms is None else terms.frame_bytes
        self._not_before = self._look_at = self._clock()
        self.ring.again()

    def cut(self) -> None:
        """The connection is gone."""
        self._terms = None

    def next(self) -> Logs | None:
        """Return what is to be sent now, if anything; when it is too soon, the link looks again."""
        if self._terms is None:
            return None
        now = self._clock()
        if now < self._not_before:
            if not now < self._look_at <= self._not_before:
                self._look_at = self._not_before
                self.later(self._not_before - now + _SLACK)
            return None
        logs = self.ring.next(self._bytes)
        if logs is not None:
            self._sent_at, self._not_before = now, now + SENT_WITHIN
        return logs

    def kept(self, ack: LogsAck) -> None:
        """The router has kept lines, or has no room for them."""
        if self._terms is None:
            return
        now = self._clock()
        if not self.ring.kept(ack.up_to):
            self._not_before = now + _AGAIN
        elif now - self._sent_at > _SLOW:
            self._bytes = max(_LEAST, self._bytes // 2)
        else:
            self._bytes = min(self._terms.frame_bytes, self._bytes * 2)
        self._settled()
