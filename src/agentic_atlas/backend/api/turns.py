"""Long bodies are looked at one after the other, and after one that took long everybody else has a turn first.

Whoever sends bodies of megabytes that are all brackets costs the event loop some time, and with many connections all
of it. What a body costs is measured, so one that is long and plain hardly waits.
"""

import asyncio
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

LONG = 64 * 1024
"""Bytes of a body from which on it takes its turn."""
HEAVY = 0.005
"""Seconds of work after which nobody else begins for four times as long."""
_REST = 4.0
_LONGEST_REST = 1.0


class Turns:
    """Whose body is looked at. For one event loop."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = asyncio.Lock()

    async def take(self, size: int, work: Callable[[], T]) -> T:
        """Do the work on a body of so many bytes when its turn comes; raises what `work` raises."""
        if size < LONG:
            return work()
        await self._lock.acquire()
        began = self._clock()
        try:
            return work()
        finally:
            took = self._clock() - began
            rest = min(_REST * took, _LONGEST_REST) if took > HEAVY else 0.0
            asyncio.get_running_loop().call_later(rest, self._lock.release)
