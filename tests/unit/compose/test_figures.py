"""How late a loop is, and what this process takes."""

from __future__ import annotations

import asyncio
import os

import pytest

from agentic_atlas.compose import figures
from agentic_atlas.compose.figures import LoopWatch, of_process
from agentic_atlas.observe import series
from agentic_atlas.observe.histogram import Histogram


async def test_a_loop_that_stood_still_is_late_by_so_long_and_what_was_gathered_is_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(figures, "EVERY", -1.5)
    looked, gathered = asyncio.Event(), []

    async def sleep(_: float) -> None:
        if gathered:
            looked.set()
            await asyncio.Event().wait()

    watch = LoopWatch(lambda: gathered.append(1), sleep)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(watch.run())
        await looked.wait()
        running.cancel()
    (lag,) = (one.value for one in watch.samples())
    assert isinstance(lag, Histogram)
    assert (len(lag), gathered) == (1, [1])
    assert 1.5 <= lag.total < 30


def test_what_a_process_takes_is_what_the_system_says_of_it() -> None:
    told = {one.series: one.value for one in of_process()}
    assert told[series.INFO] == 1
    assert told[series.PROCESS_CPU] == pytest.approx(sum(os.times()[:2]), abs=5)
    for one in (series.PROCESS_MEMORY, series.PROCESS_FILES, series.PROCESS_MOST_FILES, series.PROCESS_START):
        assert isinstance(told[one], int | float)
        assert told[one] > 0
