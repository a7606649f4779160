"""An event loop whose time passes only when a test lets it, and two clocks on it.

Everything that waits for time alone (ticks, deadlines, back-off) runs in its order and at its very moment, without
waiting: when nothing is left to do, the clock is put forward to the next timer. Who uses it runs a loop of its own by
hand.
"""

from __future__ import annotations

import asyncio
import selectors

EPOCH = 1_700_000_000.0
SHORTLY = 0.001
"""Seconds in which all that can happen without waiting has happened."""
_TURNS = 20_000
"""Turns of the loop after which something is said to go round in a circle, when no time has passed."""


class StillLoop(asyncio.SelectorEventLoop):
    """Starts at 0 s. Watches no sockets and takes nothing from other threads.

    Attributes:
        stepped: seconds by which the wall clock was put forward (or back) in all.
        faults: what asyncio complained of: exceptions that nobody retrieved, callbacks that raised.
    """

    def __init__(self) -> None:
        self._now = 0.0
        self._stood = 0.0
        self._turns = 0
        self.stepped = 0.0
        self.faults: list[str] = []
        super().__init__(_StillSelector(self._nothing_to_do))
        self.set_exception_handler(lambda _, context: self.faults.append(f"{context['message']}: {context}"))

    def time(self) -> float:
        """Return the monotonic clock."""
        return self._now

    def wall(self) -> float:
        """Return the seconds since the epoch, as this machine believes."""
        return EPOCH + self._now + self.stepped

    def passes(self, seconds: float) -> None:
        """Let time pass, with all that happens meanwhile."""
        self.run_until_complete(asyncio.sleep(seconds))

    def settle(self) -> None:
        """Let everything happen that can happen at once."""
        self.passes(SHORTLY)

    def stands_still(self, seconds: float) -> None:
        """Nothing runs for so long: neither the server nor its agents."""
        self._now += seconds
        self._stood += seconds

    def running(self) -> float:
        """Return the seconds in which something could run."""
        return self._now - self._stood

    def _nothing_to_do(self, timeout: float | None) -> None:
        assert timeout is not None, "nothing is left that could ever happen"
        self._turns = 0 if timeout > 0 else self._turns + 1
        assert self._turns < _TURNS, "something goes round in a circle, as fast as it can"
        self._now += timeout


class _StillSelector(selectors.SelectSelector):
    """Asks the system for nothing."""

    def __init__(self, idle: object) -> None:
        super().__init__()
        self._idle = idle

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self._idle(timeout)  # type: ignore[operator]
        return []
