"""The server's clock, as far as it is known here: deadlines are in it, and this machine's own may be wrong."""

import time
from collections.abc import Callable


class ServerClock:
    """The server's time, carried on by a monotonic clock from each `welcome`.

    Safe to read and set from any thread: it is one number.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._offset = 0.0

    def set(self, now: float) -> None:
        """Take the server's time, just told."""
        self._offset = now - self._monotonic()

    def now(self) -> float:
        """Return seconds since the epoch on the server's clock."""
        return self._monotonic() + self._offset

    def monotonic(self) -> float:
        """Return seconds that only ever pass, whatever the server's clock does."""
        return self._monotonic()
