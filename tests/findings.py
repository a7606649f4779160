"""What the tests of faults and attacks did and saw: the table at the end of a run. A plugin of pytest."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import astuple, dataclass

import pytest

_PROPERTY = "finding"


@dataclass(frozen=True)
class Finding:
    """What is promised, what was done how often, and what was seen."""

    guarantee: str
    done: str
    seen: str


def add(item: pytest.Item, guarantee: str, done: str, seen: str) -> None:
    """Add a row; it travels with the report of the test, also from the process of a worker."""
    item.user_properties.append((_PROPERTY, astuple(Finding(guarantee, done, seen))))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table, when there is one."""
    rows = sorted(_findings(terminalreporter), key=lambda row: row.guarantee)
    if not rows:
        return
    widths = [max(len(getattr(row, name)) for row in rows) for name in ("guarantee", "done")]
    terminalreporter.section("faults and attacks")
    for row in rows:
        terminalreporter.write_line(f"{row.guarantee:<{widths[0]}}  {row.done:<{widths[1]}}  {row.seen}")


def _findings(terminalreporter: pytest.TerminalReporter) -> Iterator[Finding]:
    for reports in terminalreporter.stats.values():
        for report in reports:
            if isinstance(report, pytest.TestReport) and report.when == "teardown":
                yield from (Finding(*row) for name, row in report.user_properties if name == _PROPERTY)
