"""What comes in and goes out on a connection: bounded both ways, whatever the agent does.

While there is a reason not to take what comes, the socket is paused, which slows the agent down by TCP. What had been
read already waits here, so a pause holds for the very next message, and nothing is dropped or taken out of order.

Tasks and answers can be large and come in bursts, so they are paced: one is put in when it fits into the first half of
the buffer, the others wait for the agent to read. All else is small and goes at once; the buffer over its limit means
that the agent asks for more than it reads, and ends the connection.
"""

from collections import deque
from collections.abc import Callable
from enum import Flag, auto
from typing import Final

from agentic_atlas.protocol.messages import Answer, Cancel, Message, Task
from agentic_atlas.protocol.session import ConnectionState, Session
from agentic_atlas.router.ports import Traffic, Transport


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


_NOTHING_WAITS: Final[deque[Task | Cancel | Answer]] = deque(maxlen=0)
_NOTHING_CAME: Final[deque[bytes]] = deque(maxlen=0)
"""An empty queue takes half a kilobyte, which most connections never need: they share this one."""
_FREE: Final = Pause(0)
_PACED: Final = (Task, Cancel, Answer)
_CLOSED: Final = ConnectionState.CLOSED


class ReceiveBuffer:
    """Hands messages on, one by one, unless paused.

    Attributes:
        free: there is no reason to wait and nothing waits: what comes may be taken without asking here.
    """

    __slots__ = ("_bytes", "_handing_on", "_most", "_reasons", "_take", "_transport", "_waiting", "free")

    def __init__(self, transport: Transport, take: Callable[[bytes], None], most: int) -> None:
        self._transport = transport
        self._take = take
        self._most = most
        self.free = True
        self._reasons = _FREE
        self._waiting = _NOTHING_CAME
        self._bytes = 0
        self._handing_on = False

    @property
    def paused(self) -> bool:
        """Tell whether there is a reason to wait."""
        return self._reasons is not _FREE

    def received(self, data: bytes) -> bool:
        """Take a message; False when more than `most` bytes would wait, which a paused transport never gives."""
        if self.free:
            self._take(data)
            return True
        if not self._waiting:
            self._waiting = deque()
        self._waiting.append(data)
        self._bytes += len(data)
        return self._bytes <= self._most

    def pause(self, reason: Pause) -> None:
        """Take nothing more."""
        if self._reasons is _FREE:
            self._transport.pause_reading()
        self._reasons |= reason
        self.free = False

    def resume(self, reason: Pause) -> None:
        """This reason is gone: when it was the last one, go on with what has waited."""
        if reason not in self._reasons:
            return
        self._reasons &= ~reason
        if self._handing_on:
            return
        self._handing_on = True
        while self._waiting and self._reasons is _FREE:
            data = self._waiting.popleft()
            self._bytes -= len(data)
            self._take(data)
        self._handing_on = False
        if self._reasons is _FREE:
            self.free = True
            self._transport.resume_reading()

    def stop(self) -> None:
        """The connection is over: forget what waits."""
        self._waiting = _NOTHING_CAME
        self._bytes = 0


class PacedSender:
    """Sends for one connection.

    Attributes:
        idle: nothing waited to be sent when that was looked at last.
        overfull: the limit was exceeded: the connection is to be closed.
    """

    __slots__ = (
        "_backlog",
        "_backlog_since",
        "_half",
        "_most",
        "_session",
        "_stalled",
        "_traffic",
        "_transport",
        "_waiting",
        "idle",
        "overfull",
    )

    def __init__(self, session: Session, transport: Transport, most: int, stalled: float, traffic: Traffic) -> None:
        self.idle = True
        self.overfull = False
        self._session = session
        self._transport = transport
        self._traffic = traffic
        self._most = most
        self._half = most // 2
        self._stalled = stalled
        self._waiting = _NOTHING_WAITS
        self._backlog = 0
        self._backlog_since: float | None = None

    @property
    def congested(self) -> bool:
        """True while nothing large may be added: tasks wait for room, or the agent is behind."""
        return bool(self._waiting) or self.behind

    @property
    def unsent(self) -> bool:
        """True while anything waits to be sent: to be looked at now and then, for the agent may not read."""
        return bool(self._waiting) or self._transport.buffered() > 0

    @property
    def behind(self) -> bool:
        """True while the agent is behind with reading: half of the buffer is full.

        Tasks that wait do not count: they fill no more than that half, and an agent that says what it has to say before
        it reads on would wait for a router that waits for it.
        """
        return self._transport.buffered() > self._half

    def send(self, message: Message) -> bool:
        """Send a message, now or when the agent has read what was sent before; False when the connection is closed.

        A cancel never overtakes its task.
        """
        if self._session.state is _CLOSED:
            return False
        # Asked by type first, for nearly all is none of these, and `isinstance` is slow to say so of a struct.
        if type(message) in _PACED and isinstance(message, _PACED) and self._waits(message):
            self._waiting = self._waiting or deque()
            self._waiting.append(message)
            self.idle = False
        else:
            self._put(message)
            if not self.idle or self._transport.buffered():
                self._look()
        return True

    def flush(self) -> None:
        """Send that for which there is room now, and look at what the agent has not read."""
        while self._waiting and self._fits(self._waiting[0]):
            self._put(self._waiting.popleft())
        self._look()

    def stop(self) -> None:
        """The connection is over: forget what waits. The leases see to it that it is delivered again."""
        self._waiting = _NOTHING_WAITS

    def stalls(self, now: float) -> bool:
        """Tell whether what waits to be sent has not got less for too long; to be asked now and then."""
        backlog = self._transport.buffered()
        if not backlog:
            self._backlog_since = None
        elif self._backlog_since is None or backlog < self._backlog:
            self._backlog, self._backlog_since = backlog, now
        return self._backlog_since is not None and now - self._backlog_since > self._stalled

    def _put(self, message: Message) -> None:
        data = self._session.send(message)
        self._traffic.sent[type(message)] += 1
        self._traffic.sent_bytes += len(data)
        self._transport.send(data)

    def _waits(self, message: Task | Cancel | Answer) -> bool:
        if isinstance(message, Cancel):
            return any(one.task == message.task for one in self._waiting)
        return bool(self._waiting) or not self._fits(message)

    def _look(self) -> None:
        backlog = self._transport.buffered()
        self.idle = not backlog and not self._waiting
        if not self.idle:
            self.overfull = backlog > self._most

    def _fits(self, message: Task | Cancel | Answer) -> bool:
        buffered = self._transport.buffered()
        return not buffered or buffered + _size(message) <= self._half


def _size(message: Task | Cancel | Answer) -> int:
    """Return the bytes of a message's payloads."""
    match message:
        case Task(input=input, answers=answers):
            return memoryview(input).nbytes + sum(memoryview(one.data).nbytes for one in answers)
        case Answer(reaction=reaction):
            return memoryview(reaction.data).nbytes
        case Cancel():
            return 0
