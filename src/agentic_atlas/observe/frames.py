"""Message tracing: a line for each message that comes or goes, by what it belongs to; what is in it only when asked.

Both ends of a connection wrap what sends and what receives, so neither knows of it, and without it nothing is wrapped.
The messages are read as the JSON they are: this is what was on the wire, not what somebody made of it.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, Literal

import msgspec

from agentic_atlas.observe.logs import Log
from agentic_atlas.observe.redaction import redact

LONGEST_PAYLOAD: Final = 2_000
"""Characters of a message that are shown, when its content is asked for."""
MOST_TRACES: Final = 10_000
"""Tasks of a connection of which the trace is remembered; of more the oldest are forgotten."""

_TOLD: Final = {
    "type": "type", "agent_id": "agent", "instance_id": "instance", "instance": "instance", "task": "task",
    "attempt": "attempt", "n": "n", "number": "number", "to": "number", "generation": "generation", "id": "call",
    "agent": "called", "skill": "skill", "kind": "kind", "outcome": "outcome", "state": "state", "child": "child",
    "seq": "seq", "question": "question", "recorded": "recorded", "code": "code", "first": "first", "up_to": "up_to",
}  # fmt: skip
"""What says which message it is and what it belongs to, and the field it is told in; nothing that users wrote."""
_OF: Final = {"report": "of", "reply": "of", "call": "of", "task": "of"}
"""Messages within a message between router and backend, whose type is told as well."""
_WITHIN: Final = ("instance", "identity", "report", "reply", "call", "task", "failure", "error", "reaction", "refused")
_SECRET: Final = frozenset(("token",))
_LONGEST: Final = 200

Direction = Literal["sent", "received", "to_router", "to_backend"]


class Frames:
    """Tells of the messages of one connection.

    Attributes:
        log: what it tells, with what is known of the other end.
    """

    def __init__(self, log: Log) -> None:
        """Begin with a log that says whether what is in messages is shown too: cut, and without secrets."""
        self.log = log
        self._traces: dict[str, str] = {}

    def tell(self, direction: Direction, data: bytes) -> None:
        """Tell of one message."""
        try:
            message = msgspec.json.decode(data)
        except (msgspec.MsgspecError, RecursionError, ValueError):
            message = {"type": "unreadable"}
        if not isinstance(message, dict):
            message = {"type": "unreadable"}
        told = dict(_told(message))
        self._remember(message, told)
        if self.log.payloads:
            told["payload"] = _shown(message)
        self.log.trace("message_passed", direction=direction, size=len(data), **told)

    def sending(self, socket: object) -> "Sending":
        """Return a socket that tells of what is sent by it."""
        return Sending(socket, lambda data: self.tell("sent", data))

    def receiving(self, receiver: object) -> "Receiving":
        """Return a receiver that tells of what it is given."""
        return Receiving(receiver, lambda data: self.tell("received", data))

    def _remember(self, message: Mapping[str, Any], told: dict[str, object]) -> None:
        if told.get("type") == "hello" and isinstance(known := message.get("instance"), dict):
            self.log = self.log.bind(instance=str(known.get("id"))[:_LONGEST])
        task, parent = told.get("task"), _traceparent(message)
        if isinstance(task, str):
            if parent is not None:
                self._traces[task] = parent
                if len(self._traces) > MOST_TRACES:
                    del self._traces[next(iter(self._traces))]
            if task in self._traces:
                told["trace"] = self._traces[task]


class Sending:
    """A socket whose `send` is told of; all else is the socket's own."""

    def __init__(self, socket: object, told: Callable[[bytes], None]) -> None:
        self._socket: Any = socket
        self._told = told

    def __getattr__(self, name: str) -> Any:
        return getattr(self._socket, name)

    def send(self, data: bytes) -> None:
        """Send one message."""
        self._told(data)
        self._socket.send(data)


class Receiving:
    """A receiver whose `received` is told of; all else is the receiver's own."""

    def __init__(self, receiver: object, told: Callable[[bytes], None]) -> None:
        self._receiver: Any = receiver
        self._told = told

    def __getattr__(self, name: str) -> Any:
        return getattr(self._receiver, name)

    def received(self, data: bytes) -> None:
        """Take one message."""
        self._told(data)
        self._receiver.received(data)


def _traceparent(message: Mapping[str, Any]) -> str | None:
    held = message.get("task")
    found = (held if isinstance(held, dict) else message).get("trace")
    parts = found.split("-") if isinstance(found, str) else ()
    return parts[1] if len(parts) == 4 else None


def _told(message: Mapping[str, Any], within: str = "") -> Iterator[tuple[str, object]]:
    """Yield what is told of a message, and of what is within it that is known to hold no payload."""
    for name, value in message.items():
        if isinstance(value, dict):
            if name in _WITHIN:
                yield from _told(value, name)
        elif name in _TOLD and isinstance(value, str | int | float):
            field = _field(name, message, within)
            if field is not None:
                yield field, value[:_LONGEST] if isinstance(value, str) else value


def _field(name: str, message: Mapping[str, Any], within: str) -> str | None:
    match name:
        case "type":
            return _OF.get(within, "type")
        case "id" if within == "instance":
            return "instance"
        case "agent" if message.get("type") != "call":  # the name by which the agent calls itself
            return None
    return _TOLD[name]


def _shown(message: Mapping[str, Any]) -> str:
    """Return what is in a message, cut and without what looks like a secret or is one by its name."""
    hidden = {name: "[redacted]" if name in _SECRET and value else value for name, value in message.items()}
    text = msgspec.json.encode(hidden).decode("utf-8", "replace")
    shown = redact(text)
    return shown if len(shown) <= LONGEST_PAYLOAD else f"{shown[:LONGEST_PAYLOAD]}…"
