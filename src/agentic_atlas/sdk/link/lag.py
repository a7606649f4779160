"""How late the loop is that runs the handlers, seen from the link's thread (design: Alive means able to deliver).

The link asks that loop for a sign of life, one at a time; the lag is the age of the question, or the delay of the last
answer. Above a threshold one warning says which skills run there and the line of their code where the loop hangs.
"""

import sys
import sysconfig
import threading
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path
from types import FrameType

import msgspec

_FRAMES = 4
_LINE = 100
_PACKAGE = str(Path(__file__).parents[1])
_LIBRARIES = tuple({sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")})


class Ping:
    """The token of one question; `Lag.pong` takes it back."""

    __slots__ = ("answered_at", "asked_at")

    def __init__(self, asked_at: float) -> None:
        self.asked_at = asked_at
        self.answered_at: float | None = None


class Lag:
    """Measures the lag. All but `pong` belongs to the link's thread."""

    def __init__(self, clock: Callable[[], float], thread_id: int) -> None:
        self._clock = clock
        self._ping: Ping | None = None
        self.thread_id = thread_id
        """Thread of the handlers' loop: where the last answer came from."""

    def ask(self) -> Ping | None:
        """Return the token of a question that is due, or None while one is open."""
        if self._ping is not None and self._ping.answered_at is None:
            return None
        self._ping = Ping(self._clock())
        return self._ping

    def pong(self, token: object) -> None:
        """Take an answer, on the thread of the handlers' loop. Only the first one of a token counts."""
        if isinstance(token, Ping) and token.answered_at is None:
            self.thread_id = threading.get_ident()
            token.answered_at = self._clock()

    def seconds(self) -> float:
        """Return the present lag."""
        if self._ping is None:
            return 0.0
        answered_at = self._ping.answered_at
        return (self._clock() if answered_at is None else answered_at) - self._ping.asked_at


class Change(msgspec.Struct, frozen=True):
    """What a new reading means.

    Attributes:
        crossed: the loop got blocked, or free again, since the last reading: the router should know at once.
        warn: it is time for a warning.
    """

    crossed: bool
    warn: bool


class Threshold:
    """Turns readings into the few moments that matter."""

    def __init__(self, seconds: float, again: float) -> None:
        self._seconds = seconds
        self._again = again
        self._blocked = False
        self._warned_at = float("-inf")

    def read(self, lag: float, now: float) -> Change:
        """Take a reading."""
        blocked = lag > self._seconds
        crossed, self._blocked = blocked is not self._blocked, blocked
        warn = blocked and now - self._warned_at >= self._again
        if warn:
            self._warned_at = now
        return Change(crossed, warn)


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


def warning(skills: Iterable[str], lag: float, thread_id: int) -> str:
    """Return the sentence for a loop that is blocked."""
    names = ", ".join(skills) or "no skill"
    return (
        f"the loop that runs the skills has been blocked for {lag:.1f} s ({names} running): no new tasks arrive until "
        f"it is free. Use `def` instead of `async def`, or `await asyncio.to_thread(...)`. It hangs here: "
        f"{where(thread_id)}"
    )
