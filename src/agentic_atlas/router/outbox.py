"""What goes out on a connection: bounded, whatever the agent reads.

Tasks and answers can be large and come in bursts, so they are paced: one is put in when it fits into the first half of
the buffer, the others wait for the agent to read. All else is small and goes at once; the buffer over its limit means
that the agent asks for more than it reads, and ends the connection.
"""

from collections import deque
from typing import Final

from agentic_atlas.protocol.messages import Answer, Cancel, Message, Task
from agentic_atlas.protocol.session import Session
from agentic_atlas.protocol.states import ConnectionState
from agentic_atlas.router.ports import Transport

_NONE: Final[deque[Task | Cancel | Answer]] = deque(maxlen=0)
"""An empty queue takes half a kilobyte, which most connections never need: they share this one."""


class Outbox:
    """Sends for one connection.

    Attributes:
        overfull: the limit was exceeded: the connection is to be closed.
    """

    __slots__ = (
        "_backlog",
        "_backlog_since",
        "_half",
        "_most",
        "_session",
        "_stalled",
        "_transport",
        "_waiting",
        "overfull",
    )

    def __init__(self, session: Session, transport: Transport, most: int, stalled: float) -> None:
        self.overfull = False
        self._session = session
        self._transport = transport
        self._most = most
        self._half = most // 2
        self._stalled = stalled
        self._waiting = _NONE
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
        """Send a message at once; False when the connection is closed."""
        if self._session.state is ConnectionState.CLOSED:
            return False
        self._transport.send(self._session.send(message))
        self.overfull = self._transport.buffered() > self._most
        return True

    def deliver(self, message: Task | Answer) -> None:
        """Send a task or an answer, now or when the agent has read what was sent before."""
        if self._waiting or not self._fits(message):
            self._wait(message)
        else:
            self.send(message)

    def cancel(self, cancel: Cancel) -> None:
        """Send a cancel, after its task when that one still waits."""
        if any(one.task == cancel.task for one in self._waiting):
            self._wait(cancel)
        else:
            self.send(cancel)

    def flush(self) -> None:
        """Send that for which there is room now."""
        while self._waiting and self._fits(self._waiting[0]):
            self.send(self._waiting.popleft())

    def stop(self) -> None:
        """The connection is over: forget what waits. The leases see to it that it is delivered again."""
        self._waiting = _NONE

    def stalls(self, now: float) -> bool:
        """Tell whether what waits to be sent has not got less for too long; to be asked now and then."""
        backlog = self._transport.buffered()
        if not backlog:
            self._backlog_since = None
        elif self._backlog_since is None or backlog < self._backlog:
            self._backlog, self._backlog_since = backlog, now
        return self._backlog_since is not None and now - self._backlog_since > self._stalled

    def _wait(self, message: Task | Cancel | Answer) -> None:
        if not self._waiting:
            self._waiting = deque()
        self._waiting.append(message)

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
