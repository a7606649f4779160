"""Results on disk, until the router has them: what a process leaves, the next one with the same token delivers,
or with one that came out of it by renewal or rotation.

A result is written before it is sent for the first time, with write(2) and without fsync: it outlives the process, not
a machine that loses its power. Where the disk fails, the agent goes on with results in memory, and says so.

In a file are results, and which processes the router does not know to be dead yet. What a process takes over of the
files that ended ones left is a pure choice.
"""

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

import msgspec

from agentic_atlas.observe.logs import Log
from agentic_atlas.protocol.messages import Result
from agentic_atlas.sdk.spool import folder as spool_folder
from agentic_atlas.sdk.spool.journal import Journal
from agentic_atlas.sdk.spool.port import Handover, ResultRecord, Spool
from agentic_atlas.sdk.tokens.unverified import lineage_name

Key = tuple[str, int]
MOST_PROCESSES = 64
"""As many as `hello` may name."""


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
        # Half of a surrogate pair in the message of an error, which is no text to be sent either.
        assert isinstance(record, ResultRecord)
        assert record.error is not None
        code, message, detail = record.error
        said = message.encode("utf-8", "replace").decode()
        return _ENCODER.encode(msgspec.structs.replace(record, error=(code, said, detail)))


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


def choose(files: Iterable[tuple[str, Iterable[Record]]], now: float, bounds: SpoolBounds) -> Handover:
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
    return Handover(named, chosen, too_old, too_many + len(results) - len(chosen), now)


def spool_in(folder: Path | None, token: str, process: str, log: Log) -> Spool:
    """Return the spool of this process in a folder that holds those of all tokens; one that keeps nothing for None."""
    return Spool() if folder is None else FileSpool(folder / lineage_name(token), process, log=log)


class FileSpool(Spool):
    """Keeps them in the folder of one token. All of it belongs to the link's thread."""

    def __init__(
        self,
        folder: Path,
        process: str,
        *,
        log: Log,
        wall: Callable[[], float] = time.time,  # noqa: TID251 - results of an earlier process have an age, too
        bounds: SpoolBounds | None = None,
    ) -> None:
        """Prepare; no file is touched before `open`.

        Args:
            folder: of the token; made when it is missing.
            process: this one's instance id.
            log: where to say that the disk fails, and that it works again.
            wall: seconds since the epoch.
            bounds: how much is kept.
        """
        self._folder = folder
        self._process = process
        self._log = log
        self._wall = wall
        self._bounds = bounds or SpoolBounds()
        self._journal: Journal | None = None
        # Files of ended processes that could not be taken over: held, so that nobody else takes them meanwhile.
        self._others: list[Journal] = []
        self._numbers: dict[Key, int] = {}
        self._ended: list[int] = []
        # Not on disk yet, because that failed.
        self._waiting: dict[Key, tuple[Result, float]] = {}
        self._failing = False

    def open(self) -> Handover:
        """See `Spool`."""
        now = self._wall()
        chosen = Handover()
        try:
            own = self._journal = spool_folder.create(self._folder, self._process)
            self._others = spool_folder.dead(self._folder, own.path)
            chosen = choose(((journal.path.stem, _records(journal)) for journal in self._others), now, self._bounds)
            self._take_over(own, chosen)
            swept = spool_folder.sweep(self._folder, now - self._bounds.seconds)
            chosen = replace(chosen, too_old=chosen.too_old + swept)
        except OSError as error:
            self._cannot_be_used(error)
        self._tell(chosen)
        return chosen

    def keep(self, result: Result) -> None:
        """See `Spool`."""
        self._waiting[result.task, result.attempt] = (result, self._wall())
        self._write_waiting()

    def forget(self, task: str, attempt: int) -> None:
        """See `Spool`."""
        self._waiting.pop((task, attempt), None)
        number = self._numbers.pop((task, attempt), None)
        if number is not None:
            self._remove(number)
        if self._waiting:
            self._write_waiting()

    def settled(self) -> None:
        """See `Spool`."""
        ended, self._ended = self._ended, []
        for number in ended:
            self._remove(number)

    def close(self, *, running: bool) -> int:
        """See `Spool`."""
        left = len(self._numbers)
        if running:
            # A handler may go on in a thread: only the end of the process gives the lock back.
            return left
        with contextlib.suppress(OSError):
            if self._journal is not None:
                self._journal.close(delete=not (left or self._ended))
            for journal in self._others:
                journal.close()
        self._journal, self._others = None, []
        spool_folder.remove_if_empty(self._folder)
        return left

    # -- inside

    def _take_over(self, own: Journal, chosen: Handover) -> None:
        """Write down as this process's own what the others left, and only then delete it there."""
        self._ended = [own.append(encode(EndedRecord(process))) for process in chosen.processes]
        for one in chosen.results:
            self._numbers[one.key] = own.append(encode(one))
        while self._others:
            self._others.pop().close(delete=True)

    def _write_waiting(self) -> None:
        try:
            while self._waiting:
                (key, (result, at)) = next(iter(self._waiting.items()))
                if not self._write(key, result_record(self._process, at, result)):
                    fix = "they are written as soon as the router acknowledges some"
                    return self._fails("too many wait on disk already", fix)
                del self._waiting[key]
        except OSError as error:
            return self._cannot_be_used(error)
        return self._works()

    def _write(self, key: Key, record: ResultRecord) -> bool:
        """Write a record; False when more are there than may be."""
        if self._journal is None:
            self._journal = spool_folder.create(self._folder, self._process)
        data = encode(record)
        if len(self._numbers) >= self._bounds.results or self._journal.living + len(data) > self._bounds.nbytes:
            return False
        self._numbers[key] = self._journal.append(data)
        return True

    def _remove(self, number: int) -> None:
        assert self._journal is not None
        try:
            self._journal.remove(number)
        except OSError as error:
            # It may be delivered once more by the next process; the router knows that it has it.
            self._cannot_be_used(error)

    def _cannot_be_used(self, error: OSError) -> None:
        fix = "make room there, name another folder with ATLAS_SPOOL, or turn this off with ATLAS_SPOOL=off"
        self._fails(f"{self._folder} cannot be used ({error.strerror or type(error).__name__})", fix)

    def _fails(self, why: str, fix: str) -> None:
        if not self._failing:
            self._failing = True
            self._log.warning("spool_failing", why=why, fix=fix)

    def _works(self) -> None:
        if self._failing:
            self._failing = False
            self._log.info("spool_working")

    def _tell(self, chosen: Handover) -> None:
        if chosen.results:
            self._log.info("results_found", count=len(chosen.results))
        if chosen.too_old:
            self._log.warning("results_too_old", count=chosen.too_old, days=f"{self._bounds.seconds / 86_400:g}")
        if chosen.too_many:
            self._log.warning("results_too_many", count=chosen.too_many)


def _records(journal: Journal) -> Iterator[Record]:
    for _, data in journal.records():
        record = decode(data)
        if record is not None:
            yield record
