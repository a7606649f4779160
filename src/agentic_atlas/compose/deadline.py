"""By when something has to happen on a connection, or it is cut off. Pure; in seconds of a clock that only passes."""

from typing import Final

BODY_WITHIN = 60.0
"""Seconds within which the rest of a body has to come."""
BODY_BEGINS = 10.0
"""Seconds that a body may take to come by itself; from then on there has to be a KiB of it for each further second."""
SLOWEST_BODY = 1024
"""Bytes a second that a body has to come with after that."""
_NEVER: Final = float("inf")


class Deadline:
    """Of one connection.

    Attributes:
        due: when it is over.
    """

    __slots__ = ("_held_up", "_latest", "_within", "due")

    def __init__(self) -> None:
        self.due = self._latest = _NEVER
        self._within = _NEVER
        self._held_up = False

    def set(self, now: float, within: float) -> None:
        """Something has to happen within so long from now on; `BODY_WITHIN` stands for a body."""
        self._within, self._latest, self._held_up = within, now + within, False
        self.due = now + BODY_BEGINS if within == BODY_WITHIN else self._latest

    def keep(self, now: float, within: float, came: int) -> None:
        """The same is still waited for, unless this is another time; so many bytes have come."""
        if within != self._within:
            self.set(now, within)
        if within == BODY_WITHIN:
            self.due = min(self._latest, self.due + came / SLOWEST_BODY)

    def never(self) -> None:
        """Nothing has to happen."""
        self.set(0.0, _NEVER)

    def anew(self) -> None:
        """What is waited for next is another thing, though it may have the same time."""
        self._within = 0.0

    def held_up(self) -> None:
        """That nothing comes is our doing: only the whole time counts."""
        self.due, self._held_up = self._latest, True

    def wanted(self, now: float) -> None:
        """What comes next is waited for; what was held up has a while to begin anew."""
        if self._held_up and self._within == BODY_WITHIN:
            self.due, self._held_up = min(self._latest, now + BODY_BEGINS), False
