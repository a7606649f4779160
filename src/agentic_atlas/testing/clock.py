"""The time of a network in memory: its loop's, put forward where nobody would notice."""

from collections.abc import Callable


class Clock:
    """Seconds that only ever pass; `wall` is the same time since the epoch."""

    def __init__(self, monotonic: Callable[[], float], wall: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._skipped = 0.0
        self._epoch = wall() - monotonic()

    def __call__(self) -> float:
        """Return the present time."""
        return self._monotonic() + self._skipped

    def wall(self) -> float:
        """Return the present time in seconds since the epoch."""
        return self() + self._epoch

    def skip(self, seconds: float) -> None:
        """Put the clock forward."""
        self._skipped += seconds
