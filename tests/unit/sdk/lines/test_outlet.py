"""An agent's outlet: wakes whoever sends, writes the file, and is silent in a copy of the process."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agentic_atlas.protocol.messages import LINE_BYTES, LogLine
from agentic_atlas.sdk.lines.file import LogFile
from agentic_atlas.sdk.lines.outlet import Outlet
from tests.unit.sdk.lines.test_capture import lines


def line(message: str) -> LogLine:
    return LogLine(1.0, "info", message, "logging")


def test_whoever_sends_is_woken_once_for_all_that_waits() -> None:
    outlet, woken = Outlet(), []
    outlet.wake = lambda: woken.append(1)
    for message in ("one", "two", "three"):
        outlet.tell(line(message))
    assert woken == [1]
    assert len(lines(outlet)) == 3
    outlet.tell(line("four"))
    assert woken == [1, 1]


def test_what_is_told_is_in_the_file_too_as_it_is_sent(tmp_path: Path) -> None:
    outlet = Outlet()
    outlet.keep(LogFile(tmp_path / "agent.log", size=100_000, files=2, failed=print))
    outlet.tell(line("x" * 2 * LINE_BYTES))
    outlet.close()
    assert len((tmp_path / "agent.log").read_bytes()) <= LINE_BYTES + 100


def test_a_file_that_fails_is_told_of_by_a_line_that_needs_no_file(tmp_path: Path) -> None:
    outlet = Outlet()
    (tmp_path / "agent.log").mkdir()
    outlet.keep(LogFile(tmp_path / "agent.log", size=100_000, files=2, failed=lambda why: outlet.tell(line(why))))
    outlet.tell(line("one"))
    told = [one.message for one in lines(outlet)]
    assert len(told) == 2
    assert "agent.log" in told[0]


def test_in_a_copy_of_the_process_nothing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    outlet = Outlet()
    here = os.getpid()
    monkeypatch.setattr(os, "getpid", lambda: here + 1)
    assert outlet.copied
    outlet.tell(line("one"))
    monkeypatch.undo()
    assert lines(outlet) == []
