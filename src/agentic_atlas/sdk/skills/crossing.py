"""From another thread or event loop to the agent's own, where calls, questions and reports live.

Futures and queues belong to the loop that made them: awaited on a second one, they would never wake it. Frameworks with
a synchronous core run asynchronous tools by `asyncio.run` in a thread, so a skill may find itself there any time.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Coroutine
from concurrent.futures import Future
from typing import TypeVar

from agentic_atlas.errors import ConfigurationError, TaskError
from agentic_atlas.sdk.forks import left_behind
from agentic_atlas.sdk.loops import running_loop

T = TypeVar("T")


async def awaited_on(loop: asyncio.AbstractEventLoop, work: Coroutine[object, object, T]) -> T:
    """Await `work` on this loop, from whatever loop of asyncio's the caller is on; cancelling the wait cancels it.

    Raises:
        ConfigurationError: this is no loop of asyncio's (trio has others), or a process forked from the agent's.
        TaskError: the agent has ended.
    """
    here = running_loop()
    if here is None:
        work.close()
        fix = "await it on an event loop of asyncio's, or take the SyncContext of a plain `def` skill"
        raise ConfigurationError(f"this can't be awaited here: {fix}")
    if here is loop:
        return await work
    return await asyncio.wrap_future(_handed(loop, work))


def wait_on(loop: asyncio.AbstractEventLoop, work: Coroutine[object, object, T]) -> T:
    """Block this thread until `work` is done on that loop.

    Raises:
        ConfigurationError: this thread is the loop's own, which would wait for itself for ever; or a forked process.
        TaskError: the agent has ended.
    """
    if running_loop() is loop:
        work.close()
        fix = "make the skill an `async def`, or wait in a thread (asyncio.to_thread)"
        raise ConfigurationError(f"a SyncContext would block the agent's own loop here: {fix}")
    return _handed(loop, work).result()


def leave_to(loop: asyncio.AbstractEventLoop, work: Coroutine[object, object, object]) -> None:
    """Have `work` done on that loop, without waiting; when the agent has ended, not at all. From any thread."""
    with contextlib.suppress(TaskError, ConfigurationError):
        _handed(loop, work)


async def followed_on(loop: asyncio.AbstractEventLoop, items: AsyncGenerator[T, None]) -> AsyncGenerator[T, None]:
    """Iterate over what lives on that loop; leaving early closes it. Errors are those of `awaited_on`."""
    try:
        while (item := await awaited_on(loop, _next(items))) is not None:
            yield item[0]
    finally:
        await awaited_on(loop, _close(items))


def _handed(loop: asyncio.AbstractEventLoop, work: Coroutine[object, object, T]) -> Future[T]:
    if left_behind(loop):
        work.close()
        raise ConfigurationError("a context works in the agent's own process alone, and this one was forked from it")
    try:
        return asyncio.run_coroutine_threadsafe(work, loop)
    except RuntimeError:
        # The loop is closed: the agent has ended, and this thread has outlived it.
        work.close()
        raise TaskError("the agent has ended", code="canceled", state="canceled") from None


async def _next(items: AsyncGenerator[T, None]) -> tuple[T] | None:
    try:
        return (await anext(items),)
    except StopAsyncIteration:
        return None


async def _close(items: AsyncGenerator[object, None]) -> None:
    await items.aclose()
