"""How a command reaches the platform: a client with the settings of this machine, in a loop of the command's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from agentic_atlas.sdk.client import AsyncClient

PATIENCE = 2.0
"""Seconds a person at a terminal waits for a platform that does not answer."""

T = TypeVar("T")


def connect(*, patience: float = PATIENCE) -> AsyncClient:
    """Return a client for the platform this machine is set up for.

    Raises:
        ConfigurationError: it is set up for none.
    """
    from agentic_atlas.sdk.client import AsyncClient

    return AsyncClient(patience=patience)


def run(work: Coroutine[Any, Any, T], *, timeout: float | None = None) -> T:
    """Run a command's work to its end; an interrupt (Ctrl-C) cancels it.

    Raises:
        TimeoutError: it was not done after so many seconds.
    """
    import asyncio

    async def bounded() -> T:
        async with asyncio.timeout(timeout):
            return await work

    return asyncio.run(bounded())
