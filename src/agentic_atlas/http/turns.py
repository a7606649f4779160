"""Long bodies and lists of one user are dealt with one after the other, and one that took long is followed by a rest.

Whoever sends bodies of megabytes that are all brackets costs the event loop some time, and with many connections all
of it; so does whoever asks for long lists on many connections, for the threads that read them take turns with the
loop. What each costs is measured, so one that is long and plain hardly waits; and nobody waits for another's. Who asks
for one list after the other while nobody else asks for anything is not slowed. The bytes of all long bodies that one
user has on the way, whole or not, are bounded.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Final, TypeAlias

from agentic_atlas.errors import Busy

LONG = 64 * 1024
"""Bytes of a body from which on it takes its turn."""
MOST_BYTES: Final = 128 * 1024 * 1024
"""Bytes of all long bodies of one user at the same time."""
HEAVY = 0.002
"""Seconds of work after which nothing of this user's has a turn for four times as long: after a list only if more of
theirs waits for a turn, or somebody else for an answer. So long does a body rest between the steps of its turn, too."""
_REST = 4.0
_LONGEST_REST = 1.0


Step: TypeAlias = Callable[[], Awaitable[None]]
"""Ends one step of a turn, and gives others theirs before the next: who waits for one only has not waited for all."""


class BodyPlace:
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

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[Step]:
        """Have this body's turn in the block; a short one need not wait for it. Await what is yielded between steps."""
        if not self._counted:
            yield _at_once
            return
        async with self._line.turn(blocks=True) as step:
            yield step

    def leave(self) -> None:
        """It is dealt with."""
        self._line.bytes -= self._counted


class Turns:
    """Whose body is looked at, and whose list is made. For one event loop.

    Attributes:
        asking: how many requests of each user are being answered, or begin to be; nobody is in it who has
            none.
    """

    def __init__(self, clock: Callable[[], float], most_bytes: int = MOST_BYTES) -> None:
        self._clock = clock
        self._most_bytes = most_bytes
        self._lines: dict[str, _Line] = {}
        self.asking: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._lines)

    @contextmanager
    def place(self, whose: str) -> Iterator[BodyPlace]:
        """Have a place for a body of this user until the end of the block; it is only taken by a long one."""
        with self._line(whose) as line:
            place = BodyPlace(line, self._most_bytes)
            try:
                yield place
            finally:
                place.leave()

    @asynccontextmanager
    async def turn(self, whose: str) -> AsyncIterator[None]:
        """Have a turn of this user's from the beginning of the block to its end, as a list does."""
        with self._line(whose) as line:
            async with line.turn(blocks=False):
                yield

    @contextmanager
    def _line(self, whose: str) -> Iterator["_Line"]:
        line = self._lines.get(whose) or _Line(
            self._clock, lambda: len(self.asking) > (whose in self.asking), lambda: self._left(whose)
        )
        self._lines[whose] = line
        line.waiting += 1
        try:
            yield line
        finally:
            line.waiting -= 1
            self._left(whose)

    def _left(self, whose: str) -> None:
        line = self._lines.get(whose)
        if line is not None and not line.waiting and not line.rests:
            del self._lines[whose]


class _Line:
    """What one user has done one after the other."""

    def __init__(self, clock: Callable[[], float], awaited: Callable[[], bool], rested: Callable[[], None]) -> None:
        self.waiting = 0
        self.bytes = 0
        self._clock = clock
        self._awaited = awaited
        self._tell = rested
        self._lock = asyncio.Lock()

    @property
    def rests(self) -> bool:
        return self._lock.locked()

    @asynccontextmanager
    async def turn(self, *, blocks: bool) -> AsyncIterator[Step]:
        """`blocks`: nothing else is done meanwhile, so that nobody could be seen to wait."""
        await self._lock.acquire()
        began = self._clock()
        longest = 0.0

        async def step() -> None:
            nonlocal began, longest
            took = self._clock() - began
            longest = max(longest, took)
            await asyncio.sleep(_rest(took))
            began = self._clock()

        try:
            yield step
        finally:
            took = max(longest, self._clock() - began)
            gives_way = blocks or self.waiting > 1 or self._awaited()
            asyncio.get_running_loop().call_later(_rest(took) if gives_way else 0.0, self._rested)

    def _rested(self) -> None:
        self._lock.release()
        self._tell()


def _rest(took: float) -> float:
    return min(_REST * took, _LONGEST_REST) if took > HEAVY else 0.0


async def _at_once() -> None:
    """What takes no time needs no rest."""
