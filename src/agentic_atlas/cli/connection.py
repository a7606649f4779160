"""How a command reaches the platform: a client with the settings of this machine, in a loop of the command's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from agentic_atlas.cli import interrupts
from agentic_atlas.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from agentic_atlas.sdk.client.asynchronous import AsyncClient

PATIENCE = 2.0
"""Seconds a person at a terminal waits for a platform that does not answer."""

T = TypeVar("T")


def connect(
    url: str | None = None, api_key: str | None = None, *, patience: float = PATIENCE, timeout: float | None = None
) -> AsyncClient:
    """Return a client for the platform this machine is set up for, or for the one that is given.

    Raises:
        ConfigurationError: it is set up for none.
    """
    from agentic_atlas.sdk.client.asynchronous import AsyncClient
    from agentic_atlas.sdk.client.http import TIMEOUT

    return AsyncClient(url, api_key=api_key, patience=patience, timeout=TIMEOUT if timeout is None else timeout)


def one_of_several() -> str:
    """Return which network commands go to, where another one is known here that might be meant; else nothing."""
    from agentic_atlas.sdk import environment

    try:
        return environment.platform_url() if len(environment.read_credentials().platforms) > 1 else ""
    except ConfigurationError:
        return ""  # An address and a key of the environment do without that file.


def stored_user() -> str:
    """Return who one is to the network that commands go to, as far as that is stored with the key that is used."""
    from agentic_atlas.sdk import environment

    try:
        used = environment.client_settings()
        entry = environment.read_credentials().entry(used.url)
    except ConfigurationError:
        return ""
    return entry.user if entry is not None and entry.api_key == used.api_key else ""


def run(work: Coroutine[object, object, T], *, timeout: float | None = None) -> T:
    """Run a command's work to its end; a signal (Ctrl-C, SIGTERM, SIGHUP) cancels it.

    Raises:
        TimeoutError: it was not done after so many seconds.
        Interrupted: a signal came.
    """
    import asyncio

    async def bounded() -> T:
        loop, main = asyncio.get_running_loop(), asyncio.current_task()
        assert main is not None
        cancel = interrupts.turned_into(lambda: loop.call_soon_threadsafe(main.cancel))
        with interrupts.waking(loop), cancel as signalled:
            try:
                async with asyncio.timeout(timeout):
                    return await work
            except asyncio.CancelledError:
                number = signalled()
                if number is None:
                    raise
                raise interrupts.Interrupted(number) from None

    return asyncio.run(bounded())
