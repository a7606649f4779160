"""What the router would have to refuse never leaves this process.

A message over a limit, or one that is not of the protocol (an output nested too deeply, a number that JSON does not
have), would close the connection, and would do so again after each reconnect. Of events and outputs the payload is
looked at, for nothing else in them is of a user's making; every other message is read back as the router reads it. One
that does not pass is replaced by one that says so.
"""

from typing import TypeAlias

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from agentic_atlas.protocol import codec
from agentic_atlas.protocol.codec import ProtocolError
from agentic_atlas.protocol.messages import (
    Accept,
    Call,
    Drain,
    Event,
    EventKind,
    Fault,
    Limits,
    Outcome,
    Refuse,
    Reply,
    ReplyKind,
    Result,
)
from agentic_atlas.sdk.ports import Outgoing, UnsaidQuestion

Sendable: TypeAlias = Outgoing | Reply | UnsaidQuestion
"""A message that may be sent; or, for the runner, what takes the place of an answer to one that may not."""

_MESSAGE_LENGTH = 1_000
_AROUND = 1_024
"""Bytes that a message may have around its payload."""


def fit(message: Outgoing, limits: Limits) -> Sendable:
    """Return the message itself, or what takes its place; a call that may not be sent comes back as its last reply."""
    fault = None if isinstance(message, Accept | Drain) else fault_of(message, limits)
    if fault is None:
        return message
    match message:
        case Event():
            return replace(message, kind=EventKind.LOG, data=notice(f"an event was left out: {fault.message}"))
        case Result():
            return _failed(message, fault, limits)
        case Call():
            return Reply(message.id, ReplyKind.RESULT, state="failed", error=fault)
        case Refuse():
            return replace(message, message="")
        case _:
            return message


def notice(text: str) -> Raw:
    """Return the data of a log event in which the SDK itself says something."""
    return Raw(msgspec.json.encode({"level": "warning", "event": text[:_MESSAGE_LENGTH], "fields": {}}))


def size(payload: Raw) -> int:
    """Return the length of a payload in bytes."""
    return memoryview(payload).nbytes


def _failed(result: Result, fault: Fault, limits: Limits) -> Result:
    """Keep the handler's own error as far as it can be said: its code, and its message shortened."""
    if result.error is not None:
        text = result.error.message.encode("utf-8", "replace").decode()[:_MESSAGE_LENGTH]
        shortened = Result(result.task, result.attempt, result.outcome, error=Fault(result.error.code[:64], text))
        if fault_of(shortened, limits) is None:
            return shortened
    return Result(result.task, result.attempt, Outcome.FAILED, error=fault)


def fault_of(message: Outgoing, limits: Limits) -> Fault | None:
    """Return why the message may not be sent, or None."""
    payload, limit = _payload(message, limits)
    if payload > limit:
        return Fault(
            "payload_too_large", f"{payload} bytes are more than the {limit} allowed: return less, or a link to it"
        )
    code = "invalid_input" if isinstance(message, Call) else "invalid_output"
    try:
        if isinstance(message, Event) and not bytes(message.data).lstrip().startswith(b"{"):
            raise ProtocolError("the data of an event is a JSON object", code="invalid_event")
        _read_back(message, limits)
    except ProtocolError as error:
        too_large = error.code in ("message_too_big", "too_deep", "too_many_containers")
        return Fault("payload_too_large" if too_large else code, error.message[:_MESSAGE_LENGTH])
    except UnicodeEncodeError:
        return Fault(code, "a text in it is not Unicode (it has half of a surrogate pair)")
    return None


def _read_back(message: Outgoing, limits: Limits) -> None:
    """Raise what the router would say of the message: ProtocolError, or UnicodeEncodeError for what can't be sent."""
    alone = _alone(message)
    if alone is None or size(alone) + _AROUND > limits.message_bytes:
        codec.decode(codec.encode(message), limits)
    else:
        # One level and one object less: the message is around it.
        codec.check_payload(bytes(alone), limits.depth - 1, codec.CONTAINERS - 1)


def _alone(message: Outgoing) -> Raw | None:
    """Return the payload of a message in which nothing else is of a user's making."""
    match message:
        case Event():
            return message.data
        case Result(error=None):
            return message.output
        case _:
            return None


def _payload(message: Outgoing, limits: Limits) -> tuple[int, int]:
    match message:
        case Event():
            return size(message.data), limits.event_bytes
        case Result():
            return size(message.output), limits.payload_bytes
        case Call():
            return size(message.input), limits.payload_bytes
        case _:
            return 0, 0
