"""What stands in a spool's file, as bytes: results, and which processes the router does not know to be dead yet."""

from typing import TypeAlias

import msgspec
from msgspec import Raw

from agentic_atlas.protocol.messages import Fault, Limits, Outcome, Result
from agentic_atlas.sdk.fitting import fit


class Kept(msgspec.Struct, frozen=True, tag="result", omit_defaults=True):
    """A result; its payloads as they are, for only the router's limits say whether they can be sent."""

    process: str
    """Instance id of the process that ran the attempt."""
    at: float
    """When it ended, on this machine's wall clock."""
    task: str
    attempt: int
    outcome: Outcome
    output: bytes = b"null"
    error: tuple[str, str, bytes] | None = None

    @property
    def key(self) -> tuple[str, int]:
        """Task and attempt."""
        return self.task, self.attempt

    def result(self) -> Result:
        """Return the message."""
        error = None if self.error is None else Fault(self.error[0], self.error[1], Raw(self.error[2]))
        return Result(self.task, self.attempt, self.outcome, Raw(self.output), error)


class Ended(msgspec.Struct, frozen=True, tag="ended"):
    """A process that has ended, with or without results, and that the router is to be told of."""

    process: str


Record: TypeAlias = Kept | Ended

_ENCODER = msgspec.msgpack.Encoder()
_DECODER: msgspec.msgpack.Decoder[Record] = msgspec.msgpack.Decoder(Record)


def kept(process: str, at: float, result: Result) -> Kept:
    """Return the record of a result."""
    fault = result.error
    error = None if fault is None else (fault.code, fault.message, bytes(fault.detail))
    return Kept(process, at, result.task, result.attempt, result.outcome, bytes(result.output), error)


def encode(record: Record) -> bytes:
    """Return a record as bytes."""
    try:
        return _ENCODER.encode(record)
    except UnicodeEncodeError:
        # Half of a surrogate pair in the message of an error: what would be sent in its place.
        assert isinstance(record, Kept)
        replaced = fit(record.result(), Limits())
        assert isinstance(replaced, Result)
        return _ENCODER.encode(kept(record.process, record.at, replaced))


def decode(data: bytes) -> Record | None:
    """Return the record; None when it is one of a version that writes them differently."""
    try:
        return _DECODER.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
