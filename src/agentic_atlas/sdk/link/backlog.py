"""How much the link has handed to the handlers' loop and that loop has not taken yet (guarantee 7).

A loop that hangs takes nothing, and what is handed to it has no bound of its own. The link asks that loop for signs of
life anyway; each answer proves that all that was handed over before the question has been taken.
"""

MOST = 32 * 1024 * 1024
"""Bytes that may wait there; with more, the link stops reading from the router."""


class Backlog:
    """Counts bytes of messages. Belongs to the link's thread."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._handed = 0
        self._taken = 0
        self._asked = 0

    def hand(self, size: int) -> None:
        """A message of this size was handed over."""
        self._handed += size

    def ask(self) -> None:
        """A question was handed over; the one before it was answered."""
        self._taken = self._asked
        self._asked = self._handed

    @property
    def full(self) -> bool:
        """Whether too much waits."""
        return self._handed - self._taken > self._most
