"""What became of a change that was asked of the store, for those who follow it up without waiting for it."""

from asyncio import Future
from typing import Any, TypeVar

from agentic_atlas.backend.ports import Log
from agentic_atlas.errors import Busy, Unavailable

T = TypeVar("T")


def value(future: "Future[T]") -> T | None:
    """Return the future's value; None when it failed, which is told to whoever awaits it."""
    return None if future.cancelled() or future.exception() is not None else future.result()


def outcome(future: "Future[T]", log: Log, event: str, **facts: Any) -> T | None:
    """Return the value of a future that nobody awaits; None when it failed, and is to be tried again.

    A store that can't be had is told to callers and by the health answer. Anything else is a fault of ours, which
    nobody but the log would hear of.
    """
    if not future.cancelled():
        error = future.exception()
        if error is not None and not isinstance(error, Busy | Unavailable):
            log.error(event, exc_info=error, **facts)
    return value(future)
