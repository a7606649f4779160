"""`client.statistics`: what became of tasks, and what needs you."""

from __future__ import annotations

from datetime import datetime

from agentic_atlas.protocol.caller.attention import AttentionItem
from agentic_atlas.protocol.caller.statistics import StatisticsInfo
from agentic_atlas.protocol.caller.values import Listing
from agentic_atlas.sdk.client.http import Api, aware


class AsyncStatistics:
    """What became of tasks, as `AsyncClient.statistics`."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def read(
        self, *, agent: str | None = None, since: datetime | None = None, until: datetime | None = None
    ) -> StatisticsInfo:
        """Return how many tasks ended how, how long they took, why they failed, and who asked whom.

        Args:
            agent: `name`, or `owner/name`; only its tasks.
            since: an aware time, at most 31 days before `until`; else an hour before it.
            until: an aware time; else now.
        """
        query = {"agent": agent, "since": aware("since", since), "until": aware("until", until)}
        return await self._api.send("GET", "/statistics", StatisticsInfo, query=query)

    async def attention(self) -> Listing[AttentionItem]:
        """Return what needs you: open questions, tokens that end soon, agents that are gone; and to administrators what
        hangs in the network itself.
        """
        return await self._api.send("GET", "/attention", Listing[AttentionItem])
