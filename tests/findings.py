"""What the tests of faults did and saw: the rows of the table at the end of a run."""

from __future__ import annotations

from dataclasses import dataclass

import pytest


@dataclass(frozen=True)
class Finding:
    """What is promised, what was done how often, and what was seen."""

    guarantee: str
    done: str
    seen: str


_FINDINGS = pytest.StashKey[list[Finding]]()


def add(config: pytest.Config, guarantee: str, done: str, seen: str) -> None:
    """Add a row."""
    config.stash.setdefault(_FINDINGS, []).append(Finding(guarantee, done, seen))


def findings(config: pytest.Config) -> list[Finding]:
    """Return the rows that were added so far."""
    return config.stash.get(_FINDINGS, [])
