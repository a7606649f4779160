"""Whether a platform is there, and takes a key: asked once, without patience."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from agentic_atlas.errors import AtlasError, Unauthenticated, Unavailable

if TYPE_CHECKING:
    from agentic_atlas.protocol.caller.people import WhoAmI
    from agentic_atlas.sdk.credentials import StoredKey

SECONDS = 1.5
"""How long a platform may take to answer."""
SILENT = "nothing answers"
UNTRUSTED = "answers, but its certificate is not trusted here (SSL_CERT_FILE)"


async def reach(url: str, key: str) -> WhoAmI | str:
    """Ask a platform who this key is; return it, or in a few words why nobody is told."""
    import asyncio

    from agentic_atlas.cli import connection

    try:
        async with asyncio.timeout(SECONDS), connection.connect(url, key, patience=0.0) as atlas:
            return await atlas.people.whoami()
    except Unauthenticated:
        return "does not take the key"
    except (Unavailable, TimeoutError) as error:
        # Something answers there, and its key is not to be forgotten for that.
        return UNTRUSTED if _of_tls(error) else SILENT
    except AtlasError as error:
        return error.message


def _of_tls(error: BaseException) -> bool:
    """Tell whether it came to that because of what the other end said in TLS."""
    import ssl

    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, ssl.SSLError):
        cause = cause.__cause__ or cause.__context__
    return cause is not None


async def reach_all(platforms: Mapping[str, StoredKey]) -> dict[str, WhoAmI | str]:
    """Ask all of them at the same time."""
    import asyncio

    async with asyncio.TaskGroup() as group:
        asked = {url: group.create_task(reach(url, entry.api_key)) for url, entry in platforms.items()}
    return {url: task.result() for url, task in asked.items()}


async def first_that_answers(platforms: Iterable[tuple[str, StoredKey]]) -> str | None:
    """Return the first of these that answers and takes its key, or None."""
    reached = await reach_all(dict(platforms))
    return next((url for url, found in reached.items() if not isinstance(found, str)), None)
