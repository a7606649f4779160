"""What became of a change that was asked of the store, for those who follow it up without waiting for it."""

from asyncio import Future
from typing import Any, TypeVar

from agentic_atlas.backend.ports import FaultLog
from agentic_atlas.errors import Busy, Unavailable

T = TypeVar("T")

AGAIN_AFTER = 1.0
"""Seconds after which what the store could not carry out is tried again."""
AFTER_A_FAULT = 60.0
"""Seconds after which it is tried again when a fault of ours was the reason, which is not likely to go away."""


def value(future: "Future[T]") -> T | None:
    """Return the future's value; None when it failed, which is told to whoever awaits it."""
    return None if future.cancelled() or future.exception() is not None else future.result()


def outcome(future: "Future[T]", log: FaultLog, event: str, **facts: object) -> T | None:
    """Return the value of a future that nobody awaits; None when it failed, and is to be tried again.

    A store that can't be had is told to callers and by the health answer. Anything else is a fault of ours, which
    nobody but the log would hear of.
    """
    if (fault := _fault(future)) is not None:
        log.error(event, exc_info=fault, **facts)
    return value(future)


def again_after(future: "Future[Any]") -> float:
    """Return in how many seconds what failed is tried again."""
    return AGAIN_AFTER if _fault(future) is None else AFTER_A_FAULT


def _fault(future: "Future[Any]") -> BaseException | None:
    error = None if future.cancelled() else future.exception()
    return None if isinstance(error, Busy | Unavailable) else error
