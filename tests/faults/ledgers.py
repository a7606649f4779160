"""Reads what the workers wrote of their handlers (`worker`)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Executions:
    """How often the handlers of each task, and of each of its attempts, started and ended."""

    starts: Counter[str] = field(default_factory=Counter)
    attempts: Counter[tuple[str, int]] = field(default_factory=Counter)
    ends: Counter[str] = field(default_factory=Counter)

    @property
    def repeated(self) -> list[str]:
        """The tasks whose handler started more than once."""
        return [task for task, times in self.starts.items() if times > 1]


def read(ledgers: Iterable[Path]) -> Executions:
    """Return what the ledgers hold together."""
    seen = Executions()
    for ledger in ledgers:
        for line in ledger.read_text().splitlines():
            task, attempt, what, _ = line.split()
            if what == "start":
                seen.starts[task] += 1
                seen.attempts[task, int(attempt)] += 1
            else:
                seen.ends[task] += 1
    return seen
