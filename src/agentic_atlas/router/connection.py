"""One agent's connection, from the handshake to its end.

It owns nothing that outlives it. Leases, seats and the choice of an instance belong to the router, which it tells
through `Host`; what a registered agent says is taken by `Hearing`.
"""

import asyncio
import math
from typing import Protocol

from agentic_atlas.errors import AtlasError, Busy, Unavailable
from agentic_atlas.protocol.closing import CloseCode, encode_reason
from agentic_atlas.protocol.codec import ProtocolError
from agentic_atlas.protocol.messages import Answer, Cancel, Drain, Hello, Message, Report, Side, Task, Welcome
from agentic_atlas.protocol.session import Session
from agentic_atlas.protocol.states import ConnectionState
from agentic_atlas.protocol.tasks import Holdup, Loss
from agentic_atlas.router.calls import Calls
from agentic_atlas.router.delivery import Deliveries
from agentic_atlas.router.hearing import Hearing
from agentic_atlas.router.intake import Intake, Pause
from agentic_atlas.router.office import Office
from agentic_atlas.router.outbox import Outbox
from agentic_atlas.router.ports import Identity, Instance, Receipt, Transport
from agentic_atlas.router.presence import Attempt, Pulse
from agentic_atlas.router.readiness import Readiness
from agentic_atlas.router.reports import Reports
from agentic_atlas.transport.receiver import Receiver

_REST = 4.0
"""How much longer than a message took its connection rests."""


class Host(Protocol):
    """The router, as its connections see it."""

    def greeted(self, connection: "Connection", hello: Hello) -> None:
        """It said `hello`, and is to be welcomed or closed."""

    def look_at(self, connection: "Connection", at: float) -> None:
        """Have it `tick` at that time, in place of any other."""

    def misbehaved(self, connection: "Connection") -> float:
        """It is about to be closed for what came on it; return how many seconds its token has to wait."""

    def freed(self, connection: "Connection") -> None:
        """It may have free slots."""

    def recorded(self, connection: "Connection", report: Report, receipt: Receipt) -> None:
        """The backend dealt with what it reported; this comes after the end too."""

    def ended(self, connection: "Connection") -> None:
        """It is over."""


