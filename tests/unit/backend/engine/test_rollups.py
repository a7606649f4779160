"""What has ended is counted when its minute is over, and a store that can't be had is asked again."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from agentic_atlas.backend.engine.rollups import BEHIND, RollUps
from agentic_atlas.errors import Unavailable


class Counting:
    """Counts how often it is asked to, and fails the first time."""

    def __init__(self) -> None:
        self.at: list[float] = []

    async def roll(self, now: float) -> None:
        self.at.append(now)
        if len(self.at) == 1:
            raise Unavailable("not now")


async def test_it_is_counted_at_once_and_behind_each_minute_whatever_failed() -> None:
    now, slept, statistics = 1_000.0, [], Counting()

    async def sleep(seconds: float) -> None:
        nonlocal now
        slept.append(seconds)
        if len(slept) == 3:
            raise asyncio.CancelledError
        now += seconds

    counting: Any = statistics
    with pytest.raises(asyncio.CancelledError):
        await RollUps(counting, lambda: now, sleep).run()
    assert statistics.at == [1_000.0, 1_020.0 + BEHIND, 1_080.0 + BEHIND]
