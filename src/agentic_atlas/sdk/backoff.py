"""How long to wait before the next try to connect (design: Connection, Back-off).

Full jitter: a random part of a window that doubles with every try, so that a thousand agents cut off in the same
moment do not come back in the same moment.
"""

from collections.abc import Callable

FIRST = 0.2
"""Seconds: the window before the first try."""
LONGEST = 30.0
"""Seconds: the window never grows beyond this."""
MOST_ASKED = 300.0
"""Seconds: a server that asks for more patience is given this much."""


class Backoff:
    """The waits between tries; it never gives up. `random` returns numbers in [0, 1)."""

    def __init__(self, random: Callable[[], float], *, first: float = FIRST, longest: float = LONGEST) -> None:
        self._random = random
        self._first = first
        self._longest = longest
        self._window = first

    def next(self, retry_after: float | None = None) -> float:
        """Return the seconds to wait before the next try.

        `retry_after` is what the server asked for: the wait is at least that long (at most `MOST_ASKED`), and the
        jitter comes on top of it.
        """
        window, self._window = self._window, min(self._window * 2, self._longest)
        asked = 0.0 if retry_after is None else min(max(retry_after, 0.0), MOST_ASKED)
        return asked + self._random() * window

    def reset(self) -> None:
        """Begin with the shortest window again: the last connection was a stable one, or the machine woke up."""
        self._window = self._first
