"""How this process is, looked at once a tick from the link's thread: does it sleep, does it hang, what does it take.

A handler that blocks its loop does not block the link, so the link can tell how late that loop is: it asks the loop for
a sign of life, one question at a time, and the lag is the age of the question, or the delay of the last answer. Above a
threshold one warning says which skills run there and the line of their code where the loop hangs. The answers also
prove what that loop has taken of all that was handed to it, which has no bound of its own (guarantee 7).
"""

import sys
import sysconfig
import threading
import time
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path
from types import FrameType

from agentic_atlas.observe.logs import Log
from agentic_atlas.sdk.link.session import Backlog, Vitals
from agentic_atlas.sdk.link.settings import Runtime, Timeouts
from agentic_atlas.sdk.resources.measuring import Gauge
from agentic_atlas.sdk.resources.pausing import Pausing

LOOK_EVERY = 2.0
"""Seconds between two looks at what the process takes, where there is a limit to it; else with beats only."""

_FRAMES = 4
_LINE = 100
_PACKAGE = str(Path(__file__).parents[1])
_LIBRARIES = tuple({sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")})


class LoopLag:
    """Measures how late the handlers' loop is, and finds the few moments that matter in it.

    All but `pong` belongs to the link's thread.

    Attributes:
        crossed: with the last reading the loop got blocked, or free again: the router should know at once.
        warns: it was time for a warning.
    """

    def __init__(self, clock: Callable[[], float], thread_id: int, timeouts: Timeouts) -> None:
        self.crossed = self.warns = False
        self._clock = clock
        self._threshold = timeouts.lag
        self._again = timeouts.lag_again
        self._blocked = False
        self._warned_at = float("-inf")
        self._asked = 0
        """Number of the last question, which is its token."""
        self._asked_at = self._answered_at = clock()
        self._answered = 0
        self.thread_id = thread_id
        """Thread of the handlers' loop: where the last answer came from."""

    def ask(self) -> int | None:
        """Return the token of a question that is due, or None while one is open."""
        if self._answered != self._asked:
            return None
        self._asked_at = self._clock()
        self._asked += 1
        return self._asked

    def pong(self, token: object) -> None:
        """Take an answer, on the thread of the handlers' loop. Only the first one of a token counts."""
        if token == self._asked and self._answered != self._asked:
            self.thread_id = threading.get_ident()
            self._answered_at = self._clock()
            self._answered = self._asked

    def seconds(self) -> float:
        """Return the present lag."""
        open_still = self._answered != self._asked
        return (self._clock() if open_still else self._answered_at) - self._asked_at

    def read(self) -> float:
        """Take a reading; return the lag."""
        now, lag = self._clock(), self.seconds()
        blocked = lag > self._threshold
        self.crossed, self._blocked = blocked is not self._blocked, blocked
        self.warns = blocked and now - self._warned_at >= self._again
        if self.warns:
            self._warned_at = now
        return lag


def sleep_detector(wall: float, monotonic: float, jump: float) -> Callable[[float, float], bool]:
    """Return what is given the wall clock and the monotonic one, in seconds and of the same moment, at each look.

    It tells whether the clocks have drifted apart since the last look, or that is too long ago, for systems whose
    monotonic clock goes on in sleep, and a process that was stopped. A connection that looks open may be long gone
    after a sleep of the machine.
    """
    before = wall, monotonic

    def slept(wall: float, monotonic: float) -> bool:
        nonlocal before
        passed = monotonic - before[1]
        drift = abs((wall - before[0]) - passed)
        before = wall, monotonic
        return drift > jump or passed > jump

    return slept


class ProcessHealth:
    """What is known of this process.

    Attributes:
        slept: at the last tick the clocks had jumped: the connection has to prove itself, or to be tried again at once.
        crossed: at the last tick the handlers' loop got blocked, or free, or the agent pauses, or does no more: the
            router should know at once.
    """

    def __init__(
        self,
        lag: LoopLag,
        ping: Callable[[object], None],
        skills: Callable[[], Iterable[str]],
        backlog: Backlog,
        *,
        timeouts: Timeouts,
        runtime: Runtime,
        log: Log,
    ) -> None:
        """Begin; `ping` asks the handlers' loop for a sign of life, `skills` names what runs on it."""
        self.slept = self.crossed = False
        self._lag = lag
        self._ping = ping
        self._skills = skills
        self._runtime = runtime
        self._slept = sleep_detector(runtime.wall(), runtime.clock(), timeouts.jump)
        self._backlog = backlog
        self._gauge = Gauge(runtime.look(runtime.clock))
        self._pausing = Pausing(runtime.pauses)
        self._limited = runtime.pauses.any
        self._look_at = float("-inf")
        self._log = log

    def vitals(self) -> Vitals:
        """Return how the process is; zeros for what the system does not tell."""
        self._look()
        now = self._gauge.read(self._runtime.clock())
        return Vitals(self._lag.seconds(), now.cpu, now.memory, self._pausing.reason, now.resources)

    def tick(self) -> None:
        """Look once."""
        now = self._runtime.clock()
        self.slept = self._slept(self._runtime.wall(), now)
        lag = self._lag.read()
        self.crossed = self._look() or self._lag.crossed
        # In sleep all loops stand still: that is not a handler's doing.
        if self._lag.warns and not self.slept:
            self._log.warning("loop_blocked", message=blocked(self._skills(), lag, self._lag.thread_id))
        question = self._lag.ask()
        if question is not None:
            self._backlog.ask()
            self._ping(question)

    def _look(self) -> bool:
        """Look at what is limited, when it is time for that; True when the agent pauses from now on, or no longer."""
        now = self._runtime.clock()
        if not self._limited or now < self._look_at:
            return False
        self._look_at = now + LOOK_EVERY
        local = time.localtime(self._runtime.wall())
        if not self._pausing.look(self._gauge.read(now), local.tm_hour * 60 + local.tm_min):
            return False
        if self._pausing.reason is None:
            self._log.info("takes_tasks")
        else:
            self._log.warning("takes_no_tasks", why=self._pausing.why)
        return True


def blocked(skills: Iterable[str], lag: float, thread_id: int) -> str:
    """Return the sentence for a loop that is blocked."""
    names = ", ".join(skills) or "no skill"
    return (
        f"the loop that runs the skills has been blocked for {lag:.1f} s ({names} running): no new tasks arrive until "
        f"it is free. Use `def` instead of `async def`, or `await asyncio.to_thread(...)`. It hangs here: "
        f"{where(thread_id)}"
    )


def where(thread_id: int) -> str:
    """Return where a thread is now: the innermost lines of the user's own code, or of any code when there are none."""
    frame = sys._current_frames().get(thread_id)
    if frame is None:
        return "its thread has ended"
    return " > ".join(_said(line) for line in _lines(frame))


def _lines(frame: FrameType) -> list[traceback.FrameSummary]:
    lines = traceback.extract_stack(frame)
    own = [line for line in lines if _is_users(line.filename)]
    return (own or lines)[-_FRAMES:]


def _said(line: traceback.FrameSummary) -> str:
    return f"{Path(line.filename).name}:{line.lineno} in {line.name}: {(line.line or '')[:_LINE]}"


def _is_users(filename: str) -> bool:
    return not filename.startswith((_PACKAGE, "<", *_LIBRARIES))
