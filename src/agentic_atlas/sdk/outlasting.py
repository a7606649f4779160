"""Waiting that goes on although the task that waits is cancelled.

Whatever runs on a loop can cancel all tasks on it, and snippets that do so at the end of a program are common. What the
agent itself waits for is not ended by that.
"""

import asyncio
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


async def outlasting(done: "asyncio.Future[T]", give_up: Callable[[], bool]) -> T:
    """Return the result of `done`. A cancellation of the wait leaves `done` alone, and counts if `give_up` says so."""
    task = asyncio.current_task()
    while not done.done():
        try:
            await asyncio.wait((done,))
        except asyncio.CancelledError:
            if task is None or give_up():
                raise
            task.uncancel()
    return done.result()
