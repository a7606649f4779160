"""What must never last: the signs of a task that hangs, and when a suspicion has become a finding. Pure.

Each of these happens for a moment, between two steps. It is a fault when look after look finds the same.
"""

from collections import Counter
from collections.abc import Iterable
from enum import StrEnum

import msgspec

PATIENCE = 5
"""Looks in a row: counted and not timed, so that a process which stood still suspects nobody for it."""


class Invariant(StrEnum):
    """What is wrong when it lasts."""

    RUNNING_WITHOUT_LEASE = "running_without_lease"
    """A task runs and nobody would notice the loss of its instance."""
    WAITING_BESIDE_FREE_SLOTS = "waiting_beside_free_slots"
    """A task waits, its agent has a free slot, and nobody brings them together."""
    SLOT_KEPT_FOR_NOTHING = "slot_kept_for_nothing"
    """A slot is kept for a task, and none is on its way to it."""
    ATTEMPT_NOT_RUNNING = "attempt_not_running"
    """An agent is connected, and does not name an attempt that takes one of its slots."""
    RESULT_OVERDUE = "result_overdue"
    """An agent is connected and has kept a result for longer than storing one may take."""


class Finding(msgspec.Struct, frozen=True):
    """An invariant that is violated, and by what: a task's id, an agent's or an instance's."""

    invariant: Invariant
    subject: str


class Findings:
    """Suspicions that have lasted.

    Attributes:
        ever: how many findings there were of each kind since the start.
    """

    def __init__(self, patience: int = PATIENCE) -> None:
        self._patience = patience
        self._looks: dict[Finding, int] = {}
        self.ever: Counter[Invariant] = Counter()

    def look(self, suspects: Iterable[Finding]) -> list[Finding]:
        """Take what is suspected now; return what has become a finding with this look."""
        self._looks = {suspect: self._looks.get(suspect, 0) + 1 for suspect in suspects}
        new = [finding for finding, looks in self._looks.items() if looks == self._patience]
        self.ever.update(finding.invariant for finding in new)
        return new

    def now(self) -> dict[Invariant, int]:
        """Return how many there are of each kind at present."""
        lasting = Counter(finding.invariant for finding, looks in self._looks.items() if looks >= self._patience)
        return {invariant: lasting[invariant] for invariant in Invariant}
