"""Long bodies of one user are looked at one after the other, and one that took long is followed by a rest.

Whoever sends bodies of megabytes that are all brackets costs the event loop some time, and with many connections all
of it. What a body costs is measured, so one that is long and plain hardly waits; and nobody waits for another's. The
bytes of all long bodies that one user has on the way, whole or not, are bounded.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, TypeVar

from agentic_atlas.errors import Busy

T = TypeVar("T")

ASKER: Final = "asker"
"""In the state of a request: id of the user who asks, once that is known."""

LONG = 64 * 1024
"""Bytes of a body from which on it takes its turn."""
MOST_BYTES: Final = 128 * 1024 * 1024
"""Of all long bodies of one user at the same time."""
HEAVY = 0.005
"""Seconds of work after which none of this user's is looked at for four times as long."""
_REST = 4.0
_LONGEST_REST = 1.0


class Place:
    """A body that is read."""

    def __init__(self, line: "_Line", most_bytes: int) -> None:
        self._line = line
        self._most_bytes = most_bytes
        self._counted = 0

    def grows(self, size: int) -> None:
        """It has so many bytes by now; raises Busy (`too_many_requests`) when all of them together are too many."""
        if size < LONG:
            return
        if self._line.bytes - self._counted + size > self._most_bytes:
            raise Busy("too many long bodies of yours are on their way: send fewer at once", code="too_many_requests")
        self._line.bytes += size - self._counted
        self._counted = size

    async def take(self, work: Callable[[], T]) -> T:
        """Do the work on the whole body when its turn comes; raises what `work` raises."""
        return await self._line.take(work) if self._counted else work()

    def leave(self) -> None:
        """It is dealt with."""
        self._line.bytes -= self._counted


class Turns:
    """Whose body is looked at. For one event loop."""

    def __init__(self, clock: Callable[[], float], most_bytes: int = MOST_BYTES) -> None:
        self._clock = clock
        self._most_bytes = most_bytes
        self._lines: dict[str, _Line] = {}

    def __len__(self) -> int:
        return len(self._lines)

    @contextmanager
    def place(self, whose: str) -> Iterator[Place]:
        """Have a place for a body of this user until the end of the block; it is only taken by a long one."""
        line = self._lines.get(whose) or _Line(self._clock, lambda: self._left(whose))
        self._lines[whose] = line
        line.bodies += 1
        place = Place(line, self._most_bytes)
        try:
            yield place
        finally:
            line.bodies -= 1
            place.leave()
            self._left(whose)

    def _left(self, whose: str) -> None:
        line = self._lines.get(whose)
        if line is not None and not line.bodies and not line.rests:
            del self._lines[whose]


class _Line:
    """The bodies of one user."""

    def __init__(self, clock: Callable[[], float], rested: Callable[[], None]) -> None:
        self.bodies = 0
        self.bytes = 0
        self._clock = clock
        self._tell = rested
        self._lock = asyncio.Lock()

    @property
    def rests(self) -> bool:
        return self._lock.locked()

    async def take(self, work: Callable[[], T]) -> T:
        await self._lock.acquire()
        began = self._clock()
        try:
            return work()
        finally:
            took = self._clock() - began
            rest = min(_REST * took, _LONGEST_REST) if took > HEAVY else 0.0
            asyncio.get_running_loop().call_later(rest, self._rested)

    def _rested(self) -> None:
        self._lock.release()
        self._tell()
