"""Order of a queue that is fair between callers: one caller's flood does not starve another's single task.

Start-time fair queueing (Goyal, Vin, Cheng 1996) with equal weights and unit cost: each task gets a virtual start time
when it is added, one more than its caller's last one but never behind the task served last. Serving the queue by this
number takes turns between callers, and within a caller keeps the order of submission.
"""

from collections.abc import Iterable


class FairOrder:
    """Virtual clocks of one queue: an agent's tasks of one priority, for those of a higher one are served out of turn.

    Not kept: a restart takes them from the open tasks (`resume`).
    """

    def __init__(self, *, callers: int = 10_000) -> None:
        self._now = 0.0
        self._last: dict[str, float] = {}
        self._most_callers = callers

    def next(self, caller: str) -> float:
        """Return the position of this caller's next task."""
        position = max(self._last.get(caller, float("-inf")) + 1.0, self._now)
        self._last[caller] = position
        if len(self._last) > self._most_callers:
            # Callers whose clock is behind the queue's have no claim to remember.
            self._last = {name: at for name, at in self._last.items() if at > self._now}
        return position

    def served(self, position: float) -> None:
        """The task at this position was claimed: the queue's clock moves up to it."""
        self._now = max(self._now, position)

    def resume(self, waiting: Iterable[tuple[str, float]], held: Iterable[float]) -> None:
        """Take up (caller, position) of the tasks that wait, and the positions of those that are held, after a restart.

        Each caller goes on behind its own last task, and the clock where it was: at the task that was served last, or,
        when none is held any more, at the first that waits. Were it at the last one, a flood that waits would come
        before whoever is new.
        """
        first: float | None = None
        for caller, position in waiting:
            self._last[caller] = max(self._last.get(caller, position), position)
            first = position if first is None else min(first, position)
        self._now = max(held, default=self._now if first is None else first)
