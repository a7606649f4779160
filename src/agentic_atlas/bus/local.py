"""The bus: subjects, subscribers, and no promise of delivery. Handlers are called at once, on the publisher's loop.

A message says "look again", never the only copy of anything: the truth is in the store. Subjects are words joined by
dots, for instance `task.tsk_01J…`.
"""

from collections.abc import Callable
from functools import partial

Handler = Callable[[str, bytes], None]
"""Called with subject and payload on the subscriber's event loop; it must return at once and not raise."""


class Bus:
    """A dictionary of subjects, within one process. Not for several threads."""

    def __init__(self, heard: Callable[[], object] = lambda: None) -> None:
        """Begin; `heard` is called after all that is said."""
        self._heard = heard
        self._handlers: dict[str, dict[int, Handler]] = {}
        self._next = 0

    def publish(self, subject: str, payload: bytes = b"") -> None:
        """Tell every subscriber of exactly this subject; returns at once."""
        handlers = self._handlers.get(subject)
        for handler in list(handlers.values()) if handlers else ():
            handler(subject, payload)
        self._heard()

    def subscribe(self, subject: str, handler: Handler) -> Callable[[], None]:
        """Have `handler` called for each message on `subject` from now on, until what is returned is called."""
        self._next += 1
        self._handlers.setdefault(subject, {})[self._next] = handler
        return partial(self._remove, subject, self._next)

    def _remove(self, subject: str, number: int) -> None:
        handlers = self._handlers.get(subject, {})
        handlers.pop(number, None)
        if not handlers:
            self._handlers.pop(subject, None)
