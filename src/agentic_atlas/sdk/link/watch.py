"""Looks at this process once a tick: did the machine sleep, does the handlers' loop hang, what does it all take."""

from collections.abc import Callable, Iterable

import msgspec

from agentic_atlas.sdk.link.awake import Awake
from agentic_atlas.sdk.link.backlog import Backlog
from agentic_atlas.sdk.link.lag import Lag, Threshold, warning
from agentic_atlas.sdk.link.pace import Pace
from agentic_atlas.sdk.link.surroundings import Surroundings
from agentic_atlas.sdk.link.vitals import Reading, Vitals
from agentic_atlas.sdk.logs import Log


class Seen(msgspec.Struct, frozen=True):
    """What a tick found.

    Attributes:
        slept: the clocks jumped: the connection has to prove itself, or to be tried again at once.
        crossed: the handlers' loop got blocked, or free: the router should know at once.
    """

    slept: bool
    crossed: bool


class Watch:
    """Implements `conversation.State`."""

    def __init__(
        self,
        lag: Lag,
        ping: Callable[[object], None],
        skills: Callable[[], Iterable[str]],
        *,
        pace: Pace,
        surroundings: Surroundings,
        log: Log,
    ) -> None:
        """Begin; `ping` asks the handlers' loop for a sign of life, `skills` names what runs on it."""
        self._lag = lag
        self._ping = ping
        self._skills = skills
        self._threshold = Threshold(pace.lag, pace.lag_again)
        self._surroundings = surroundings
        self._awake = Awake(surroundings.wall(), surroundings.clock(), pace.jump)
        self._vitals = Vitals()
        self._backlog = Backlog()
        self._log = log

    def lag(self) -> float:
        """Return how late the handlers' loop is, in seconds."""
        return self._lag.seconds()

    def vitals(self) -> Reading:
        """Return what the process takes of the machine."""
        return self._vitals.read()

    def hand(self, size: int) -> None:
        """So many bytes were handed to the handlers' loop."""
        self._backlog.hand(size)

    @property
    def full(self) -> bool:
        """Whether more waits there than should: nothing more is read from the router until it has taken some."""
        return self._backlog.full

    def tick(self) -> Seen:
        """Look once."""
        now = self._surroundings.clock()
        slept = self._awake.jumped(self._surroundings.wall(), now)
        lag = self._lag.seconds()
        change = self._threshold.read(lag, now)
        # In sleep all loops stand still: that is not a handler's doing.
        if change.warn and not slept:
            self._log.warning(warning(self._skills(), lag, self._lag.thread_id))
        question = self._lag.ask()
        if question is not None:
            self._backlog.ask()
            self._ping(question)
        return Seen(slept, change.crossed)
