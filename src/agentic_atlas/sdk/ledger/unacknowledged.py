"""What one attempt has said and the router has not stored yet: part of the ledger."""

from collections import deque

from agentic_atlas.protocol.messages import Event, Result
from agentic_atlas.sdk.fitting import size
from agentic_atlas.sdk.ledger.open_calls import Key

_OVERHEAD = 256
"""Bytes a kept message takes beside its payload."""


class Unacknowledged:
    """One attempt, from its task until its result is acknowledged.

    Attributes:
        accepted: the runner has started it.
        unacknowledged: events sent on this connection, oldest first.
        waiting: events not yet sent on it, which follow those.
        last: number of the last event.
        left_out: events left out since the last one that was kept.
        result_sent: the result went out on this connection.
    """

    __slots__ = (
        "accepted", "key", "last", "left_out", "result", "result_sent", "skill", "unacknowledged", "waiting",
    )  # fmt: skip

    def __init__(self, key: Key, skill: str) -> None:
        self.key = key
        self.skill = skill
        self.accepted = False
        self.unacknowledged: deque[Event] = deque()
        self.waiting: deque[Event] = deque()
        self.last = 0
        self.left_out = 0
        self.result: Result | None = None
        self.result_sent = False

    @property
    def result_ready(self) -> bool:
        """The result may go: it is there, has not gone, and no event is left to go before it."""
        return self.result is not None and not self.result_sent and not self.waiting

    def held(self) -> int:
        """Return the bytes its kept messages take."""
        events = sum(weight(event) for queue in (self.unacknowledged, self.waiting) for event in queue)
        return events + (weight(self.result) if self.result else 0)


def weight(message: Event | Result) -> int:
    """Return the bytes that a kept message takes."""
    payload = message.data if isinstance(message, Event) else message.output
    return size(payload) + _OVERHEAD
