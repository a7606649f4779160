"""What a process tells of itself when it is scraped: what it takes of the machine, and whether its loop is late."""

import asyncio
import platform
import resource
from collections.abc import Awaitable, Callable, Iterator
from typing import Final

import psutil

from agentic_atlas._version import __version__
from agentic_atlas.compose.http import HttpServer
from agentic_atlas.observe import series
from agentic_atlas.observe.histogram import Histogram
from agentic_atlas.observe.series import SeriesSample

EVERY: Final = 0.5
"""Seconds between two looks at how late the loop is."""
LAG_BOUNDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)
"""Seconds that a late timer is counted up to."""


class LoopWatch:
    """Looks at whether a loop is late, and has counted meanwhile what others gather for that."""

    def __init__(self, gather: Callable[[], None], sleep: Callable[[float], Awaitable[object]] = asyncio.sleep) -> None:
        """Take what is called at each look."""
        self._gather = gather
        self._sleep = sleep
        self._lag = Histogram(LAG_BOUNDS)

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + EVERY
            await self._sleep(EVERY)
            self._lag.add(max(0.0, loop.time() - due))
            self._gather()

    def samples(self) -> Iterator[SeriesSample]:
        """Yield how late it was."""
        yield SeriesSample(series.LOOP_LAG, self._lag)


def of_process() -> Iterator[SeriesSample]:
    """Yield what this process is and takes, as other programs tell it of theirs."""
    process = psutil.Process()
    with process.oneshot():
        used = process.cpu_times()
        python = f"{platform.python_implementation()} {platform.python_version()}"
        yield SeriesSample(series.INFO, 1, (__version__, python))
        yield SeriesSample(series.PROCESS_CPU, used.user + used.system)
        yield SeriesSample(series.PROCESS_MEMORY, process.memory_info().rss)
        yield SeriesSample(series.PROCESS_FILES, process.num_fds())
        yield SeriesSample(series.PROCESS_MOST_FILES, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
        yield SeriesSample(series.PROCESS_START, process.create_time())


def of_http(server: HttpServer) -> Iterator[SeriesSample]:
    """Yield what a server was asked for, and how it answered."""
    yield SeriesSample(series.HTTP_CONNECTIONS, server.open)
    for (method, route, status), number in server.answered.items():
        yield SeriesSample(series.HTTP_REQUESTS, number, (method, route, str(status)))
