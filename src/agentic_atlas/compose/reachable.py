"""Whether the public addresses lead somewhere: asked as others would ask, and told in the log.

They are written into the `.env` of every new agent, and a wrong one is found out only there, by somebody else. A proxy
may be started after the network, so a failure is looked at again before it is left at that.
"""

import asyncio
from typing import Final

from agentic_atlas.compose.sources import monotonic
from agentic_atlas.errors import AtlasError
from agentic_atlas.observe.logs import Log
from agentic_atlas.sdk.client.login import check_address
from agentic_atlas.sdk.link.dial import Dialer, HandshakeRefused
from agentic_atlas.sdk.link.settings import Timeouts
from agentic_atlas.settings import Settings
from agentic_atlas.transport.receiver import Receiver

PAUSES: Final = (1.0, 10.0, 60.0, 600.0)
"""Seconds before each look; the first one is for what is being started beside us."""
_NOBODYS_TOKEN: Final = "a.b.c"  # noqa: S105 - what no router takes, so that it says no


async def watch(settings: Settings, log: Log) -> None:
    """Look at the addresses that are set until each of them has led here, and give up some time."""
    given = {"ATLAS_PUBLIC_URL": settings.public_url, "ATLAS_PUBLIC_ROUTER_URL": settings.public_router_url}
    unseen = {name: url for name, url in given.items() if url}
    told: set[str] = set()
    for pause in PAUSES:
        if not unseen:
            return
        await asyncio.sleep(pause)
        for name, url in list(unseen.items()):
            why = await (_api(url) if name == "ATLAS_PUBLIC_URL" else _router(url))
            if why is None:
                del unseen[name]
                if name in told:
                    log.info("public_address_reached", setting=name, address=url)
            elif name not in told:
                told.add(name)
                log.warning("public_address_unreachable", setting=name, address=url, why=why)


async def _api(url: str) -> str | None:
    """Return why no platform answers at an address; None when one does."""
    try:
        await check_address(url, timeout=5.0, patience=0.0)
    except AtlasError as error:
        return error.message
    return None


async def _router(url: str) -> str | None:
    """Return why no router answers at an address; None when one does."""
    try:
        dialer = Dialer(url, clock=monotonic, timeouts=Timeouts(connect=5.0), tls=None)
        await dialer.connect(_NOBODYS_TOKEN, Receiver())
    except HandshakeRefused as error:
        return None if error.status == 401 else error.message
    except AtlasError as error:
        return error.message
    return "what answers there lets everybody in"
