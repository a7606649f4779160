"""Runs a server until it is told to stop: the loop, and the signals."""

import asyncio
import gc
import os
import signal
import sys
from collections.abc import Awaitable, Callable

import uvloop

from agentic_atlas.sdk.signals import decisions

SIGNALS = (signal.SIGINT, signal.SIGTERM)
_STOPPED_AT_ONCE = 130
_NEW_OBJECTS = 3_000
"""New objects after which Python looks for cycles among them that nobody uses. Its own number is less than a few tasks
make, which live until they end and would be looked at again and again. A much higher one lets what a peer sent, up to
megabytes for each cycle, wait for long."""
_THREADS_TURN = 0.0005
"""Seconds after which a thread that waits gets its turn. The store's threads need it several times for a task, from a
loop that is never idle while somebody floods it; with Python's own 5 ms most of a task's time would be these."""


def run(serve: Callable[[asyncio.Event], Awaitable[None]]) -> None:
    """Run `serve` with an event that SIGINT and SIGTERM set; a second signal ends the process at once.

    What comes within half a second of the first one is the first one (`sdk.signals`).
    """
    gc.set_threshold(_NEW_OBJECTS)
    sys.setswitchinterval(_THREADS_TURN)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_until_signal(serve))


def settled() -> None:
    """Say that what is in memory now stays: the collector of garbage looks at it no more.

    A whole collection goes through all that was imported and built, and holds everybody up for 60 to 90 ms each time.
    """
    gc.collect()
    gc.freeze()


async def _until_signal(serve: Callable[[asyncio.Event], Awaitable[None]]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    said = decisions()

    def asked() -> None:
        if said() == "second":
            os._exit(_STOPPED_AT_ONCE)
        stop.set()

    for number in SIGNALS:
        loop.add_signal_handler(number, asked)
    try:
        await serve(stop)
    finally:
        for number in SIGNALS:
            loop.remove_signal_handler(number)
