"""The bus within one process: handlers are called at once, on the publisher's loop."""

from agentic_atlas.bus.base import Handler, Subscription


class LocalBus:
    """A dictionary of subjects. Not for several threads."""

    def __init__(self) -> None:
        self._handlers: dict[str, dict[int, Handler]] = {}
        self._next = 0

    def publish(self, subject: str, payload: bytes = b"") -> None:
        """See `Bus.publish`."""
        for handler in list(self._handlers.get(subject, {}).values()):
            handler(subject, payload)

    def subscribe(self, subject: str, handler: Handler) -> Subscription:
        """See `Bus.subscribe`."""
        self._next += 1
        self._handlers.setdefault(subject, {})[self._next] = handler
        return _LocalSubscription(self, subject, self._next)

    def _remove(self, subject: str, number: int) -> None:
        handlers = self._handlers.get(subject, {})
        handlers.pop(number, None)
        if not handlers:
            self._handlers.pop(subject, None)


class _LocalSubscription:
    def __init__(self, bus: LocalBus, subject: str, number: int) -> None:
        self._bus, self._subject, self._number = bus, subject, number

    def cancel(self) -> None:
        self._bus._remove(self._subject, self._number)
