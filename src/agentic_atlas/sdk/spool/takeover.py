"""What stands in a spool's file, and what a process takes over of the files that ended ones left: a pure choice.

In a file are results, and which processes the router does not know to be dead yet.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

import msgspec
from msgspec import Raw

from agentic_atlas.protocol.messages import Fault, Limits, Outcome, Result
from agentic_atlas.sdk.fitting import fit

MOST_PROCESSES = 64
"""As many as `hello` may name."""


class ResultRecord(msgspec.Struct, frozen=True, tag="result", omit_defaults=True):
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


class EndedRecord(msgspec.Struct, frozen=True, tag="ended"):
    """A process that has ended, with or without results, and that the router is to be told of."""

    process: str


Record: TypeAlias = ResultRecord | EndedRecord

_ENCODER = msgspec.msgpack.Encoder()
_DECODER: msgspec.msgpack.Decoder[Record] = msgspec.msgpack.Decoder(Record)


def result_record(process: str, at: float, result: Result) -> ResultRecord:
    """Return the record of a result."""
    fault = result.error
    error = None if fault is None else (fault.code, fault.message, bytes(fault.detail))
    return ResultRecord(process, at, result.task, result.attempt, result.outcome, bytes(result.output), error)


def encode(record: Record) -> bytes:
    """Return a record as bytes."""
    try:
        return _ENCODER.encode(record)
    except UnicodeEncodeError:
        # Half of a surrogate pair in the message of an error: what would be sent in its place.
        assert isinstance(record, ResultRecord)
        replaced = fit(record.result(), Limits())
        assert isinstance(replaced, Result)
        return _ENCODER.encode(result_record(record.process, record.at, replaced))


def decode(data: bytes) -> Record | None:
    """Return the record; None when it is one of a version that writes them differently."""
    try:
        return _DECODER.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


@dataclass(frozen=True)
class SpoolBounds:
    """How much is kept on disk for one token."""

    results: int = 1_000
    """As many as a ledger holds, so that a process can take over all of them."""
    nbytes: int = 64 * 1024 * 1024
    seconds: float = 7 * 86_400.0
    """A result that is older is not delivered any more."""


@dataclass(frozen=True)
class Takeover:
    """What is taken over.

    Attributes:
        processes: their ids, those that left results first.
        results: with the oldest first.
        too_old, too_many: results that are left out.
    """

    processes: tuple[str, ...] = ()
    results: tuple[ResultRecord, ...] = ()
    too_old: int = 0
    too_many: int = 0


def choose(files: Iterable[tuple[str, Iterable[Record]]], now: float, bounds: SpoolBounds) -> Takeover:
    """Choose among (process, its records), the newest process first: what was taken over already is there once."""
    processes: dict[str, None] = {}
    results: dict[tuple[str, int], ResultRecord] = {}
    too_old = too_many = nbytes = 0
    for process, records in files:
        processes[process] = None
        for record in records:
            if isinstance(record, EndedRecord):
                processes[record.process] = None
            elif record.key in results:
                continue
            elif now - record.at > bounds.seconds:
                too_old += 1
            elif len(results) >= bounds.results or (size := len(encode(record))) + nbytes > bounds.nbytes:
                too_many += 1
            else:
                results[record.key] = record
                nbytes += size
    named = tuple(dict.fromkeys((*(kept.process for kept in results.values()), *processes)))[:MOST_PROCESSES]
    chosen = tuple(sorted((kept for kept in results.values() if kept.process in named), key=lambda kept: kept.at))
    return Takeover(named, chosen, too_old, too_many + len(results) - len(chosen))
