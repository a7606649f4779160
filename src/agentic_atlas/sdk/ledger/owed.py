"""The results that are not acknowledged yet: part of the ledger.

Each is in the spool until it is forgotten. Those that ended processes have left are owed like one's own, and announced
under the name of their process until the router has been told of it.
"""

from collections.abc import Callable, Iterable

from agentic_atlas.protocol.messages import Predecessor, Result, RunningAttempt
from agentic_atlas.sdk.ledger.open_calls import Key
from agentic_atlas.sdk.spool.port import Estate, Spool


class Owed:
    """Which results are owed, since when, and whose they were."""

    def __init__(self, spool: Spool, clock: Callable[[], float]) -> None:
        self._spool = spool
        self._clock = clock
        # When each came; the one that has waited longest is the first.
        self._since: dict[Key, float] = {}
        # Until the router has been told of them: the ended processes, and whose result is whose.
        self._predecessors: tuple[str, ...] = ()
        self._inherited: dict[Key, str] = {}

    def __len__(self) -> int:
        return len(self._since)

    @property
    def oldest(self) -> float:
        """Seconds that the oldest has waited; 0 without any."""
        return max(0.0, self._clock() - next(iter(self._since.values()))) if self._since else 0.0

    def inherit(self, estate: Estate) -> Iterable[Result]:
        """Take over what ended processes left; return their results."""
        self._predecessors = estate.processes
        for left in estate.results:
            key = (left.result.task, left.result.attempt)
            self._inherited[key] = left.process
            self._since[key] = self._clock() - left.age
        return [left.result for left in estate.results]

    def add(self, result: Result) -> None:
        """A handler has ended."""
        self._since[result.task, result.attempt] = self._clock()
        self._spool.keep(result)

    def forget(self, key: Key) -> None:
        """The result is acknowledged, or of no account any more."""
        if self._since.pop(key, None) is not None:
            self._spool.forget(*key)

    def announced(self) -> tuple[list[RunningAttempt], list[Predecessor]]:
        """Return what `hello` says: this process's own results, and the ended processes with theirs."""
        own = [RunningAttempt(*key) for key in self._since if key not in self._inherited]
        return own, [Predecessor(process, self._left_by(process)) for process in self._predecessors]

    def welcomed(self) -> None:
        """The router knows: from now on all of them are this process's own."""
        self._predecessors = ()
        self._inherited.clear()
        self._spool.settled()

    def _left_by(self, process: str) -> list[RunningAttempt]:
        return [RunningAttempt(*key) for key, owner in self._inherited.items() if owner == process]
