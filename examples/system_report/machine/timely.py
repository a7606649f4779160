"""Readings that may hang, as those of a broken disk do, without anyone waiting for them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Timely(Generic[T]):
    """Runs a reading in a thread that nobody has to wait for, and never a second one beside one that hangs."""

    def __init__(self, read: Callable[[], T], seconds: float) -> None:
        self._read = read
        self._seconds = seconds
        self._running: threading.Thread | None = None

    async def read(self) -> T:
        """What the reading returns. Raises TimeoutError when it takes too long, and what it raises."""
        if self._running is not None and self._running.is_alive():
            raise TimeoutError
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()

        def deliver(value: T | None, error: BaseException | None) -> None:
            if future.done():
                return
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(value)  # type: ignore[arg-type]  # without an error there is a value

        def run() -> None:
            value, failed = None, None
            try:
                value = self._read()
            except Exception as error:  # noqa: BLE001 - raised again where it is waited for
                failed = error
            try:
                loop.call_soon_threadsafe(deliver, value, failed)
            except RuntimeError:
                pass  # the loop has ended since

        # A daemon: a thread that hangs must not keep the agent from ending.
        self._running = threading.Thread(target=run, name="slow reading", daemon=True)
        self._running.start()
        async with asyncio.timeout(self._seconds):
            return await future
