"""The life of a connection as one table for both sides.

Every message has one sender (`beat` and `drain` have two), so one table says what may come next on either end. The
diagram in the documentation is drawn from it.
"""

from enum import StrEnum

from agentic_atlas.protocol.messages import (
    Accept,
    Answer,
    Beat,
    Call,
    Cancel,
    Drain,
    Event,
    EventAck,
    Hello,
    Message,
    Refuse,
    Reply,
    Result,
    ResultAck,
    Task,
    Welcome,
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
)  # fmt: skip

TRANSITIONS: dict[ConnectionState, dict[type[Message], ConnectionState]] = {
    ConnectionState.CONNECTED: {Hello: ConnectionState.GREETED},
    ConnectionState.GREETED: {Welcome: ConnectionState.READY},
    ConnectionState.READY: dict.fromkeys(_WORK, ConnectionState.READY),
    ConnectionState.CLOSED: {},
}


def after(state: ConnectionState, kind: type[Message]) -> ConnectionState | None:
    """Return the state after a message of this kind, or None when it is not allowed in this state."""
    return TRANSITIONS[state].get(kind)
