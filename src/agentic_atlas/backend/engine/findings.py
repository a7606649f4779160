"""When a suspicion has become a finding: what happens for a moment between two steps is one when it lasts."""

from collections import Counter
from collections.abc import Iterable

from agentic_atlas.backend.domain.invariants import Finding, Invariant

LOOKS = 5
"""Looks in a row: counted and not timed, so that a process which stood still suspects nobody for it."""


class Findings:
    """Suspicions that have lasted.

    Attributes:
        ever: how many findings there were of each kind since the start.
    """

    def __init__(self, patience: int = LOOKS) -> None:
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
