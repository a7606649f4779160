"""Which event loop: uvloop where there is one; and on which we are."""

import asyncio
from collections.abc import Callable


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return what makes an event loop, or None where asyncio's own is the one to take (Windows, PyPy)."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


def running_loop() -> asyncio.AbstractEventLoop | None:
    """Return the loop of asyncio's that runs this very code; None when there is none, or one that is not asyncio's."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
