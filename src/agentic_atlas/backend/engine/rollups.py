"""Counts what has ended, once a minute, a little after the minute is over."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

from agentic_atlas.backend.domain.statistics import MINUTE
from agentic_atlas.backend.ports import Statistics
from agentic_atlas.errors import Busy, Unavailable

BEHIND: Final = 5.0
"""Seconds after a minute's end at which it is counted: by then nearly all that ended in it is stored."""


class RollUps:
    """Has the tasks counted that have ended."""

    def __init__(
        self,
        statistics: Statistics,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._statistics = statistics
        self._clock = clock
        self._sleep = sleep

    async def run(self) -> None:
        """Count again and again, until cancelled; what can't be counted now is the next time."""
        while True:
            with suppress(Unavailable, Busy):
                await self._statistics.roll(self._clock())
            await self._sleep(MINUTE - (self._clock() - BEHIND) % MINUTE)
