"""What a process takes over from ended ones: a pure choice among what their files hold."""

from collections.abc import Iterable
from dataclasses import dataclass

from agentic_atlas.sdk.spool.records import Ended, Kept, Record, encode

MOST_PROCESSES = 64
"""As many as `hello` may name."""


@dataclass(frozen=True)
class Bounds:
    """How much is kept on disk for one token."""

    results: int = 1_000
    """As many as a ledger holds, so that a process can take over all of them."""
    nbytes: int = 64 * 1024 * 1024
    seconds: float = 7 * 86_400.0
    """A result that is older is not delivered any more."""


@dataclass(frozen=True)
class Chosen:
    """What is taken over.

    Attributes:
        processes: their ids, those that left results first.
        results: with the oldest first.
        too_old, too_many: results that are left out.
    """

    processes: tuple[str, ...] = ()
    results: tuple[Kept, ...] = ()
    too_old: int = 0
    too_many: int = 0


def choose(files: Iterable[tuple[str, Iterable[Record]]], now: float, bounds: Bounds) -> Chosen:
    """Choose among (process, its records), the newest process first: what was taken over already is there once."""
    processes: dict[str, None] = {}
    results: dict[tuple[str, int], Kept] = {}
    too_old = too_many = nbytes = 0
    for process, records in files:
        processes[process] = None
        for record in records:
            if isinstance(record, Ended):
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
    return Chosen(named, chosen, too_old, too_many + len(results) - len(chosen))
