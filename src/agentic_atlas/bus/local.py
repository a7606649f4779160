"""The bus within one process: handlers are called at once, on the publisher's loop."""

from collections.abc import Callable
from functools import partial

from agentic_atlas.bus.base import Handler


class LocalBus:
    """A dictionary of subjects. Not for several threads."""

    def __init__(self, heard: Callable[[], object] = lambda: None) -> None:
        """Begin; `heard` is called after all that is said."""
        self._heard = heard
        self._handlers: dict[str, dict[int, Handler]] = {}
        self._next = 0

    def publish(self, subject: str, payload: bytes = b"") -> None:
        """See `Bus.publish`."""
        for handler in list(self._handlers.get(subject, {}).values()):
            handler(subject, payload)
        self._heard()

    def subscribe(self, subject: str, handler: Handler) -> Callable[[], None]:
        """See `Bus.subscribe`."""
        self._next += 1
        self._handlers.setdefault(subject, {})[self._next] = handler
        return partial(self._remove, subject, self._next)

    def _remove(self, subject: str, number: int) -> None:
        handlers = self._handlers.get(subject, {})
        handlers.pop(number, None)
        if not handlers:
            self._handlers.pop(subject, None)
