"""The bus: subjects, subscribers, and no promise of delivery.

A message says "look again", never the only copy of anything: the truth is in the store. Subjects are words joined by
dots, for instance `task.tsk_01J…`.
"""

from collections.abc import Callable
from typing import Protocol

Handler = Callable[[str, bytes], None]
"""Called with subject and payload on the subscriber's event loop; it must return at once and not raise."""


class Bus(Protocol):
    """Publish and subscribe; the whole of it."""

    def publish(self, subject: str, payload: bytes = b"") -> None:
        """Tell every subscriber of exactly this subject; returns at once, and drops the message when it can't."""

    def subscribe(self, subject: str, handler: Handler) -> Callable[[], None]:
        """Have `handler` called for each message on `subject` from now on, until what is returned is called."""
