"""An event loop whose time jumps: what waits for time alone does not wait.

When nothing can happen before the next timer, the clock is put forward to that timer. The loop asks three things first:
whether somebody waits for it at all (`may_jump`), whether a socket, pipe or child process is being watched, and whether
a thread of an executor is at work. While any of these may still bring something, time passes as it does elsewhere.
"""

import asyncio
import selectors
from collections.abc import Callable
from concurrent.futures import Executor
from typing import TypeVar, TypeVarTuple, Unpack

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

_OWN_FILES = 1
"""Files that a loop watches for itself: the pipe by which other threads wake it."""


class JumpingLoop(asyncio.SelectorEventLoop):
    """For one `running`, on a thread of its own.

    Attributes:
        may_jump: asked before each jump; no, until somebody has something to say about it.
    """

    def __init__(self) -> None:
        self._jumped = 0.0
        self._executing = 0
        self.may_jump: Callable[[], bool] = lambda: False
        super().__init__(_Selector(self._jump))

    def time(self) -> float:
        """Return seconds that only ever pass: those of the machine, and those that were jumped over."""
        return super().time() + self._jumped

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[Unpack[Ts]], T], *args: *Ts
    ) -> asyncio.Future[T]:
        """Run it, and let time pass as it does elsewhere until it returns."""
        future = super().run_in_executor(executor, func, *args)
        self._executing += 1
        future.add_done_callback(self._executed)
        return future

    def _executed(self, _future: "asyncio.Future[T]") -> None:
        self._executing -= 1

    def _jump(self, seconds: float) -> bool:
        if self._executing or not self.may_jump():
            return False
        self._jumped += seconds
        return True


class _Selector(selectors.DefaultSelector):
    """The usual selector, which waits only when there is something to wait for."""

    def __init__(self, jump: Callable[[float], bool]) -> None:
        super().__init__()
        self._jump = jump

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None or timeout <= 0:
            return super().select(timeout)
        ready = super().select(0)
        if ready or (len(self.get_map()) == _OWN_FILES and self._jump(timeout)):
            return ready
        return super().select(timeout)
