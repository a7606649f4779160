"""What agents' processes take, stored each minute: the beats of the minute are in memory, and cost no write."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

from agentic_atlas.backend.domain.statistics import MINUTE, beginning
from agentic_atlas.backend.engine.credit import Heartbeats
from agentic_atlas.backend.ports import ResourceSeries
from agentic_atlas.errors import Busy, Unavailable

BEHIND: Final = 1.0
"""Seconds after a minute's end at which it is stored."""


class ResourceKeeper:
    """Stores what connected processes took, and has old minutes added up and forgotten."""

    def __init__(
        self,
        series: ResourceSeries,
        beats: Heartbeats,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._series = series
        self._beats = beats
        self._clock = clock
        self._sleep = sleep

    async def run(self) -> None:
        """Store again and again, until cancelled."""
        while True:
            await self._sleep(MINUTE - (self._clock() - BEHIND) % MINUTE)
            await self.store()

    async def store(self) -> None:
        """Store the last minute; what can't be stored now is lost."""
        now = self._clock()
        taken = self._beats.take()
        with suppress(Unavailable, Busy):
            if taken:
                await self._series.add(beginning(now, MINUTE) - MINUTE, taken)
            await self._series.roll(now)
