"""What comes in on a connection, while there is a reason not to take it.

The socket is paused, which slows the agent down by TCP. What had been read already waits here, so a pause holds for the
very next message, and nothing is dropped or taken out of order.
"""

from collections import deque
from collections.abc import Callable
from enum import Flag, auto
from typing import Final

from agentic_atlas.router.ports import Transport


class Pause(Flag):
    """Why nothing is taken for now."""

    STORING = auto()
    """Too many reports wait to be stored."""
    SENDING = auto()
    """The agent does not read what is sent to it."""
    RESTING = auto()
    """What came last took long: others have their turn first."""
    STOPPING = auto()
    """The router stops: what came before is still stored."""


_NONE: Final[deque[bytes]] = deque(maxlen=0)
"""An empty queue takes half a kilobyte, which most connections never need: they share this one."""
_FREE: Final = Pause(0)


class Intake:
    """Hands messages on, one by one, unless paused."""

    __slots__ = ("_bytes", "_handing_on", "_most", "_reasons", "_take", "_transport", "_waiting")

    def __init__(self, transport: Transport, take: Callable[[bytes], None], most: int) -> None:
        self._transport = transport
        self._take = take
        self._most = most
        self._reasons = _FREE
        self._waiting = _NONE
        self._bytes = 0
        self._handing_on = False

    @property
    def paused(self) -> bool:
        """Tell whether there is a reason to wait."""
        return bool(self._reasons)

    def received(self, data: bytes) -> bool:
        """Take a message; False when more than `most` bytes would wait, which a paused transport never gives."""
        if not self._reasons and not self._waiting:
            self._take(data)
            return True
        if not self._waiting:
            self._waiting = deque()
        self._waiting.append(data)
        self._bytes += len(data)
        return self._bytes <= self._most

    def pause(self, reason: Pause) -> None:
        """Take nothing more."""
        if not self._reasons:
            self._transport.pause_reading()
        self._reasons |= reason

    def resume(self, reason: Pause) -> None:
        """This reason is gone: when it was the last one, go on with what has waited."""
        if reason not in self._reasons:
            return
        self._reasons &= ~reason
        if self._handing_on:
            return
        self._handing_on = True
        while self._waiting and not self._reasons:
            data = self._waiting.popleft()
            self._bytes -= len(data)
            self._take(data)
        self._handing_on = False
        if not self._reasons:
            self._transport.resume_reading()

    def stop(self) -> None:
        """The connection is over: forget what waits."""
        self._waiting = _NONE
        self._bytes = 0
