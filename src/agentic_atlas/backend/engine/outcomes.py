"""Counts how tasks end and how long they took, by skill: a second later, so that no task waits for it."""

import asyncio
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterator
from typing import Final, NamedTuple

from agentic_atlas.backend.engine.feed import Feed, Moved
from agentic_atlas.observe import series
from agentic_atlas.observe.histogram import MOST_SKILLS, OTHER, Foremost, Histogram
from agentic_atlas.observe.series import SeriesSample
from agentic_atlas.protocol.codes import OF_AGENTS, OF_THE_NETWORK
from agentic_atlas.protocol.tasks import LEASED, TERMINAL

EVERY: Final = 1.0
"""Seconds between two times that what happened to tasks is counted."""
MOST_UNCOUNTED: Final = 100_000
"""Changes of tasks that may wait to be counted; of more the oldest are not."""
TASK_BOUNDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0)
"""Seconds that tasks are counted up to."""

_CODES: Final = OF_AGENTS | OF_THE_NETWORK | {"", "rejected"}


class SkillTimes(NamedTuple):
    """How long the tasks of one skill took that have ended."""

    queue: Histogram
    run: Histogram
    whole: Histogram

    @staticmethod
    def none() -> "SkillTimes":
        """Return those of no tasks."""
        return SkillTimes(*(Histogram(TASK_BOUNDS) for _ in SkillTimes._fields))


class Outcomes:
    """What became of tasks since the start. Belongs to one event loop."""

    def __init__(self, feed: Feed, sleep: Callable[[float], Awaitable[object]] = asyncio.sleep) -> None:
        self._feed = feed
        self._sleep = sleep
        self._moved: deque[Moved] = deque(maxlen=MOST_UNCOUNTED)
        self._begun: dict[str, tuple[int, float]] = {}
        """Of each task that an instance has, as far as that was seen: the attempt, and when it was given to it."""
        self._ended: Counter[tuple[str, str]] = Counter()
        self._times = Foremost(SkillTimes.none, MOST_SKILLS)

    async def run(self) -> None:
        """Count again and again, until cancelled."""
        self._feed.moves = self._moved.append
        try:
            while True:
                await self._sleep(EVERY)
                self.gather()
        finally:
            self._feed.moves = None

    def gather(self) -> None:
        """Count what happened since the last time."""
        if len(self._moved) == MOST_UNCOUNTED:
            self._begun.clear()  # the ends of some of these may be among what was lost
        while self._moved:
            moved = self._moved.popleft()
            if moved.state in LEASED:
                if self._begun.get(moved.id, (0, 0.0))[0] != moved.attempt:
                    self._begun[moved.id] = moved.attempt, moved.at
            elif moved.state in TERMINAL:
                self._end(moved, self._begun.pop(moved.id, None))
            else:
                self._begun.pop(moved.id, None)

    def samples(self) -> Iterator[SeriesSample]:
        """Yield what is so at this moment."""
        self.gather()
        for of, number in self._ended.items():
            yield SeriesSample(series.TASKS_ENDED, number, of)
        for skill, times in self._times:
            for told, taken in zip((series.TASK_QUEUE, series.TASK_RUN, series.TASK_WHOLE), times, strict=True):
                yield SeriesSample(told, taken, skill)

    def _end(self, moved: Moved, begun: tuple[int, float] | None) -> None:
        # Skills choose the codes of their rejections, as many as they like.
        self._ended[moved.state.value, moved.code if moved.code in _CODES else OTHER] += 1
        times = self._times.of(moved.agent, moved.skill)
        times.whole.add(max(0.0, moved.at - moved.created_at))
        if begun is not None:
            times.queue.add(max(0.0, begun[1] - moved.created_at))
            times.run.add(max(0.0, moved.at - begun[1]))
