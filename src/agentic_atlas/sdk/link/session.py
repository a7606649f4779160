"""One connection from `hello` to its end: what is said on it, when it has become too quiet, and what it may hand over.

Nothing here waits. Bytes and ticks come in, messages go out; the loop, the socket and the next connection are the
business of `reconnector`.
"""

from collections.abc import Callable
from typing import NamedTuple, Protocol

import msgspec

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
    LogsAck,
    Message,
    PauseReason,
    Renewal,
    Reply,
    Resources,
    ResultAck,
    Side,
    Task,
    Welcome,
)
from agentic_atlas.protocol.session import Session
from agentic_atlas.sdk.ledger.ledger import Ledger
from agentic_atlas.sdk.link.settings import Timeouts
from agentic_atlas.sdk.ports import Inbox, UnsaidQuestion
from agentic_atlas.transport.receiver import Receiver

MOST_HANDED = 32 * 1024 * 1024
"""Bytes that may wait at the handlers' loop; with more, the link stops reading from the router."""

_SHORTEST = 0.01
"""Seconds: a router that wants beats more often than this does not get them."""


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


class Vitals(NamedTuple):
    """How the process is: what a beat says of it."""

    lag: float = 0.0
    cpu: float = 0.0
    memory: int = 0
    pause: PauseReason | None = None
    resources: Resources | None = None


class Backlog:
    """Counts the bytes handed to the handlers' loop that it has not taken yet."""

    def __init__(self, most: int = MOST_HANDED) -> None:
        self._most = most
        self._handed = 0
        self._taken = 0
        self._asked = 0

    def hand(self, size: int) -> None:
        """A message of this size was handed over."""
        self._handed += size

    def ask(self) -> None:
        """A question was handed over; the one before it was answered."""
        self._taken = self._asked
        self._asked = self._handed

    @property
    def full(self) -> bool:
        """Whether too much waits."""
        return self._handed - self._taken > self._most


class Beats:
    """The beats of one connection: when one is due, what its answer tells, and when the silence was too long.

    All times are seconds of one monotonic clock, and arguments.

    Attributes:
        sent: number of the last beat.
        answered: number of the last beat that the router has answered; it answers in order.
    """

    def __init__(self, timeouts: Timeouts, every: float, now: float) -> None:
        """Begin with a connection that was let in now, and whose router wants a beat so often."""
        self.sent = 0
        self.answered = 0
        self._timeouts = timeouts
        self._every = max(every, _SHORTEST)
        self._due_at = now
        self._heard_at = now
        self._unanswered_since: float | None = None
        self._probe: tuple[int, float] | None = None
        self._buffered = 0

    def due(self, now: float) -> bool:
        """Tell whether a beat is to be sent."""
        return now >= self._due_at

    def next(self, now: float) -> int:
        """Return the number of the beat that is sent now."""
        self.sent += 1
        self._due_at = now + self._every
        if self._unanswered_since is None:
            self._unanswered_since = now
        return self.sent

    def heard(self, now: float) -> None:
        """The router said something, or nothing could be heard: that is no silence of the router's."""
        self._heard_at = now

    def answer(self, n: int) -> None:
        """The router answered a beat."""
        self.answered = max(self.answered, n)
        if self.answered >= self.sent:
            self._unanswered_since = None
        if self._probe is not None and self.answered >= self._probe[0]:
            self._probe = None

    def begin_probe(self, now: float) -> None:
        """The clock jumped: the answer to the beat that is sent next decides whether the connection is still there."""
        # What was due before the jump says nothing.
        self._heard_at, self._unanswered_since = now, None
        self._probe = (self.sent + 1, now)

    def end_probe(self) -> None:
        """Wait for no certain answer any more."""
        self._probe = None

    def overdue(self, now: float, buffered: int) -> str | None:
        """Return why the connection is to be given up, or None; `buffered` is how many bytes wait to be sent."""
        if self._probe is not None and now - self._probe[1] > self._timeouts.probe:
            return "the connection did not survive the sleep of this machine"
        if buffered < self._buffered:
            # A slow line that still carries what waits is not dead.
            self._heard_at = now
        self._buffered = buffered
        if self._unanswered_since is None:
            return None
        patience = self._timeouts.silent_beats * self._every
        # Counted from what was heard last, or a cut right after an answer would be found a whole beat later. A beat
        # that went out late, because this process had no time, has half of one for its answer all the same.
        quiet = now - max(self._heard_at, self._unanswered_since - patience + self._every / 2)
        return None if quiet < patience else f"the router has not answered for {quiet:.1f} s"


