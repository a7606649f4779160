"""How long an attempt may take: until its deadline, and for its timeout, which stands still while a person is asked.

Deadlines are in the server's time, as far as it is known here: this machine's own may be wrong.
"""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal, TypeAlias

from agentic_atlas.protocol.messages import Task


class ServerClock:
    """The server's time, carried on by a monotonic clock from each `welcome`.

    Safe to read and set from any thread: it is one number.

    Attributes:
        monotonic: returns seconds that only ever pass, whatever the server's clock does.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.monotonic = monotonic
        self._offset = 0.0

    def set(self, now: float) -> None:
        """Take the server's time, just told."""
        self._offset = now - self.monotonic()

    def now(self) -> float:
        """Return seconds since the epoch on the server's clock."""
        return self.monotonic() + self._offset


Over: TypeAlias = Literal["deadline_exceeded", "timeout"]
"""What is over, as the code of an attempt's end."""


class TimeLimit:
    """The time of one attempt. It is changed on the agent's loop, and may be read from any thread.

    Attributes:
        changed: called when the timeout stops or goes on.
    """

    def __init__(self, clock: ServerClock, task: Task, timeout: float | None) -> None:
        """Begin now; `timeout` is the skill's own, for a task that has none."""
        self.changed: Callable[[], None] = _nobody
        self._clock = clock
        self._deadline = math.inf if task.deadline is None else task.deadline
        chosen = task.timeout if task.timeout is not None else timeout
        self._ends_at = math.inf if chosen is None else clock.monotonic() + chosen
        self._waits = 0
        self._since = 0.0

    @property
    def left(self) -> float | None:
        """Seconds until timeout or deadline, whichever is first; never below 0; None when there is neither."""
        left = min(self._until_deadline(), self._until_timeout())
        return None if math.isinf(left) else max(0.0, left)

    def next(self) -> tuple[float, Over] | None:
        """Return in how many seconds the attempt is to be stopped, and why; None for never, as things are."""
        deadline, timeout = self._until_deadline(), math.inf if self._waits else self._until_timeout()
        first = min(deadline, timeout)
        if math.isinf(first):
            return None
        return max(0.0, first), "deadline_exceeded" if deadline <= timeout else "timeout"

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Let the timeout stand still for the length of the block; several at once are one."""
        if not self._waits:
            self._since = self._clock.monotonic()
        self._waits += 1
        self.changed()
        try:
            yield
        finally:
            self._waits -= 1
            if not self._waits:
                self._ends_at += self._clock.monotonic() - self._since
            self.changed()

    def _until_deadline(self) -> float:
        return self._deadline - self._clock.now()

    def _until_timeout(self) -> float:
        return self._ends_at - (self._since if self._waits else self._clock.monotonic())


def _nobody() -> None:
    pass
