"""How long reads and writes of the store take, and how many writes share a commit: gathered beside them, and told."""

from collections import deque
from collections.abc import Iterator
from typing import Final

from agentic_atlas.backend.store.writer import GroupTimes, Writer
from agentic_atlas.observe import series
from agentic_atlas.observe.histogram import Histogram
from agentic_atlas.observe.series import SeriesSample

OPERATION_BOUNDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
"""Seconds that reads, writes and commits are counted up to."""
GROUP_BOUNDS: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
"""Writes of a group that are counted up to."""


class StoreFigures:
    """Counts since the start. For one event loop, but for what the writer's thread hands over."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._sizes = Histogram(GROUP_BOUNDS)
        self._groups = Histogram(OPERATION_BOUNDS)
        self._commits = Histogram(OPERATION_BOUNDS)
        self._reads: dict[str, Histogram] = {}
        self._writes: dict[str, Histogram] = {}

    def read(self, what: str, seconds: float) -> None:
        """A read took so long."""
        _add(self._reads, what, seconds)

    def gather(self) -> None:
        """Count the groups that were written since the last time; to be called now and then."""
        while (group := _next(self._writer.times)) is not None:
            self._sizes.add(len(group.operations))
            self._groups.add(group.ended - group.began)
            self._commits.add(group.commit)
            for what, at in zip(group.operations, group.asked, strict=True):
                _add(self._writes, what, group.ended - at)

    def samples(self) -> Iterator[SeriesSample]:
        """Yield what is so at this moment."""
        self.gather()
        yield SeriesSample(series.STORE_GROUP, self._sizes)
        yield SeriesSample(series.STORE_GROUP_TIME, self._groups)
        yield SeriesSample(series.STORE_COMMIT, self._commits)
        yield SeriesSample(series.STORE_WAITING, self._writer.waiting)
        for told, taken in ((series.STORE_WRITE, self._writes), (series.STORE_READ, self._reads)):
            for what, times in taken.items():
                yield SeriesSample(told, times, (what,))


def _next(groups: deque[GroupTimes]) -> GroupTimes | None:
    try:
        return groups.popleft()
    except IndexError:
        return None


def _add(taken: dict[str, Histogram], what: str, seconds: float) -> None:
    times = taken.get(what)
    if times is None:
        times = taken[what] = Histogram(OPERATION_BOUNDS)
    times.add(seconds)
