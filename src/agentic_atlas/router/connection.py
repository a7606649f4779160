"""One agent's connection, from the handshake to its end.

It owns nothing that outlives it. Leases and seats belong to the router, which it tells through `Host`; what an agent
says from `welcome` on is taken by `RegisteredAgent`.
"""

import asyncio
import math
from collections.abc import Iterable
from typing import Protocol

from agentic_atlas.protocol.closing import CloseCode, encode_reason
from agentic_atlas.protocol.codec import ProtocolError
from agentic_atlas.protocol.inside.messages import Failure, Identity, InstanceRef, Receipt
from agentic_atlas.protocol.messages import Answer, Cancel, Hello, Message, Report, RunningAttempt, Side, Task, Welcome
from agentic_atlas.protocol.session import ConnectionState, Session
from agentic_atlas.protocol.tasks import Loss
from agentic_atlas.router.agent import RegisteredAgent
from agentic_atlas.router.context import RouterContext
from agentic_atlas.router.flow import PacedSender, Pause, ReceiveBuffer
from agentic_atlas.router.leases import Pulse
from agentic_atlas.router.ports import Transport
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
        agent: who is at the other end, from `welcome` on.
        over: True when it is closed or about to be.
        loss: why what it held is lost, should its instance not come back.
    """

    __slots__ = (
        "_began_at",
        "_context",
        "_host",
        "_incoming",
        "_look_at",
        "_look_every",
        "_outgoing",
        "_pulse",
        "_reports",
        "_session",
        "_sign_of_life",
        "_transport",
        "agent",
        "identity",
        "instance_id",
        "loss",
        "over",
        "serial",
    )

    def __init__(
        self, serial: int, identity: Identity, transport: Transport, context: RouterContext, host: Host
    ) -> None:
        settings = context.settings
        self.serial = serial
        self.identity = identity
        self.instance_id = ""
        self.agent: RegisteredAgent | None = None
        self.over = False
        self.loss = Loss.CUT
        self._sign_of_life: asyncio.Event | None = None
        self._context = context
        self._host = host
        self._transport = transport
        self._began_at = context.clock()
        self._session = Session(Side.ROUTER, context.limits)
        patience = settings.beat_every * settings.silent_beats
        self._pulse = Pulse(self._began_at, patience)
        # Often enough for whatever it may begin to wait for meanwhile, or to notice that the wall clock was set.
        self._look_every = min(patience, settings.report_within)
        self._look_at = math.inf
        self._incoming = ReceiveBuffer(transport, self._take, 4 * context.limits.message_bytes)
        most = max(settings.send_buffer, 2 * context.limits.message_bytes)
        self._outgoing = PacedSender(self._session, transport, most, settings.stalled)
        self._reports = Reports(
            context,
            self.send,
            lambda report, receipt: host.recorded(self, report, receipt),
            self._not_stored,
            self._settled,
        )
        self._look_by(self._next_look(self._began_at, context.wall()))

    # -- for the transport

    @property
    def known(self) -> bool:
        """True once it said `hello`."""
        return bool(self.instance_id)

    def received(self, data: bytes) -> None:
        """Take one whole message. `data` must not change afterwards."""
        if not self.over and not self._incoming.received(data):
            self.close(CloseCode.OVERLOAD, "too_much_unread", self._host.misbehaved(self))

    def ponged(self) -> None:
        """A pong came."""
        self._pulse.heard(self._context.clock())
        self._gave_sign()

    def writable(self) -> None:
        """What waited to be sent has been."""
        if not self.over:
            self._outgoing.flush()
            self._after_sending()

    def crashed(self, bug: Exception) -> None:
        """A fault of ours with one agent must not end the router."""
        self._context.log.error("connection_failed", agent=self.identity.agent_id, exc_info=bug)

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
    def quiet(self) -> float:
        """Seconds since it was heard last, while it was listened to."""
        return 0.0 if self._incoming.paused else self._pulse.quiet(self._context.clock())

    @property
    def generation(self) -> int:
        """Its number among the connections of its instance; 0 before `welcome`."""
        return 0 if self.agent is None else self.agent.instance.generation

    @property
    def draining(self) -> bool:
        """True when the agent said that it is about to end."""
        return self.agent is not None and self.agent.readiness.draining

    @property
    def reporting(self) -> bool:
        """True while something that the agent reported is not stored yet."""
        return not self.over and len(self._reports) > 0

    def welcome(self, welcome: Welcome, slots: int, running: Iterable[RunningAttempt]) -> None:
        """Register it: from now on it works. Its `agent` begins when it has been told what it does not know yet."""
        instance = InstanceRef(self.identity.agent_id, self.instance_id, welcome.generation)
        self.agent = RegisteredAgent(self._context, instance, slots, running, self._reports, self.send)
        self._pulse.heard(self._context.clock())
        self.send(welcome)

    def begin(self) -> None:
        """Let the backend know of a registered agent, once it has been told what it did not know yet."""
        if self.agent is not None and not self.over:
            self.agent.begin(congested=self._outgoing.congested)

    def send(self, message: Message) -> bool:
        """Send a message; False when the connection is over."""
        if self.over or not self._outgoing.send(message):
            return False
        self._after_sending()
        return not self.over

    def deliver(self, task: Task, *, granted: bool) -> None:
        """Send a task, now or as soon as the agent has read what was sent before; one that drains gives it back.

        `granted` is whether it uses up what was granted to the backend on this connection.
        """
        if self.over or self.agent is None:
            return
        if self.agent.takes(task, granted=granted):
            self._outgoing.deliver(task)
        self._after_sending()

    def tell(self, message: Cancel | Answer) -> None:
        """Send a cancel or an answer, never before its task."""
        if not self.over:
            if isinstance(message, Cancel):
                self._outgoing.cancel(message)
            else:
                self._outgoing.deliver(message)
            self._after_sending()

    def hold(self) -> None:
        """Take nothing more, so that what was taken can be stored and acknowledged before a close."""
        if not self.over:
            self._incoming.pause(Pause.STOPPING)

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
        if self._incoming.paused:
            # Its silence is of our making.
            self._pulse.heard(now)
        fault = self._overdue(now, wall)
        if fault is not None:
            self.close(*fault)
            return
        if self.agent is not None:
            self.agent.tick(now)
        self._outgoing.flush()
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
        began = self._context.clock()
        try:
            message = self._session.receive(data)
            self.ponged()
            if isinstance(message, Hello):
                self.instance_id = message.instance.id
                self._host.greeted(self, message)
            elif self.agent is not None:
                self.agent.hear(message)
        except ProtocolError as error:
            self.fail(error)
        if self.agent is not None and self.agent.changed:
            self._tell()
            self._look_by(self.agent.busy_until)
        if len(self._reports) >= self._context.limits.unacknowledged and not self.over:
            self._incoming.pause(Pause.STORING)
        self._rest(self._context.clock() - began)

    def _rest(self, took: float) -> None:
        """Have others take their turns when a message took long, so that no agent has more than a part of the loop."""
        settings = self._context.settings
        if took > settings.heavy and not self.over:
            self._incoming.pause(Pause.RESTING)
            rest = min(_REST * took, settings.longest_rest)
            asyncio.get_running_loop().call_later(rest, self._rested)

    def _rested(self) -> None:
        if not self.over:
            self._resume(Pause.RESTING)

    def _resume(self, reason: Pause) -> None:
        if self._incoming.paused:
            self._pulse.heard(self._context.clock())
        self._incoming.resume(reason)

    def _tell(self) -> None:
        """Tell the backend what the agent may be given, where that has changed."""
        agent, congested = self.agent, self._outgoing.congested
        if agent is not None and not self.over and (agent.changed or congested != agent.congested):
            agent.tell(congested=congested)

    def _settled(self) -> None:
        if len(self._reports) < self._context.limits.unacknowledged and not self.over:
            self._resume(Pause.STORING)

    def _not_stored(self, failure: Failure) -> None:
        if failure.close_code == CloseCode.UNAVAILABLE:
            self.close(CloseCode.UNAVAILABLE, failure.code, failure.retry_after)
        else:
            self.fail(ProtocolError(failure.message, close_code=failure.close_code, code=failure.code))

    def _after_sending(self) -> None:
        if self._outgoing.overfull:
            self.close(CloseCode.SLOW_READER, "send_buffer_full")
            return
        if self._outgoing.unsent:
            self._look_by(self._context.clock() + self._context.settings.tick)
        if self._outgoing.behind:
            self._incoming.pause(Pause.SENDING)
        self._tell()
        if not self.over and not self._outgoing.behind:
            self._resume(Pause.SENDING)

    def _look_by(self, at: float) -> None:
        if at < self._look_at and not self.over:
            self._look_at = at
            self._host.look_at(self, at)

    def _next_look(self, now: float, wall: float) -> float:
        """Return when the next of the times is over that it waits for now; something is looked at often."""
        looks = [now + self._look_every, now + self.identity.expires_at - wall]
        if self._session.state is ConnectionState.CONNECTED:
            looks.append(self._began_at + self._context.settings.hello_within)
        elif self.ready:
            looks.append(self._pulse.until)
        oldest = self._reports.oldest()
        if oldest is not None:
            looks.append(oldest + self._context.settings.report_within)
        if self.agent is not None:
            looks.append(self.agent.busy_until)
        if self._outgoing.unsent:
            looks.append(now + self._context.settings.tick)
        return min(looks)

    def _overdue(self, now: float, wall: float) -> tuple[CloseCode, str] | None:
        settings = self._context.settings
        if wall >= self.identity.expires_at:
            return CloseCode.TOKEN_EXPIRED, "token_expired"
        if self._session.state is ConnectionState.CONNECTED and now - self._began_at > settings.hello_within:
            return CloseCode.TIMEOUT, "no_hello"
        if self.ready and self._pulse.silent(now):
            return CloseCode.TIMEOUT, "no_beat"
        if self._outgoing.stalls(now):
            return CloseCode.SLOW_READER, "nothing_read"
        oldest = self._reports.oldest()
        if oldest is not None and now - oldest > settings.report_within:
            return CloseCode.UNAVAILABLE, "not_stored"
        return None

    def _end(self, reason: str, code: int | None) -> None:
        if self.over:
            return
        self.over = True
        self._incoming.stop()
        self._outgoing.stop()
        self._gave_sign()
        self._context.log.info(
            "connection_ended", agent=self.identity.agent_id, instance=self.instance_id, code=code, reason=reason
        )
        self._host.ended(self)