class AgentSession(Receiver):
    """Drives one connection.

    Attributes:
        welcome: what the router said when it let this agent in, or None before that.
        renewed: told what the router says of another token.
        retry_after: when the router said that it is about to stop: the seconds after which it expects to be back.
    """

    def __init__(
        self,
        ledger: Ledger,
        inbox: Inbox,
        *,
        timeouts: Timeouts,
        clock: Callable[[], float],
        welcomed: Callable[[Welcome], None],
        backlog: Backlog | None = None,
        vitals: Callable[[], Vitals] = Vitals,
    ) -> None:
        """Prepare.

        Args:
            ledger: what is owed to the router.
            inbox: whom messages are for.
            timeouts: how long things may take.
            clock: seconds that only ever pass.
            welcomed: told when the router lets the agent in.
            backlog: of what the handlers' loop has not taken yet; None when it takes all at once.
            vitals: what a beat says of the process.
        """
        self.welcome: Welcome | None = None
        self.retry_after: float | None = None
        self.renewed: Callable[[Renewal], None] | None = None
        self._ledger = ledger
        self._inbox = inbox
        self._backlog = backlog
        self._vitals = vitals
        self._timeouts = timeouts
        self._clock = clock
        self._welcomed = welcomed
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
        hello = self._ledger.hello(base)
        self._send(socket, msgspec.structs.replace(hello, pause=self._vitals().pause))

    def received(self, data: bytes) -> None:
        """Take a message of the router's, and say what it makes possible. Raises ProtocolError."""
        message = self._session.receive(data)
        if self._beats is not None:
            self._beats.heard(self._clock())
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
        if self._backlog is not None and self._backlog.full:
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
        vitals = self._vitals()
        beat = Beat(
            self._beats.next(self._clock()),
            self._ledger.attempts.running,
            vitals.lag,
            vitals.cpu,
            vitals.memory,
            len(self._ledger.results),
            self._ledger.results.oldest,
            self._ledger.attempts.in_hand(self._inbox.attempts()),
            vitals.pause,
            vitals.resources,
        )
        self._send(self._socket, beat)

    def renew(self) -> None:
        """Ask for another token."""
        if self._socket is not None and self._beats is not None:
            self._send(self._socket, Renewal())

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
        socket.send(self._session.send(message))

    def _take(self, message: Message, size: int) -> None:
        match message:
            case Beat() if self._beats is not None:
                self._beats.answer(message.n)
            case EventAck():
                self._ledger.acknowledged(message)
                self._tell_room(message.task, message.attempt)
            case ResultAck() | LogsAck():
                self._ledger.acknowledged(message)
            case Task() | Cancel() | Reply() | Answer():
                if _is_news(self._ledger, message):
                    self._deliver(message, size)
            case Welcome():
                self._begin_work(message)
            case Drain() | Renewal():
                self._go_on(message)
            case _:
                raise ProtocolError("a message that only agents send")

    def _go_on(self, said: Drain | Renewal) -> None:
        """Take what the router says of the connection itself."""
        if isinstance(said, Drain):
            self.retry_after = said.retry_after
        elif self.renewed is not None:
            self.renewed(said)

    def _deliver(self, message: Task | Cancel | Reply | Answer, size: int) -> None:
        self._inbox.deliver(message)
        if self._backlog is not None:
            self._backlog.hand(size)
            if self._backlog.full and self._socket is not None:
                self._socket.pause_reading()

    def _tell_room(self, task: str, attempt: int) -> None:
        self._inbox.acknowledged(task, attempt, self._ledger.attempts.pending(task, attempt))

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


def _is_news(ledger: Ledger, message: Task | Cancel | Reply | Answer) -> bool:
    """Tell the ledger of a message for the runner; False when there is nothing new in it."""
    match message:
        case Task():
            return ledger.offer(message)
        case Cancel() | Answer():
            return ledger.attempts.concerns(message)
        case Reply():
            return ledger.calls.reply(message)
