"""Lines of agents' logs at the terminal, in pipes, and as JSON."""

from __future__ import annotations

import json

import pytest

from tests.integration.cli.commands import atlas, complained, printed
from tests.integration.cli.platform_server import AT, Platform

TASK = "tsk_" + "1" * 26
FAILED = {
    "at": AT,
    "agent": "ada/hello",
    "instance_id": "ins_1",
    "number": 2,
    "level": "error",
    "source": "task",
    "message": "no \x1b[31mluck\u202e",
    "task_id": TASK,
    "attempt": 2,
    "logger": "app.db",
    "fields": {"order": 4711, "city": "New York"},
    "exception": "Traceback …\nValueError: no\n",
    "missing": 3,
}
PLAIN = FAILED | {"number": 1, "level": "info", "message": "fine", "exception": "", "missing": 0, "fields": {}}


def test_the_oldest_comes_first_and_a_traceback_stands_below(platform: Platform) -> None:
    platform.lines = [FAILED, PLAIN]
    result = atlas("logs", "--agent", "hello", "--task", TASK, "--level", "info", "--grep", "x", "--utc")
    fine, failed, *traceback = printed(result).splitlines()
    assert fine == f"2026-11-22T19:29:08.123Z  info      ada/hello app.db  fine  task={TASK}  attempt=2"
    assert failed.endswith(
        f'error     ada/hello app.db  no \ufffd[31mluck\ufffd  order=4711  city="New York"  task={TASK}  attempt=2'
    )
    assert traceback == ["  Traceback …", "  ValueError: no"]
    assert "3 lines of ada/hello were lost here" in result.stderr
    asked = platform.server.asked[-1].query
    assert {name: asked[name] for name in ("agent", "task", "level", "text")} == {
        "agent": "hello",
        "task": TASK,
        "level": "info",
        "text": "x",
    }


def test_a_level_has_its_colour_on_a_terminal_unless_none_is_wanted(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform.lines = [FAILED, PLAIN]
    fine, failed, *_ = printed(atlas("logs", screen=True)).splitlines()
    assert "\x1b" not in fine
    assert "\x1b[31merror   \x1b[0m  ada/hello" in failed
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in printed(atlas("logs", screen=True))


def test_as_json_it_is_a_line_each(platform: Platform) -> None:
    platform.lines = [FAILED, PLAIN]
    lines = [json.loads(line) for line in printed(atlas("logs", "--json")).splitlines()]
    assert [line["number"] for line in lines] == [1, 2]
    assert lines[1]["exception"] == FAILED["exception"]


def test_there_may_be_more_or_none(platform: Platform) -> None:
    assert "No lines like that are kept" in complained(atlas("logs"), 0)
    platform.lines = [PLAIN | {"number": n} for n in range(150, 0, -1)]
    result = atlas("logs", "--json")
    assert len(printed(result).splitlines()) == 100
    assert "`--last 1000` shows more" in result.stderr
    assert len(printed(atlas("logs", "-n", "7")).splitlines()) == 7


def test_it_goes_on_with_what_comes(platform: Platform) -> None:
    platform.streamed = [("line", PLAIN), ("skipped", {"lines": 5}), ("line", FAILED)]
    result = atlas("logs", "-f", "--agent", "hello")
    assert [line.split("  ")[1].strip() for line in result.stdout.splitlines() if "ada/hello" in line] == [
        "info",
        "error",
    ]
    assert "5 lines are left out here" in result.stderr
    assert "agent_not_found" in result.stderr or result.exit_code
    assert platform.server.asked[0].query["last"] == "100"
    assert "--until" in complained(atlas("logs", "-f", "--until", "1h"), 2)
