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


def decisions(clock: Callable[[], float] = time.monotonic) -> Callable[[], Decision]:
    """Return what is called when a signal to stop has come, and tells what it says, by when it comes."""
    first_at: float | None = None

    def take() -> Decision:
        nonlocal first_at
        now = clock()
        if first_at is None:
            first_at = now
            return "first"
        return "said again" if now - first_at < SAME else "second"

    return take


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
    said = decisions(clock)
    watchdog = threading.Timer(patience, end, (1,))
    watchdog.daemon = True

    def handle(number: int, _frame: FrameType | None) -> None:
        decision = said()
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
