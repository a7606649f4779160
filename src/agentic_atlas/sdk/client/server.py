"""`client.server`: what the network's server is, and which limits it keeps to."""

from __future__ import annotations

from collections.abc import Sequence

from agentic_atlas.protocol.caller.system import LimitInfo, LimitList, ServerInfo
from agentic_atlas.sdk.client.http import Api


class AsyncServer:
    """The server of a network, as `AsyncClient.server`."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def about(self) -> ServerInfo:
        """Return what it is: version, since when it is up, how much it keeps, when its certificate ends."""
        return await self._api.send("GET", "/about", ServerInfo)

    async def limits(self) -> Sequence[LimitInfo]:
        """Return the limits that are in force, and how much of them is used where that is counted."""
        return (await self._api.send("GET", "/limits", LimitList)).items
