"""One connection from `hello` to its end: what is said on it, and when it has become too quiet.

Nothing here waits. Bytes and ticks come in, messages go out; the loop, the socket and the next connection are the
business of `reconnector`.
"""

from collections.abc import Callable
from typing import Protocol

from agentic_atlas.protocol.closing import CloseCode, encode_reason
from agentic_atlas.protocol.codec import ProtocolError
from agentic_atlas.protocol.messages import (
    Answer,
    Beat,
    Cancel,
    Drain,
    EventAck,
    Hello,
    Limits,
    Message,
    Reply,
    ResultAck,
    Side,
    Task,
    Welcome,
)
from agentic_atlas.protocol.session import Session
from agentic_atlas.sdk.ledger.ledger import Ledger
from agentic_atlas.sdk.link.beats import Beats
from agentic_atlas.sdk.link.health import Resources
from agentic_atlas.sdk.link.settings import Timeouts
from agentic_atlas.sdk.ports import Inbox, UnsaidQuestion
from agentic_atlas.transport.receiver import Receiver


class AgentSocket(Protocol):
    """The connection, as a session needs it (`transport.websocket.WebSocket`)."""

    paused: bool

    def limit(self, limits: Limits) -> None:
        """Put the router's limits in force."""

    def send(self, data: bytes) -> None:
        """Send one text frame."""

    def close(self, code: int, reason: bytes = b"", *, why: str = "") -> None:
        """Send a close frame and end."""

    def abort(self, why: str) -> None:
        """End without a word."""

    def pause_reading(self) -> None:
        """Leave what comes to TCP."""

    def resume_reading(self) -> None:
        """Take from the socket again."""

    def buffered(self) -> int:
        """Return the bytes that wait to be sent."""


class HealthView(Protocol):
    """What is known of this process (`health.ProcessHealth`)."""

    def hand(self, size: int) -> None:
        """So many bytes were handed to the handlers' loop."""

    @property
    def full(self) -> bool:
        """Whether more waits there than should."""

    def lag(self) -> float:
        """Return how late the handlers' loop is, in seconds."""

    def resources(self) -> Resources:
        """Return what the process takes of the machine."""


