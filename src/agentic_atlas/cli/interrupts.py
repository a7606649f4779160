"""Signals that end a command: SIGINT, SIGTERM and SIGHUP do the same, and the exit code tells which it was."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)  # Windows lacks the last one


class Interrupted(BaseException):
    """The command was told to stop; like KeyboardInterrupt, no handler of ordinary errors takes it."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.exit_code = 128 + number
        """As a shell tells that a signal ended a program: 130, 143 or 129."""


@contextmanager
def turned_into(act: Callable[[], object]) -> Iterator[Callable[[], int | None]]:
    """Call `act` at a signal, within the block and in its main thread; give a function that tells which came first.

    The same one again, or another, changes nothing: what the first one began has a limit of its own.
    """
    came: list[int] = []

    def handle(number: int, _frame: object) -> None:
        if not came:
            came.append(number)
            act()

    with _handled(handle):
        yield lambda: came[0] if came else None


@contextmanager
def waking(loop: AbstractEventLoop) -> Iterator[None]:
    """Have every signal wake the loop, within the block and in its main thread.

    Python runs handlers between two steps of its own. One that comes when the loop is about to wait for its sockets, or
    in another thread, is noted and interrupts nothing: it would be heeded with the next byte from the network only.
    """
    if sys.platform == "win32":
        yield  # The loop there does so by itself.
        return
    import socket

    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        theirs.setblocking(False)
        before = signal.set_wakeup_fd(theirs.fileno(), warn_on_full_buffer=False)
        loop.add_reader(ours, ours.recv, 4096)
        try:
            yield
        finally:
            loop.remove_reader(ours)
            signal.set_wakeup_fd(before)


@contextmanager
def raised() -> Iterator[None]:
    """Raise `Interrupted` at the first signal within the block, so that what it has started is ended.

    Ctrl-C stays a KeyboardInterrupt, as at any prompt.
    """
    came = False

    def handle(number: int, _frame: object) -> None:
        nonlocal came
        if not came:
            came = True
            raise Interrupted(number)

    with _handled(handle, [number for number in SIGNALS if number != signal.SIGINT]):
        yield


@contextmanager
def _handled(handle: Callable[[int, object], None], signals: Sequence[int] = SIGNALS) -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in signals}
    # What is ignored, as SIGHUP below `nohup`, stays so; None: a handler that Python did not set.
    ours = [number for number, handler in before.items() if handler not in (signal.SIG_IGN, None)]
    for number in ours:
        signal.signal(number, handle)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, before[number])
