"""What was said to the backend and waits for its answer, by number. Pure."""

from collections.abc import Callable
from typing import Generic, Protocol, TypeVar


class Numbered(Protocol):
    """An answer."""

    @property
    def to(self) -> int:
        """Number of what it answers."""


A = TypeVar("A", bound=Numbered)


class Unanswered(Generic[A]):
    """Whom to tell of each answer, once."""

    def __init__(self) -> None:
        self._last = 0
        self._told: dict[int, Callable[[A], None]] = {}

    def expect(self, told: Callable[[A], None]) -> int:
        """Return the number under which something is said; `told` is called with its answer."""
        self._last += 1
        self._told[self._last] = told
        return self._last

    def forget(self, number: int) -> None:
        """Nobody waits for this answer any more."""
        self._told.pop(number, None)

    def settle(self, answer: A) -> bool:
        """Hand an answer on; False when nobody waits for it."""
        told = self._told.pop(answer.to, None)
        if told is None:
            return False
        told(answer)
        return True