class AgentSession(Receiver):
    """Drives one connection.

    Attributes:
        welcome: what the router said when it let this agent in, or None before that.
        retry_after: when the router said that it is about to stop: the seconds after which it expects to be back.
    """

    def __init__(
        self,
        ledger: Ledger,
        inbox: Inbox,
        state: HealthView,
        *,
        timeouts: Timeouts,
        clock: Callable[[], float],
        welcomed: Callable[[Welcome], None],
        trace: Callable[[str, Message, int], None] | None = None,
    ) -> None:
        """Prepare; `trace` is told of each message that is `sent` or `received`, and its length in bytes."""
        self.welcome: Welcome | None = None
        self.retry_after: float | None = None
        self._ledger = ledger
        self._inbox = inbox
        self._state = state
        self._timeouts = timeouts
        self._clock = clock
        self._welcomed = welcomed
        self._trace = trace or _nobody
        self._session = Session(Side.AGENT)
        self._socket: AgentSocket | None = None
        self._began_at = 0.0
        # From `welcome` on.
        self._beats: Beats | None = None
        self._parting: int | None = None

    def begin(self, socket: AgentSocket, base: Hello) -> None:
        """Say `hello` on a connection that was just opened."""
        self._socket = socket
        self._began_at = self._clock()
        self._send(socket, self._ledger.hello(base))

    def received(self, data: bytes) -> None:
        """Take a message of the router's, and say what it makes possible. Raises ProtocolError."""
        message = self._session.receive(data)
        if self._beats is not None:
            self._beats.heard(self._clock())
        self._trace("received", message, len(data))
        self._take(message, len(data))
        self.flush()

    def writable(self) -> None:
        """The router reads again."""
        self.flush()

    def unfinished(self) -> None:
        """The router began a message and does not go on."""
        if self._socket is not None:
            within = self._timeouts.message
            self._socket.abort(f"the router began a message and did not finish it within {within:g} s")

    def flush(self) -> None:
        """Send what the ledger lets go, while the router reads."""
        socket = self._socket
        if socket is None or self._beats is None:
            return
        while not socket.paused and (message := self._ledger.next()) is not None:
            if isinstance(message, Reply | UnsaidQuestion):
                self._inbox.deliver(message)
            else:
                self._send(socket, message)
                if isinstance(message, Drain):
                    # Its answer tells that no task is on its way any more: the router hears in order.
                    self.beat()
                    self._parting = self._beats.sent

    def tick(self) -> None:
        """Let time pass: send the beat that is due, and end a connection that is dead or that stalls."""
        if self._socket is None:
            return
        now = self._clock()
        why = None
        if self._state.full:
            self._socket.pause_reading()
            if self._beats is not None:
                # Nothing is read, so nothing can be heard.
                self._beats.heard(now)
                self._beats.end_probe()
        else:
            self._socket.resume_reading()
            why = self._overdue(now, self._socket.buffered())
        if why is not None:
            self._socket.abort(why)
        elif self._beats is not None and self._beats.due(now):
            self.beat()

    def beat(self) -> None:
        """Send a beat, due or not."""
        if self._socket is None or self._beats is None:
            return
        resources = self._state.resources()
        beat = Beat(
            self._beats.next(self._clock()),
            self._ledger.attempts.running,
            self._state.lag(),
            resources.cpu,
            resources.memory,
            len(self._ledger.results),
            self._ledger.results.oldest,
            self._ledger.attempts.in_hand(self._inbox.attempts()),
        )
        self._send(self._socket, beat)

    def probe(self) -> None:
        """The clock jumped: find out at once whether the connection is still there."""
        if self._beats is not None:
            self._beats.begin_probe(self._clock())
            self.beat()

    @property
    def parted(self) -> bool:
        """False between our `drain` and the sign that the router has heard it: a task may still be on its way."""
        return self._parting is None or self._beats is None or self._beats.answered >= self._parting

    def finish(self) -> None:
        """Close because the agent ends."""
        if self._socket is not None:
            self._socket.close(CloseCode.NORMAL, encode_reason("done"))

    def end(self) -> None:
        """The connection is gone."""
        self._session.close()
        self._ledger.cut()
        self._socket = None

    # -- inside

    def _send(self, socket: AgentSocket, message: Message) -> None:
        data = self._session.send(message)
        self._trace("sent", message, len(data))
        socket.send(data)

    def _take(self, message: Message, size: int) -> None:
        match message:
            case Beat() if self._beats is not None:
                self._beats.answer(message.n)
            case EventAck():
                self._ledger.acknowledged(message)
                self._tell_room(message.task, message.attempt)
            case ResultAck():
                self._ledger.acknowledged(message)
            case Task() | Cancel() | Reply() | Answer():
                if self._is_news(message):
                    self._deliver(message, size)
            case Drain():
                self.retry_after = message.retry_after
            case Welcome():
                self._begin_work(message)
            case _:
                raise ProtocolError("a message that only agents send")

    def _deliver(self, message: Task | Cancel | Reply | Answer, size: int) -> None:
        self._inbox.deliver(message)
        self._state.hand(size)
        if self._state.full and self._socket is not None:
            self._socket.pause_reading()

    def _tell_room(self, task: str, attempt: int) -> None:
        self._inbox.acknowledged(task, attempt, self._ledger.attempts.pending(task, attempt))

    def _is_news(self, message: Task | Cancel | Reply | Answer) -> bool:
        match message:
            case Task():
                return self._ledger.offer(message)
            case Cancel() | Answer():
                return self._ledger.attempts.concerns(message)
            case Reply():
                return self._ledger.calls.reply(message)

    def _begin_work(self, welcome: Welcome) -> None:
        assert self._socket is not None
        self.welcome = welcome
        self._beats = Beats(self._timeouts, welcome.beat_every, self._clock())
        self._socket.limit(welcome.limits)
        for attempt in self._ledger.welcomed(welcome):
            self._inbox.drop(attempt.task, attempt.attempt)
        self._welcomed(welcome)
        for verdict in welcome.attempts:
            self._tell_room(verdict.task, verdict.attempt)
        self.beat()

    def _overdue(self, now: float, buffered: int) -> str | None:
        """Return why this connection is to be given up, or None."""
        if self._beats is not None:
            return self._beats.overdue(now, buffered)
        late = now - self._began_at > self._timeouts.welcome
        return f"the router did not answer within {self._timeouts.welcome:g} s" if late else None


def _nobody(_direction: str, _message: Message, _size: int) -> None:
    pass
