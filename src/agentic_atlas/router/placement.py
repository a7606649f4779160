"""Which instance gets the next task: the one with the lowest load, and among equals the one whose turn it is.

Pure: nothing is known here of connections.
"""

from collections.abc import Iterable
from typing import Protocol, TypeVar


class Candidate(Protocol):
    """An instance, as placement sees it.

    Attributes:
        turn: number of the choice in which it was taken last; set by `Placement`.
    """

    turn: int

    @property
    def concurrency(self) -> int:
        """Tasks it runs at the same time."""

    @property
    def in_flight(self) -> int:
        """Slots taken: reserved, sent or running."""

    @property
    def open(self) -> bool:
        """False while it lags, drains, is busy or does not read: no new work for it."""


C = TypeVar("C", bound=Candidate)


def free(candidate: Candidate) -> int:
    """Return how many tasks it could take now."""
    return max(0, candidate.concurrency - candidate.in_flight) if candidate.open else 0


class Placement:
    """Chooses, and remembers in which order it did."""

    def __init__(self) -> None:
        self._turns = 0

    def choose(self, candidates: Iterable[C]) -> C | None:
        """Return the best candidate with a free slot, or None."""
        best = min((one for one in candidates if free(one)), key=_preference, default=None)
        if best is not None:
            self._turns += 1
            best.turn = self._turns
        return best


def _preference(candidate: Candidate) -> tuple[float, int]:
    return candidate.in_flight / candidate.concurrency, candidate.turn
