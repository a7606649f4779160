"""How many of something there were up to each of some bounds; and which few of many names are told apart."""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from typing import Final, Generic, TypeVar

T = TypeVar("T")

MOST_SKILLS: Final = 50
"""Skills, of all agents together, that series tell apart: those of which a task ended first; all others are one."""
OTHER: Final = "other"
"""What all others are called together."""


class Histogram:
    """Counts of numbers by how large they are. For one thread.

    Attributes:
        bounds: in their order; a number counts with the first that is not less, and with none behind the last.
        total: all numbers added up.
    """

    __slots__ = ("_counts", "bounds", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.total = 0.0
        self._counts = [0] * (len(bounds) + 1)

    def __len__(self) -> int:
        return sum(self._counts)

    def add(self, number: float, times: int = 1) -> None:
        """Count a number."""
        self._counts[bisect_left(self.bounds, number)] += times
        self.total += number * times

    def up_to(self) -> Iterator[tuple[float, int]]:
        """Yield each bound with how many there were up to it, and at last how many there were at all."""
        return zip((*self.bounds, float("inf")), accumulate(self._counts), strict=True)


class Foremost(Generic[T]):
    """Something for each of the first few names that come, and one thing for all others.

    Names that callers choose can't make more of it than that, and none is ever taken for another's.
    """

    def __init__(self, make: Callable[[], T], most: int) -> None:
        self._make = make
        self._most = most
        self._found: dict[tuple[str, ...], T] = {}
        self._others: T | None = None

    def of(self, *name: str) -> T:
        """Return what there is for a name."""
        found = self._found.get(name)
        if found is not None:
            return found
        if len(self._found) < self._most:
            return self._found.setdefault(name, self._make())
        if self._others is None:
            self._others = self._make()
        return self._others

    def __iter__(self) -> Iterator[tuple[tuple[str, ...], T]]:
        """Yield each name with what there is for it; the others are called `OTHER`, as often as a name has words."""
        yield from self._found.items()
        if self._others is not None:
            words = len(next(iter(self._found)))
            yield (OTHER,) * words, self._others
