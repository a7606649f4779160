"""One agent's connection, from the handshake to its end, and how long it is waited for.

It owns nothing that outlives it. Leases and seats belong to the router, which it tells through `Host`; what an agent
says from `welcome` on is taken by `RegisteredAgent`.
"""

import asyncio
import math
from collections.abc import Iterable, Mapping
from typing import Protocol

from agentic_atlas.protocol.closing import CloseCode, encode_reason
from agentic_atlas.protocol.codec import ProtocolError
from agentic_atlas.protocol.inside.messages import ROTATED, Failure, Identity, InstanceRef, Receipt
from agentic_atlas.protocol.messages import Hello, Message, Report, RunningAttempt, Side, Welcome
from agentic_atlas.protocol.session import Session
from agentic_atlas.protocol.tasks import Loss
from agentic_atlas.router.agent import RegisteredAgent
from agentic_atlas.router.flow import PacedSender, Pause, ReceiveBuffer
from agentic_atlas.router.ports import RouterContext, Transport
from agentic_atlas.transport.receiver import Receiver

_REST = 4.0
"""How much longer than a message took its connection rests."""
_LONG = 64 * 1024
"""Bytes of a message from which on it is looked at when it comes, and read later should that have taken long."""


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
    """Drives the router's end. The first half of it is said by the transport, the second by the router and the agent.

    Attributes:
        serial: number of this connection in this process.
        identity: who its token says it is.
        instance_id: the process behind it; empty before `hello`.
        agent: who is at the other end, from `welcome` on.
        incoming: what came and is not taken yet.
        outgoing: what is sent as the agent reads.
        patience: what of it is waited for.
        over: True when it is closed or about to be.
        loss: why what it held is lost, should its instance not come back.
    """

    __slots__ = (
        "_context",
        "_host",
        "_session",
        "_transport",
        "agent",
        "identity",
        "incoming",
        "instance_id",
        "loss",
        "outgoing",
        "over",
        "patience",
        "serial",
    )

    def __init__(
        self, serial: int, identity: Identity, transport: Transport, context: RouterContext, host: Host
    ) -> None:
        self.serial = serial
        self.identity = identity
        self.instance_id = ""
        self.agent: RegisteredAgent | None = None
        self.over = False
        self.loss = Loss.CUT
        self._context = context
        self._host = host
        self._transport = transport
        self._session = Session(Side.ROUTER, context.limits)
        self.incoming = ReceiveBuffer(transport, self._take, 4 * context.limits.message_bytes)
        most = max(context.settings.send_buffer, 2 * context.limits.message_bytes)
        self.outgoing = PacedSender(self._session, transport, most, context.settings.stalled, context.traffic)
        self.patience = Patience(self, context, host)
        self.patience.look_again(context.clock(), context.wall())

    # -- for the transport

    @property
    def known(self) -> bool:
        """True once it said `hello`."""
        return bool(self.instance_id)

    def received(self, data: bytes) -> None:
        """Take one whole message. `data` must not change afterwards."""
        if self.over:
            return
        if len(data) >= _LONG:
            began = self._context.clock()
            try:
                self._session.check(data)
            except ProtocolError as error:
                self.fail(error)
                return
            _rest(self, self._context, began)
        if self.incoming.free:
            self._take(data)
        elif not self.incoming.received(data):
            self.close(CloseCode.OVERLOAD, "too_much_unread", self._host.misbehaved(self))

    def ponged(self) -> None:
        """A pong came."""
        self.patience.heard(self._context.clock())

    def writable(self) -> None:
        """What waited to be sent has been, or what was sent waits."""
        if not self.over:
            self.outgoing.flush()
            self._after_sending()

    def crashed(self, bug: Exception) -> None:
        """A fault of ours with one agent must not end the router."""
        self._context.log.error(
            "connection_failed", agent=self.identity.agent_id, instance=self.instance_id, exc_info=bug
        )

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

    def welcome(self, welcome: Welcome, slots: int, running: Iterable[RunningAttempt]) -> None:
        """Register it: from now on it works. Its `agent` begins when it has been told what it does not know yet."""
        instance = InstanceRef(self.identity.agent_id, self.instance_id, welcome.generation)
        self.agent = RegisteredAgent(self._context, instance, slots, running, self, welcome)
        self.patience.heard(self._context.clock())
        self.send(welcome)

    def ping(self) -> asyncio.Event:
        """Ask for a sign of life; return what is set when anything comes, and at the end."""
        asked = self.patience.asked()
        self._transport.ping()
        return asked

    def tick(self, now: float, wall: float) -> None:
        """See whether something is over; the host is told when to look again, and earlier ones in between."""
        if self.agent is not None and self.patience.expired(wall):
            self.agent.drain()
        fault = self.patience.overdue(now, wall)
        if fault is not None:
            self.close(*fault)
            return
        if self.agent is not None:
            self.agent.tick(now)
        self.writable()
        if not self.over:
            self.patience.look_again(now, wall)

    def close(self, code: int, reason: str, retry_after: float | None = None, message: str = "") -> None:
        """Close it; a second time changes nothing. `message` is for people, where the codes alone do not tell."""
        if not self.over:
            self.loss = _LOSSES.get(code, Loss.CUT)
            self._session.close()
            self._transport.close(int(code), encode_reason(reason, retry_after, message))
            self._end(reason, int(code))

    # -- for its agent too (`agent.AgentEnd`)

    def send(self, message: Message) -> bool:
        """Send a message, now or as soon as the agent has read what was sent before; False when it is over."""
        if self.over or not self.outgoing.send(message):
            return False
        agent = self.agent
        if agent is None or agent.changed or agent.congested or not (self.outgoing.idle and self.incoming.free):
            self._after_sending()
        return not self.over

    def recorded(self, report: Report, receipt: Receipt) -> None:
        """The backend dealt with what the agent reported."""
        self._host.recorded(self, report, receipt)

    def not_stored(self, failure: Failure) -> None:
        """What the agent reported could not be stored, or must not be."""
        if failure.close_code == CloseCode.UNAVAILABLE:
            self.close(CloseCode.UNAVAILABLE, failure.code, failure.retry_after)
        else:
            self.fail(ProtocolError(failure.message, close_code=failure.close_code, code=failure.code))

    def resume(self, reason: Pause) -> None:
        """This reason not to take what comes is gone."""
        if not self.over and self.incoming.paused:
            self.patience.heard(self._context.clock())
            self.incoming.resume(reason)

    # -- inside

    def _take(self, data: bytes) -> None:
        context, agent = self._context, self.agent
        began = context.clock()
        try:
            message = self._session.receive(data, checked=len(data) >= _LONG)
            context.traffic.came[type(message)] += 1
            context.traffic.came_bytes += len(data)
            self.patience.heard(began)
            if agent is not None:
                agent.hear(message, data, began)
            elif isinstance(message, Hello):
                self.instance_id = message.instance.id
                self._host.greeted(self, message)
        except ProtocolError as error:
            self.fail(error)
        if self.over:
            return
        if agent is not None and agent.changed:
            agent.tell(congested=not self.outgoing.idle and self.outgoing.congested)
            self.patience.look_by(agent.readiness.busy_until)
        if agent is not None and agent.reports.full:
            self.incoming.pause(Pause.STORING)
        _rest(self, context, began)

    def _after_sending(self) -> None:
        behind = congested = False
        if not self.outgoing.idle:
            if self.outgoing.overfull:
                self.close(CloseCode.SLOW_READER, "send_buffer_full")
                return
            if self.outgoing.unsent:
                self.patience.look_by(self._context.clock() + self._context.settings.tick)
            behind, congested = self.outgoing.behind, self.outgoing.congested
            if behind:
                self.incoming.pause(Pause.SENDING)
        agent = self.agent
        if agent is not None and (agent.changed or congested != agent.congested):
            agent.tell(congested=congested)
        if not self.incoming.free and not behind:
            self.resume(Pause.SENDING)

    def _end(self, reason: str, code: int | None) -> None:
        if self.over:
            return
        self.over = True
        self._context.traffic.ended[reason] += 1
        self.incoming.stop()
        if self.agent is not None and self.agent.logs is not None:
            self.agent.logs.end()
        self.outgoing.stop()
        self.patience.end()
        self._context.log.info(
            "connection_ended", agent=self.identity.agent_id, instance=self.instance_id, code=code, reason=reason
        )
        self._host.ended(self)


