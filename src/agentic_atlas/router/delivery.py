"""What is in flight on one connection, and the slots it takes. Pure.

    reserved ── task sent ──> in flight ── refuse, result ──> ended
        └── released              ^
                                  └── announced in `hello`

A slot is freed exactly once, whatever is said twice or of an attempt that was never here. `accept` changes nothing: the
slot is taken from the moment a task is claimed for it.
"""

from collections.abc import Collection, Iterable

from agentic_atlas.protocol.messages import Task
from agentic_atlas.router.presence import Attempt

BEATS_MISSED = 3
"""Beats in a row that have to leave an attempt out before it counts as one that the agent does not have."""


class Deliveries:
    """The attempts of one connection, each in one slot."""

    def __init__(self) -> None:
        self._reserved = 0
        self._attempts: set[Attempt] = set()
        self._missed: dict[Attempt, int] = {}

    @property
    def in_flight(self) -> int:
        """Slots taken, the reserved ones included."""
        return self._reserved + len(self._attempts)

    @property
    def reserved(self) -> int:
        """Slots reserved for tasks that are being claimed."""
        return self._reserved

    def reserve(self) -> None:
        """Take a slot for a task that is being claimed."""
        self._reserved += 1

    def release(self) -> None:
        """Give a reserved slot back, because a task was sent in it or because there was none."""
        self._reserved = max(0, self._reserved - 1)

    def begin(self, attempt: Attempt) -> bool:
        """The attempt takes a slot; False when it has one already, so that nothing is to be sent."""
        if attempt in self._attempts:
            return False
        self._attempts.add(attempt)
        return True

    def end(self, attempt: Attempt) -> bool:
        """The attempt was refused or has a result; True when that freed a slot."""
        if attempt not in self._attempts:
            return False
        self._attempts.remove(attempt)
        self._missed.pop(attempt, None)
        return True

    def named(self, attempts: Collection[Attempt]) -> None:
        """A beat names what the agent has in hand; what is on its way to it may be missing for once."""
        self._missed = {one: self._missed.get(one, 0) + 1 for one in self._attempts if one not in attempts}

    @property
    def unheard(self) -> list[Attempt]:
        """Attempts that several beats in a row did not name."""
        return [attempt for attempt, beats in self._missed.items() if beats >= BEATS_MISSED]


def to_send(tasks: Iterable[Task], announced: Collection[Attempt]) -> list[Task]:
    """Return what is to be delivered on a connection that has just begun.

    `tasks` are those that the backend says the instance holds, and those that were claimed for it meanwhile. What it
    announced itself it has, and each attempt is sent once.
    """
    wanted = {Attempt(task.task, task.attempt): task for task in tasks}
    return [task for attempt, task in wanted.items() if attempt not in announced]
