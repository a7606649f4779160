"""SIGINT and SIGTERM: the first one asks the agent to stop, the second one ends the process at once.

What comes within half a second of the first one is that one, said twice: `timeout` signals its child and the group that
the child is in, and wrappers pass on what the terminal has given to all already.

Handlers of `signal.signal` and not of the loop: they are run even while a skill blocks the loop, so Ctrl-C always
works in the end.
"""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final, Literal, TypeAlias

SAME: Final = 0.5
"""Seconds within which signals are one decision."""


Decision: TypeAlias = Literal["first", "said again", "second"]
"""What a signal to stop says: the first one, the same once more, or that whoever sent it does not want to wait."""


class Decisions:
    """Tells what each signal to stop says, by when it comes."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._first_at: float | None = None

    def take(self) -> Decision:
        """A signal has come."""
        now = self._clock()
        if self._first_at is None:
            self._first_at = now
            return "first"
        return "said again" if now - self._first_at < SAME else "second"


@contextmanager
def stop_signals(
    ask: Callable[[], None],
    end: Callable[[int], None],
    *,
    patience: float,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[None]:
    """Call `ask` at the first signal and `end` with an exit code at the second, or `patience` seconds after the first.

    The latter for skills that do not let go. Outside the main thread, nothing is done; whatever handled the signals
    before does so again afterwards.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    decisions = Decisions(clock)
    watchdog = threading.Timer(patience, end, (1,))
    watchdog.daemon = True

    def handle(number: int, _frame: FrameType | None) -> None:
        decision = decisions.take()
        if decision == "first":
            watchdog.start()
            ask()
        elif decision == "second":
            end(128 + number)

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        watchdog.cancel()
        for number, handler in before.items():
            signal.signal(number, handler)
