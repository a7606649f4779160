"""A blocking function in a thread of its own, awaited on a loop."""

import asyncio
import contextvars
import threading
from collections.abc import Callable
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
    # A value or an error: as its own error, a future refuses some, StopIteration for one.
    done: asyncio.Future[tuple[object, BaseException | None]] = loop.create_future()
    work = contextvars.copy_context().run

    def settle(value: object, error: BaseException | None) -> None:
        if not done.done():
            done.set_result((value, error))

    def run() -> None:
        value: object = None
        raised: BaseException | None = None
        try:
            value = work(function)
        except BaseException as error:  # noqa: BLE001 - whatever the user's function raises is told to who waits
            raised = error
        try:
            loop.call_soon_threadsafe(settle, value, raised)
        except RuntimeError:
            # The loop is closed: nobody waits any more.
            return

    threading.Thread(target=run, name=name, daemon=True).start()
    value, raised = await outlasting(done, give_up)
    if raised is not None:
        raise raised
    return cast("T", value)
