"""Rings of tests: which there are, in which order they run, and how long each took."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterable
from pathlib import Path

import pytest
from xdist.scheduler import LoadScopeScheduling

ROOT = Path(__file__).parents[1]
RINGS = (
    "tests/unit",
    "tests/properties",
    "tests/architecture",
    "tests/conformance",
    "tests/integration",
    "tests/security",
    "tests/e2e",
    "tests/faults",
    "tests/docs",
    "examples",
)
"""The cheap ones first, so that what is simply wrong is seen soon."""

WAITING = ("tests/e2e/", "tests/faults/", "tests/docs/")
TOGETHER = (
    "tests/e2e/test_demo.py",
    "tests/e2e/test_every_page.py",
    "tests/e2e/test_pages.py",
    "tests/e2e/test_tokens.py",
    "tests/faults/test_named_bounds.py",
)
"""The demo has the ports of a first network, which two cannot have; the others share a network."""
ONE_AFTER_THE_OTHER = {"tests/security/test_secrets.py": "tests/e2e/test_demo.py"}
"""Files that run with another one, for both have the demo."""

Interval = tuple[float, float]


def ring_of(path: str, marks: Container[str]) -> int:
    """Return the place of the ring that a test of this path, or name, is in; what is in none comes last.

    A test that installs the product runs with the end-to-end ring.
    """
    if "install" in marks:
        return RINGS.index("tests/e2e")
    return next((n for n, ring in enumerate(RINGS) if path.startswith(f"{ring}/")), len(RINGS))


def turn(path: str, marks: Container[str]) -> tuple[int, bool]:
    """Return what a test is sorted by: its ring, and in that what is long comes first, so that nobody waits for it."""
    return ring_of(path, marks), "long" not in marks


def part(nodeid: str) -> str:
    """Return what a worker is given at once: a file, or of the rings whose tests start processes and wait one test.

    By the name alone: who distributes the tests has not collected them.
    """
    path = nodeid.partition("::")[0]
    path = ONE_AFTER_THE_OTHER.get(path, path)
    return nodeid if path.startswith(WAITING) and path not in TOGETHER else path


class SideBySide(LoadScopeScheduling):
    """Gives workers one part after the other, in the order of the rings."""

    def _split_scope(self, nodeid: str) -> str:
        return part(nodeid)


class RingTimes:
    """Prints at the end of a run what each ring took: the time of its tests, and for how long any of them ran.

    The first is the sum over all workers, the second what one waits for; side by side it is less than the first.
    """

    def __init__(self) -> None:
        self._intervals: defaultdict[int, list[Interval]] = defaultdict(list)
        self._tests: defaultdict[int, set[str]] = defaultdict(set)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take the time of one phase of a test."""
        ring = ring_of(report.nodeid, report.keywords)
        self._intervals[ring].append((report.start, report.stop))
        self._tests[ring].add(report.nodeid)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print the table."""
        terminalreporter.section("time of each ring")
        terminalreporter.line(f"{'ring':20} {'tests':>6} {'time of tests':>14} {'from first to last':>19}")
        for ring, name in enumerate((*RINGS, "others")):
            if intervals := self._intervals[ring]:
                worked = sum(stop - start for start, stop in intervals)
                lasted = covered(intervals)
                terminalreporter.line(f"{name:20} {len(self._tests[ring]):6} {worked:12.1f} s {lasted:17.1f} s")


def covered(intervals: Iterable[Interval]) -> float:
    """Return the length of what the intervals cover together."""
    total, reached = 0.0, float("-inf")
    for start, stop in sorted(intervals):
        total += max(0.0, stop - max(start, reached))
        reached = max(reached, stop)
    return total
