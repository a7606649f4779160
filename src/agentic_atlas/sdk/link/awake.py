"""Noticing that the machine slept (design: Sleep): a connection that looks open may be long gone by then."""


class Awake:
    """Compares the wall clock with the monotonic one; both in seconds, read at the same moment."""

    def __init__(self, wall: float, monotonic: float, jump: float) -> None:
        self._wall = wall
        self._monotonic = monotonic
        self._jump = jump

    def jumped(self, wall: float, monotonic: float) -> bool:
        """Tell whether the clocks have drifted apart since the last look, or the last look is too long ago.

        The second covers systems whose monotonic clock goes on in sleep, and a process that was stopped.
        """
        passed = monotonic - self._monotonic
        drift = abs((wall - self._wall) - passed)
        self._wall, self._monotonic = wall, monotonic
        return drift > self._jump or passed > self._jump