def _rest(connection: Connection, context: RouterContext, began: float) -> None:
    """Have others take their turns first where what began then has taken long: no agent has more than a part."""
    took, settings = context.clock() - began, context.settings
    if took > settings.heavy:
        connection.incoming.pause(Pause.RESTING)
        rest = min(_REST * took, settings.longest_rest)
        asyncio.get_running_loop().call_later(rest, connection.resume, Pause.RESTING)


_LOSSES: Mapping[int, Loss] = {
    CloseCode.TIMEOUT: Loss.SILENT,
    CloseCode.REPLACED: Loss.REPLACED,
    **dict.fromkeys(
        (CloseCode.TOKEN_EXPIRED, CloseCode.TOKEN_REVOKED, CloseCode.AGENT_DISABLED),
        Loss.SHUT_OUT,
    ),
}
"""Why what a connection held is lost, where it is closed with one of these."""


class Patience:
    """What of a connection is waited for, and until when: it is looked at then, and not before.

    Every whole message counts as a sign of life, for it shows that this very socket delivers. While nothing is taken
    from the connection its silence is of our making.
    """

    __slots__ = ("_asked", "_began_at", "_connection", "_context", "_heard_at", "_host", "_look_at")

    def __init__(self, connection: Connection, context: RouterContext, host: Host) -> None:
        self._connection = connection
        self._context = context
        self._host = host
        self._began_at = self._heard_at = context.clock()
        self._look_at = math.inf
        self._asked: asyncio.Event | None = None

    def heard(self, now: float) -> None:
        """Something came."""
        self._heard_at = now
        if self._asked is not None:
            self._asked.set()
            self._asked = None

    def asked(self) -> asyncio.Event:
        """Return what is set when anything comes, and at the end."""
        if self._asked is None:
            self._asked = asyncio.Event()
        return self._asked

    def forgive(self, seconds: float) -> None:
        """This process stood still for so long."""
        self._heard_at += seconds
        self._began_at += seconds

    def quiet(self, now: float) -> float:
        """Return the seconds since the connection was heard last, while it was listened to."""
        return 0.0 if self._connection.incoming.paused else max(0.0, now - self._heard_at)

    def end(self) -> None:
        """The connection is over, and nobody looks at it any more."""
        self.heard(self._heard_at)
        self._look_at = -math.inf

    def look_by(self, at: float) -> None:
        """Have it looked at then, or before."""
        if at < self._look_at:
            self._look_at = at
            self._host.look_at(self._connection, at)

    def look_again(self, now: float, wall: float) -> None:
        """Have it looked at when the next of the times is over that it waits for now.

        That is often enough for whatever it may begin to wait for meanwhile, or to notice that the wall clock was set.
        """
        connection, settings = self._connection, self._context.settings
        silence = settings.beat_every * settings.silent_beats
        # From its token's end on it is closed as soon as it has nothing in hand.
        expires = max(connection.identity.ends_at - wall, settings.tick if connection.agent is not None else 0.0)
        looks = [now + min(silence, settings.report_within), now + expires]
        if not connection.known:
            looks.append(self._began_at + settings.hello_within)
        if connection.agent is not None:
            looks += (self._heard_at + silence, connection.agent.readiness.busy_until)
            oldest = connection.agent.reports.oldest()
            if oldest is not None:
                looks.append(oldest + settings.report_within)
        if connection.outgoing.unsent:
            looks.append(now + settings.tick)
        self._look_at = math.inf
        self.look_by(min(looks))

    def expired(self, wall: float, ago: float = 0.0) -> bool:
        """Tell whether the connection's token has ended, or did so many seconds ago."""
        return wall >= self._connection.identity.ends_at + ago

    def overdue(self, now: float, wall: float) -> tuple[CloseCode, str] | None:
        """Return why the connection is to be closed, if it is."""
        connection, settings = self._connection, self._context.settings
        if connection.incoming.paused:
            self.heard(now)
        if self.expired(wall) and (
            connection.agent is None or connection.agent.idle or self.expired(wall, settings.token_drain)
        ):
            if connection.identity.ends_at < connection.identity.expires_at:
                return CloseCode.TOKEN_REVOKED, ROTATED
            return CloseCode.TOKEN_EXPIRED, "token_expired"
        if not connection.known and now - self._began_at > settings.hello_within:
            return CloseCode.TIMEOUT, "no_hello"
        if connection.agent is not None and now - self._heard_at > settings.beat_every * settings.silent_beats:
            return CloseCode.TIMEOUT, "no_beat"
        if connection.outgoing.stalls(now):
            return CloseCode.SLOW_READER, "nothing_read"
        oldest = None if connection.agent is None else connection.agent.reports.oldest()
        if oldest is not None and now - oldest > settings.report_within:
            return CloseCode.UNAVAILABLE, "not_stored"
        return None
