"""What of an agent's process outlives it: results that the router has not acknowledged (guarantee 3).

Here is only what the ledger needs to know of it. `spool.file` keeps results on disk; where that is not wanted, or not
possible, they end with the process.
"""

from dataclasses import dataclass, field

import msgspec
from msgspec import Raw

from agentic_atlas.protocol.messages import Fault, Outcome, Result


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


@dataclass(frozen=True)
class Handover:
    """What the ended processes with the same token left.

    Attributes:
        processes: their instance ids, those that left results first.
        results: with the oldest first.
        too_old, too_many: results that are left out.
        at: when it was looked for, on this machine's wall clock.
    """

    processes: tuple[str, ...] = ()
    results: tuple[ResultRecord, ...] = ()
    too_old: int = 0
    too_many: int = 0
    at: float = field(default=0.0, compare=False)


class Spool:
    """Keeps results until the router has acknowledged them. Calls are quick and never fail.

    This one keeps nothing: what is not acknowledged ends with the process.
    """

    def open(self) -> Handover:
        """Begin, and take over what ended processes left; to be called once, before all else."""
        return Handover()

    def keep(self, result: Result) -> None:
        """Keep this, from before it is sent for the first time."""

    def forget(self, task: str, attempt: int) -> None:
        """The router has this result, or does not want it."""

    def settled(self) -> None:
        """The router knows of the ended processes."""

    def close(self, *, running: bool) -> int:
        """Return how many results are kept for the next process; `running`: handlers end without a result."""
        return 0
