"""SIGINT and SIGTERM: the first one asks the agent to stop, the second one ends the process at once.

Handlers of `signal.signal` and not of the loop: they are run even while a skill blocks the loop, so Ctrl-C always
works in the end.
"""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def stop_signals(ask: Callable[[], None], end: Callable[[int], None], *, patience: float) -> Iterator[None]:
    """Call `ask` at the first signal and `end` with an exit code at the second, or `patience` seconds after the first.

    The latter for skills that do not let go. Outside the main thread, nothing is done; whatever handled the signals
    before does so again afterwards.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    asked = False
    watchdog = threading.Timer(patience, end, (1,))
    watchdog.daemon = True

    def handle(number: int, _frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            end(128 + number)
            return
        asked = True
        watchdog.start()
        ask()

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        watchdog.cancel()
        for number, handler in before.items():
            signal.signal(number, handler)
