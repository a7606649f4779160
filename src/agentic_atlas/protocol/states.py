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
    name_of,
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


def mermaid() -> str:
    """Draw the table as a Mermaid state diagram: messages with the same arrow on one line, and what moves nothing in a
    note.
    """
    lines = ["stateDiagram-v2", f"    [*] --> {ConnectionState.CONNECTED}: handshake with a valid token"]
    for state, arrows in TRANSITIONS.items():
        for target in dict.fromkeys(arrows.values()):
            names = ", ".join(name_of(kind) for kind, goal in arrows.items() if goal is target)
            lines.append(f"    {state} --> {target}: {names}" if target is not state else _stays(state, names))
        if state is not ConnectionState.CLOSED:
            lines.append(f"    {state} --> {ConnectionState.CLOSED}: close")
    lines.append(f"    {ConnectionState.CLOSED} --> [*]")
    return "\n".join(lines)


def _stays(state: ConnectionState, names: str) -> str:
    # An arrow to where it came from would lie under its own long text.
    return f"    note left of {state}: {names}"
