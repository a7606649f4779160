"""What of an agent's process outlives it: results that the router has not acknowledged (guarantee 3).

Here is only what the ledger needs to know of it. `spool.file` keeps results on disk; where that is not wanted, or not
possible, they end with the process.
"""

from dataclasses import dataclass
from typing import Protocol

from agentic_atlas.protocol.messages import Result


@dataclass(frozen=True)
class LeftResult:
    """A result that an earlier process left.

    Attributes:
        process: instance id of the process that ran the attempt.
        age: seconds since it ended.
    """

    process: str
    result: Result
    age: float


@dataclass(frozen=True)
class Handover:
    """What the ended processes with the same token left: their instance ids, and their results, the oldest first."""

    processes: tuple[str, ...] = ()
    results: tuple[LeftResult, ...] = ()


class Spool(Protocol):
    """Keeps results until the router has acknowledged them. Calls are quick and never fail."""

    def open(self) -> Handover:
        """Begin, and take over what ended processes left; to be called once, before all else."""

    def keep(self, result: Result) -> None:
        """Keep this, from before it is sent for the first time."""

    def forget(self, task: str, attempt: int) -> None:
        """The router has this result, or does not want it."""

    def settled(self) -> None:
        """The router knows of the ended processes."""

    def close(self, *, running: bool) -> int:
        """Return how many results are kept for the next process; `running`: handlers end without a result."""


class NoSpool:
    """Keeps nothing: what is not acknowledged ends with the process."""

    def open(self) -> Handover:
        """See `Spool`."""
        return Handover()

    def keep(self, result: Result) -> None:
        """See `Spool`."""

    def forget(self, task: str, attempt: int) -> None:
        """See `Spool`."""

    def settled(self) -> None:
        """See `Spool`."""

    def close(self, *, running: bool) -> int:
        """See `Spool`."""
        return 0
