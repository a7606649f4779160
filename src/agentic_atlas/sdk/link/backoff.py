"""How long to wait before the next try to connect (design: Connection, Back-off).

Full jitter: a random part of a window that doubles with every try, so that a thousand agents cut off in the same
moment do not come back in the same moment.

How long the windows get is a matter of what there is to lose. While the grace period of the last connection runs, the
agent's tasks are its own, and being late by a whole window costs them: the windows stay at an eighth of it, 3.75 s of
30. So they do while the router may be on its way back from a restart, of its machine too: callers wait for the agent. A
thousand agents then ask some 500 times a second for a router that is down, which costs it nothing, and all are there
within 3.75 s of its return, 270 a second. Whoever has been away for longer need not hurry as much: the router keeps
attempts for one grace period from its start. So the windows grow to half of one, and never beyond half a minute.
"""

import math
from collections.abc import Callable

FIRST = 0.2
"""Seconds: the window before the first try."""
LONGEST = 30.0
"""Seconds: the window never grows beyond this."""
MOST_ASKED = 300.0
"""Seconds: a server that asks for more patience is given this much."""
PROMPT = 3.75
"""Seconds: the longest window while the router may be restarting; with the time that a connection takes, an agent is
back within 5 s of it."""
RESTART = 300.0
"""Seconds that a restart may take."""
_TRIES_IN_GRACE = 8


def longest_after(away: float, grace: float) -> float:
    """Return the longest window, in seconds, of an agent that has been away for so long.

    `grace` is that of its last connection; infinite before the first one: there is nothing to be in time for.
    """
    if math.isinf(grace):
        return LONGEST
    if away < max(grace, RESTART):
        return min(max(grace / _TRIES_IN_GRACE, FIRST), PROMPT)
    return min(max(grace / 2, FIRST), LONGEST)


class Backoff:
    """The waits between tries; it never gives up. `random` returns numbers in [0, 1)."""

    def __init__(self, random: Callable[[], float]) -> None:
        self._random = random
        self._window = FIRST

    def next(self, retry_after: float | None = None, *, longest: float = LONGEST) -> float:
        """Return the seconds to wait before the next try: a part of a window that is not longer than `longest`.

        `retry_after` is what the server asked for: the wait is at least that long (at most `MOST_ASKED`), and the
        jitter comes on top of it.
        """
        window = min(self._window, longest)
        self._window = min(window * 2, LONGEST)
        asked = 0.0 if retry_after is None else min(max(retry_after, 0.0), MOST_ASKED)
        return asked + self._random() * window

    def reset(self) -> None:
        """Begin with the shortest window again: the last connection was a stable one, the router said when
        it is back, or the machine woke up."""
        self._window = FIRST
