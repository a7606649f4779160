"""The life of a connection as one table for both sides, and one side of a connection, without any input or output.

Every message has one sender (`beat`, `drain` and `token` have two), so one table says what may come next on either end;
the diagram in the documentation is drawn from it. The same class drives agent and router: bytes in, messages out, and
the other way round. It knows the limits in force, and refuses whatever the table does not allow, from the peer and from
its own side alike.
"""

from enum import StrEnum
from typing import TypeAlias

from agentic_atlas.protocol import codec
from agentic_atlas.protocol.closing import CloseCode
from agentic_atlas.protocol.codec import ProtocolError
from agentic_atlas.protocol.messages import (
    HELLO_BYTES,
    NAMES,
    Accept,
    Answer,
    Beat,
    Call,
    Cancel,
    Drain,
    Event,
    EventAck,
    Hello,
    Limits,
    Logs,
    LogsAck,
    Message,
    Refuse,
    Renewal,
    Reply,
    Result,
    ResultAck,
    Side,
    Task,
    Welcome,
    sent_by,
)


class ConnectionState(StrEnum):
    """Where a connection is in its life."""

    CONNECTED = "connected"
    """The handshake is done; `hello` is due."""
    GREETED = "greeted"
    """`hello` was sent; nothing else may be sent by the agent before `welcome`."""
    READY = "ready"
    """Registered: tasks flow."""
    CLOSED = "closed"
    """Nothing is sent or read any more."""


_WORK: tuple[type[Message], ...] = (
    Task, Accept, Refuse, Event, EventAck, Result, ResultAck, Cancel, Answer, Call, Reply, Beat, Drain,
    Renewal, Logs, LogsAck,
)  # fmt: skip

TRANSITIONS: dict[ConnectionState, dict[type[Message], ConnectionState]] = {
    ConnectionState.CONNECTED: {Hello: ConnectionState.GREETED},
    ConnectionState.GREETED: {Welcome: ConnectionState.READY},
    ConnectionState.READY: dict.fromkeys(_WORK, ConnectionState.READY),
    ConnectionState.CLOSED: {},
}

Turns: TypeAlias = dict[ConnectionState, dict[type[Message], ConnectionState]]
_TURNS: dict[Side, Turns] = {
    side: {
        state: {kind: next_state for kind, next_state in arrows.items() if sent_by(kind, side)}
        for state, arrows in TRANSITIONS.items()
    }
    for side in Side
}
"""What each side may send, and where that leads."""

_CONNECTED = ConnectionState.CONNECTED
"""To look a member up at its class takes as long as a whole step does, and this is asked of each message."""


class Session:
    """The protocol state of one connection, seen from one side.

    Attributes:
        side: which end this is.
        state: where the connection is; changes with each message that is sent or received, and with `close`.
        limits: the limits in force. The agent's become the router's when `welcome` arrives.
    """

    __slots__ = ("_containers", "_ours", "_theirs", "limits", "side", "state")

    def __init__(self, side: Side, limits: Limits | None = None) -> None:
        self.side = side
        self.state = ConnectionState.CONNECTED
        self.limits = limits or Limits()
        self._ours, self._theirs = _TURNS[side], _TURNS[side.peer]
        # A router passes on what it has taken, sometimes the parts of several messages in one.
        self._containers = codec.CONTAINERS if side is Side.ROUTER else self.limits.message_bytes

    def check(self, data: bytes) -> None:
        """Look at a message before `receive` takes it as `checked`: with a long one, each of both takes its time.

        Raises:
            ProtocolError: as `receive` does.
        """
        try:
            if self.state is _CONNECTED and len(data) > HELLO_BYTES:
                raise hello_too_big()
            codec.check(data, self.limits, self._containers)
        except ProtocolError:
            self.close()
            raise

    def receive(self, data: bytes, *, checked: bool = False) -> Message:
        """Take one whole message of the peer's.

        Raises:
            ProtocolError: the bytes are no message, or the message is not allowed now. The session is closed then, and
                the connection is to be closed with the error's `close_code`.
        """
        if not checked:
            self.check(data)
        try:
            message = codec.read(data)
            state = self._theirs[self.state].get(type(message))
            if state is None:
                raise self._out_of_turn(message, self.side.peer)
        except ProtocolError:
            self.close()
            raise
        if state is not self.state:
            self.state = state
            if isinstance(message, Welcome):
                self.limits = message.limits
        return message

    def send(self, message: Message) -> bytes:
        """Return the bytes to send for one of our own messages.

        Raises:
            ProtocolError: it is not ours to send, or not now; the state is as before.
        """
        state = self._ours[self.state].get(type(message))
        if state is None:
            raise self._out_of_turn(message, self.side)
        self.state = state
        return codec.encode(message)

    def close(self) -> None:
        """The connection ended, or is about to: from now on nothing is sent or taken."""
        self.state = ConnectionState.CLOSED

    def _out_of_turn(self, message: Message, sender: Side) -> ProtocolError:
        kind = type(message)
        if not sent_by(kind, sender):
            return ProtocolError(f"{NAMES[kind]} is not for the {sender} to send", code="wrong_sender")
        return ProtocolError(f"{NAMES[kind]} is not allowed while {self.state}", code="out_of_order")


def hello_too_big() -> ProtocolError:
    """Return the error for a `hello` that is longer than any may be."""
    return ProtocolError(
        f"a hello is over the limit of {HELLO_BYTES} bytes",
        close_code=CloseCode.INVALID_REGISTRATION,
        code="hello_too_big",
    )
