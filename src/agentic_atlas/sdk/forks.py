"""A skill that forks makes a copy of the agent, which must not live: it would take what is sent to the agent.

What a fork is for (`multiprocessing`, `subprocess`, a daemon) never comes back to where it was called. A copy that
does, because it returns from the skill or goes on waiting on the loop, is ended there; the agent itself goes on.
"""

import asyncio
import contextlib
import os
import weakref
from collections.abc import Callable
from typing import Final, NoReturn, TypeVar

from agentic_atlas.sdk.streams import complain

T = TypeVar("T")

EXIT_COPY: Final = 70
"""Exit code of a copy that came back (`EX_SOFTWARE`)."""

_LOOPS: "weakref.WeakSet[asyncio.AbstractEventLoop]" = weakref.WeakSet()
"""Loops that agents of this process run on."""
_LEFT_BEHIND: "weakref.WeakSet[asyncio.AbstractEventLoop]" = weakref.WeakSet()
"""Of those, the ones that run in the process that this one was forked from, and not here."""


def watch_for_copies(loop: asyncio.AbstractEventLoop) -> None:
    """From now on, a copy of this process that goes on with this loop is ended."""
    _LOOPS.add(loop)


def left_behind(loop: asyncio.AbstractEventLoop) -> bool:
    """Tell whether an agent's loop runs in the process that this one was forked from: here it answers nobody."""
    return loop in _LEFT_BEHIND


def end_copy(function: Callable[[], T]) -> T:
    """Call a function; when it comes back in a copy of this process, end that."""
    here = os.getpid()
    try:
        return function()
    finally:
        if os.getpid() != here:
            end()


def end() -> NoReturn:
    """End this process, which is a copy."""
    complain("a skill forked, and its copy of the agent came back: it is ended (use multiprocessing)")
    os._exit(EXIT_COPY)


def _after_fork() -> None:
    for loop in list(_LOOPS):
        _LEFT_BEHIND.add(loop)
        _LOOPS.discard(loop)
        # RuntimeError: it is closed, or belongs to a thread that was not copied and cannot come back.
        with contextlib.suppress(RuntimeError):
            loop.call_soon(end)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
