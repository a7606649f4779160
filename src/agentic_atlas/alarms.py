"""What is to be looked at when: one alarm for each task, or each connection, the earliest first. Pure."""

import heapq
from typing import Generic, TypeVar

K = TypeVar("K", str, int)


class Alarms(Generic[K]):
    """A heap that forgets: an alarm that was moved or cleared leaves a dead entry, and dead ones are swept away before
    they are more than the living."""

    _SWEEP_ABOVE = 1_000

    def __init__(self) -> None:
        self._at: dict[K, float] = {}
        self._heap: list[tuple[float, K]] = []

    def __len__(self) -> int:
        return len(self._at)

    def set(self, key: K, at: float | None) -> None:
        """Set the alarm of `key`, in place of its last one; None clears it."""
        if at is None:
            self._at.pop(key, None)
        elif self._at.get(key) != at:
            self._at[key] = at
            heapq.heappush(self._heap, (at, key))
        if len(self._heap) > self._SWEEP_ABOVE and len(self._heap) > 2 * len(self._at):
            self._heap = [(at, key) for key, at in self._at.items()]
            heapq.heapify(self._heap)

    def advance(self, seconds: float) -> None:
        """Every alarm comes so many seconds earlier; 0 changes nothing."""
        if seconds:
            self._at = {key: at - seconds for key, at in self._at.items()}
            self._heap = [(at, key) for key, at in self._at.items()]
            heapq.heapify(self._heap)

    def due(self, now: float, *, most: int = 1_000) -> list[K]:
        """Return the keys whose alarm is over, earliest first, and clear those alarms."""
        keys: list[K] = []
        while self._heap and self._heap[0][0] <= now and len(keys) < most:
            at, key = heapq.heappop(self._heap)
            if self._at.get(key) == at:
                del self._at[key]
                keys.append(key)
        return keys

    def wait(self, now: float) -> float | None:
        """Return the seconds until the earliest alarm; None when there is none."""
        return max(0.0, self._heap[0][0] - now) if self._heap else None

    def earliest(self, key: K) -> bool:
        """Tell whether the alarm of `key` is the earliest."""
        return bool(self._heap) and self._heap[0][1] == key
