"""A blocking function in a thread of its own, awaited on a loop."""

import asyncio
import contextvars
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar, cast

from agentic_atlas.sdk.outlasting import outlasting

T = TypeVar("T")


async def in_thread(function: Callable[[], T], *, name: str, give_up: Callable[[], bool] = lambda: True) -> T:
    """Run a blocking function in a thread of its own and wait for it.

    The thread is a daemon: a function that never returns must not keep the process from ending. For the same reason
    it is no executor's, which a handler may also have shut down. When the wait is cancelled the thread goes on and its
    outcome is forgotten, unless `give_up` says no: then the wait goes on too.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[_Outcome] = loop.create_future()
    work = contextvars.copy_context().run

    def settle(outcome: _Outcome) -> None:
        if not done.done():
            done.set_result(outcome)

    def run() -> None:
        try:
            outcome = _Outcome(value=work(function))
        except BaseException as error:  # noqa: BLE001 - whatever the user's function raises is told to who waits
            outcome = _Outcome(error=error)
        try:
            loop.call_soon_threadsafe(settle, outcome)
        except RuntimeError:
            # The loop is closed: nobody waits any more.
            return

    threading.Thread(target=run, name=name, daemon=True).start()
    outcome = await outlasting(done, give_up)
    if outcome.error is not None:
        raise outcome.error
    return cast("T", outcome.value)


@dataclass(frozen=True, slots=True)
class _Outcome:
    """A value or an error; a future itself refuses some errors, StopIteration for one."""

    value: object = None
    error: BaseException | None = None