class Connection(Receiver):
    """Drives the router's end.

    Attributes:
        serial: number of this connection in this process.
        identity: who its token says it is.
        instance_id: the process behind it; empty before `hello`.
        instance: its registration, from `welcome` on.
        concurrency: tasks it runs at the same time.
        turn: see `placement.Candidate`.
        deliveries: its slots.
        over: True when it is closed or about to be.
        loss: why what it held is lost, should its instance not come back.
    """

    def __init__(self, serial: int, identity: Identity, transport: Transport, office: Office, host: Host) -> None:
        settings = office.settings
        self.serial = serial
        self.identity = identity
        self.instance_id = ""
        self.instance: Instance | None = None
        self.concurrency = 1
        self.turn = 0
        self.deliveries = Deliveries()
        self.over = False
        self.loss = Loss.CUT
        self._sign_of_life: asyncio.Event | None = None
        self._office = office
        self._host = host
        self._transport = transport
        self._began_at = office.clock()
        self._welcomed_at = self._began_at
        self._session = Session(Side.ROUTER, office.limits)
        patience = settings.beat_every * settings.silent_beats
        self._pulse = Pulse(self._began_at, patience)
        # Often enough for whatever it may begin to wait for meanwhile, or to notice that the wall clock was set.
        self._look_every = min(patience, settings.report_within)
        self._look_at = math.inf
        self._readiness = Readiness(settings.max_lag, settings.busy_pause)
        self._intake = Intake(transport, self._take, 4 * office.limits.message_bytes)
        most = max(settings.send_buffer, 2 * office.limits.message_bytes)
        self._outbox = Outbox(self._session, transport, most, settings.stalled)
        self._reports = Reports(
            self.send, lambda report, receipt: host.recorded(self, report, receipt), self._unavailable, self._settled
        )
        self._room = asyncio.Event()
        self._room.set()
        self._calls: Calls | None = None
        self._hearing: Hearing | None = None
        self._look_by(self._next_look(self._began_at, office.wall()))

    # -- for the transport

    @property
    def known(self) -> bool:
        """True once it said `hello`."""
        return bool(self.instance_id)

    def received(self, data: bytes) -> None:
        """Take one whole message. `data` must not change afterwards."""
        if not self.over and not self._intake.received(data):
            self.close(CloseCode.OVERLOAD, "too_much_unread", self._host.misbehaved(self))

    def ponged(self) -> None:
        """A pong came."""
        self._pulse.heard(self._office.clock())
        self._gave_sign()

    def writable(self) -> None:
        """What waited to be sent has been."""
        if not self.over:
            self._outbox.flush()
            self._after_sending()
            self._host.freed(self)

    def crashed(self, bug: Exception) -> None:
        """A fault of ours with one agent must not end the router."""
        self._office.log.error("connection_failed", agent=self.identity.agent_id, exc_info=bug)

    def closed(self, *, left: bool = False) -> None:
        """The connection is gone: cut, or (`left`) closed by the peer."""
        if left and not self.over:
            self.loss = Loss.LEFT
        self._session.close()
        self._end("gone", None)

    def fail(self, error: ProtocolError) -> None:
        """The peer broke the protocol, on this level or below."""
        if not self.over:
            self.close(error.close_code, error.code, self._host.misbehaved(self))

    def unfinished(self) -> None:
        """A message was begun and not finished in time."""
        self.close(CloseCode.TIMEOUT, "message_unfinished")

    # -- for the router

    @property
    def ready(self) -> bool:
        """True from `welcome` to the end."""
        return self._session.state is ConnectionState.READY

    @property
    def in_flight(self) -> int:
        """See `placement.Candidate`."""
        return self.deliveries.in_flight

    @property
    def open(self) -> bool:
        """See `placement.Candidate`."""
        return self.holdup is None

    @property
    def holdup(self) -> Holdup | None:
        """Why no new work goes to it; None when it is open."""
        return self._readiness.holdup or (Holdup.BEHIND if self._outbox.congested else None)

    @property
    def oldest_result(self) -> float:
        """Seconds for which its oldest result waits to be acknowledged, here: nobody could before it was welcome."""
        return min(self._readiness.oldest_result, self._office.clock() - self._welcomed_at)

    @property
    def quiet(self) -> float:
        """Seconds since it was heard last, while it was listened to."""
        return 0.0 if self._intake.paused else self._pulse.quiet(self._office.clock())

    @property
    def draining(self) -> bool:
        """True when the agent said that it is about to end."""
        return self._readiness.draining

    @property
    def reporting(self) -> bool:
        """True while something that the agent reported is not stored yet."""
        return not self.over and len(self._reports) > 0

    def welcome(self, welcome: Welcome, concurrency: int) -> None:
        """Register it: from now on it works."""
        office = self._office
        self.instance = Instance(self.identity.agent_id, self.instance_id, welcome.generation)
        self.concurrency = concurrency
        self._welcomed_at = office.clock()
        self._calls = Calls(office, self.instance, self.send, self._room)
        self._hearing = Hearing(
            office,
            self.instance,
            self._reports,
            self.deliveries,
            self._readiness,
            self._calls,
            self.send,
            lambda: self._host.freed(self),
        )
        self._pulse.heard(office.clock())
        self.send(welcome)

    def send(self, message: Message) -> bool:
        """Send a message; False when the connection is over."""
        if self.over or not self._outbox.send(message):
            return False
        self._after_sending()
        return not self.over

    def deliver(self, task: Task) -> None:
        """Send a task, now or as soon as the agent has read what was sent before; one that drains gives it back."""
        if self.draining and self._hearing is not None and not self.over:
            self._hearing.give_back(task)
        elif not self.over and self.deliveries.begin(Attempt(task.task, task.attempt)):
            self._outbox.deliver(task)
            self._after_sending()

    def tell(self, message: Cancel | Answer) -> None:
        """Send a cancel or an answer, never before its task."""
        if not self.over:
            if isinstance(message, Cancel):
                self._outbox.cancel(message)
            else:
                self._outbox.deliver(message)
            self._after_sending()

    def hold(self) -> None:
        """Take nothing more, so that what was taken can be stored and acknowledged before a close."""
        if not self.over:
            self._intake.pause(Pause.STOPPING)

    def ping(self) -> asyncio.Event:
        """Ask for a sign of life; return what is set when anything comes, and at the end."""
        if self._sign_of_life is None:
            self._sign_of_life = asyncio.Event()
        asked = self._sign_of_life
        self._transport.ping()
        return asked

    def forgive(self, seconds: float) -> None:
        """This process stood still for so long."""
        self._pulse.forgive(seconds)
        self._began_at += seconds

    def tick(self, now: float, wall: float) -> None:
        """See whether something is over; the host is told when to look again, and earlier ones in between."""
        self._look_at = math.inf
        if self._intake.paused:
            # Its silence is of our making.
            self._pulse.heard(now)
        fault = self._overdue(now, wall)
        if fault is not None:
            self.close(*fault)
            return
        if self._readiness.tick(now):
            self._host.freed(self)
        self._outbox.flush()
        self._after_sending()
        self._look_by(self._next_look(now, wall))

    def close(self, code: int, reason: str, retry_after: float | None = None, message: str = "") -> None:
        """Close it; a second time changes nothing. `message` is for people, where the codes alone do not tell."""
        if not self.over:
            self.loss = Loss.SILENT if code == CloseCode.TIMEOUT else Loss.CUT
            self._session.close()
            self._transport.close(int(code), encode_reason(reason, retry_after, message))
            self._end(reason, int(code))

    # -- inside

    def _gave_sign(self) -> None:
        if self._sign_of_life is not None:
            self._sign_of_life.set()
            self._sign_of_life = None

    def _take(self, data: bytes) -> None:
        began = self._office.clock()
        try:
            message = self._session.receive(data)
            self.ponged()
            if isinstance(message, Hello):
                self.instance_id = message.instance.id
                self._host.greeted(self, message)
            elif isinstance(message, Drain):
                self._readiness.drains()
            elif self._hearing is not None:
                self._hearing.hear(message)
        except ProtocolError as error:
            self.fail(error)
        if self._readiness.busy_until is not None:
            self._look_by(self._readiness.busy_until)
        if len(self._reports) >= self._office.limits.unacknowledged and not self.over:
            self._intake.pause(Pause.STORING)
        self._rest(self._office.clock() - began)

    def _rest(self, took: float) -> None:
        """Have others take their turns when a message took long, so that no agent has more than a part of the loop."""
        settings = self._office.settings
        if took > settings.heavy and not self.over:
            self._intake.pause(Pause.RESTING)
            rest = min(_REST * took, settings.longest_rest)
            asyncio.get_running_loop().call_later(rest, self._rested)

    def _rested(self) -> None:
        if not self.over:
            self._resume(Pause.RESTING)

    def _resume(self, reason: Pause) -> None:
        if self._intake.paused:
            self._pulse.heard(self._office.clock())
        self._intake.resume(reason)

    def _settled(self) -> None:
        if len(self._reports) < self._office.limits.unacknowledged and not self.over:
            self._resume(Pause.STORING)

    def _unavailable(self, error: BaseException) -> None:
        if isinstance(error, ProtocolError):
            self.fail(error)
            return
        code = error.code if isinstance(error, AtlasError) else "unavailable"
        retry_after = error.retry_after if isinstance(error, Busy | Unavailable) else None
        self.close(CloseCode.UNAVAILABLE, code, retry_after)

    def _after_sending(self) -> None:
        if self._outbox.overfull:
            self.close(CloseCode.SLOW_READER, "send_buffer_full")
            return
        if self._outbox.unsent:
            self._look_by(self._office.clock() + self._office.settings.tick)
        if self._outbox.behind:
            self._intake.pause(Pause.SENDING)
        if self._outbox.congested:
            self._room.clear()
        elif not self._room.is_set():
            self._room.set()
            self._host.freed(self)
        if not self.over and not self._outbox.behind:
            self._resume(Pause.SENDING)

    def _look_by(self, at: float) -> None:
        if at < self._look_at and not self.over:
            self._look_at = at
            self._host.look_at(self, at)

    def _next_look(self, now: float, wall: float) -> float:
        """Return when the next of the times is over that it waits for now; something is looked at often."""
        looks = [now + self._look_every, now + self.identity.expires_at - wall]
        if self._session.state is ConnectionState.CONNECTED:
            looks.append(self._began_at + self._office.settings.hello_within)
        elif self.ready:
            looks.append(self._pulse.until)
        oldest = self._reports.oldest()
        if oldest is not None:
            looks.append(oldest + self._office.settings.report_within)
        if self._readiness.busy_until is not None:
            looks.append(self._readiness.busy_until)
        if self._outbox.unsent:
            looks.append(now + self._office.settings.tick)
        return min(looks)

    def _overdue(self, now: float, wall: float) -> tuple[CloseCode, str] | None:
        settings = self._office.settings
        if wall >= self.identity.expires_at:
            return CloseCode.TOKEN_EXPIRED, "token_expired"
        if self._session.state is ConnectionState.CONNECTED and now - self._began_at > settings.hello_within:
            return CloseCode.TIMEOUT, "no_hello"
        if self.ready and self._pulse.silent(now):
            return CloseCode.TIMEOUT, "no_beat"
        if self._outbox.stalls(now):
            return CloseCode.SLOW_READER, "nothing_read"
        oldest = self._reports.oldest()
        if oldest is not None and now - oldest > settings.report_within:
            return CloseCode.UNAVAILABLE, "not_stored"
        return None

    def _end(self, reason: str, code: int | None) -> None:
        if self.over:
            return
        self.over = True
        self._intake.stop()
        self._outbox.stop()
        if self._calls is not None:
            self._calls.stop()
        self._room.set()
        self._gave_sign()
        self._office.log.info(
            "connection_ended", agent=self.identity.agent_id, instance=self.instance_id, code=code, reason=reason
        )
        self._host.ended(self)
