"""An event loop on a thread of its own, for the blocking client."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncGenerator, Coroutine, Iterator
from concurrent.futures import Future
from typing import TypeVar

from agentic_atlas.errors import ConfigurationError

T = TypeVar("T")


class LoopThread:
    """Runs coroutines for threads that have no loop. Ends with `stop`, or with the process.

    A fork does not copy its thread: the child of one (a preforking server's, Celery's) gets a thread of its own when it
    first uses it.
    """

    def __init__(self) -> None:
        # Loops of a parent process: closed here, they would take its descriptors from under it.
        self._parents: list[asyncio.AbstractEventLoop] = []
        self._begin()

    @property
    def stopped(self) -> bool:
        """True after `stop`."""
        return self._loop.is_closed()

    def run(self, work: Coroutine[object, object, T]) -> T:
        """Run it to its end. An interrupt of the caller's (Ctrl-C) cancels it."""
        if self.stopped:
            work.close()
            raise ConfigurationError("this client is closed: make a new one")
        if self._process_id != os.getpid():
            self._parents.append(self._loop)
            self._begin()
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        finally:
            future.cancel()

    def each(self, items: AsyncGenerator[T, None]) -> Iterator[T]:
        """Yield what the generator yields; leaving early closes it."""
        begun_in = os.getpid()
        try:
            while True:
                if os.getpid() != begun_in:
                    raise ConfigurationError("this list or stream was begun before a fork: begin it again")
                yield self.run(_next(items))
        except StopAsyncIteration:
            return
        finally:
            # Not waited for: a generator may be given up on any thread, the loop's own too.
            if not self.stopped and os.getpid() == begun_in:
                asyncio.run_coroutine_threadsafe(_close(items), self._loop)

    def stop(self) -> None:
        """End the thread, and with it whatever still runs in the loop."""
        if not self.stopped and self._process_id == os.getpid():
            self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _begin(self) -> None:
        ready: Future[asyncio.AbstractEventLoop] = Future()
        self._process_id = os.getpid()
        self._thread = threading.Thread(target=_serve, args=(ready,), name="atlas-client", daemon=True)
        self._thread.start()
        self._loop = ready.result()


def _serve(ready: Future[asyncio.AbstractEventLoop]) -> None:
    with asyncio.Runner() as runner:
        ready.set_result(runner.get_loop())
        runner.get_loop().run_forever()


async def _next(items: AsyncGenerator[T, None]) -> T:
    return await anext(items)


async def _close(items: AsyncGenerator[T, None]) -> None:
    await items.aclose()
