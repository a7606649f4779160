"""What became of tasks, for people and for machines."""

from __future__ import annotations

import json

from tests.integration.cli.commands import atlas, complained, printed
from tests.integration.cli.platform_server import AT, Platform

TOTAL = {"completed": 9, "failed": 1, "canceled": 2, "success_rate": 0.9, "p50": 0.25, "p95": 1.5, "p99": 61.0}


def test_counts_are_shown_with_what_fails_and_who_asks_whom(platform: Platform) -> None:
    platform.statistics = {
        "since": AT,
        "until": "2026-11-22T19:39:08.123Z",
        "total": TOTAL,
        "skills": [{"agent": "ada/hello", "skill": "greet", "completed": 9, "failed": 1, "success_rate": 0.9}],
        "failures": [{"agent": "ada/hello", "skill": "greet", "code": "timeout", "tasks": 1}],
        "callers": [{"caller_kind": "agent", "caller": "ada/poet", "agent": "ada/hello", "tasks": 12}],
        "waiting": 3,
        "running": 4,
    }
    lines = [line.split() for line in printed(atlas("stats", "--agent", "hello", "--since", AT)).splitlines()]
    assert lines[1] == ["ended", "12", "tasks,", "1.2", "a", "minute"]
    assert lines[2] == ["success", "90.0", "%"]
    assert lines[3] == ["took", "half", "250", "ms,", "95", "%", "1.50", "s,", "99", "%", "61.0", "s"]
    assert lines[4] == ["now", "3", "wait,", "4", "run"]
    assert ["ada/hello", "greet", "10", "90.0", "%"] in lines
    assert ["ada/hello", "greet", "timeout", "1"] in lines
    assert ["ada/poet", "ada/hello", "12"] in lines
    asked = platform.server.asked[-1].query
    assert asked["agent"] == "hello"
    assert asked["since"].startswith("2026-11-22T19:29:08")


def test_without_a_task_there_are_no_tables(platform: Platform) -> None:
    platform.statistics = {"since": AT, "until": AT}
    assert [line.split()[0] for line in printed(atlas("stats")).splitlines()] == ["since", "ended", "now"]
    assert json.loads(printed(atlas("stats", "--json")))["total"]["completed"] == 0
    assert "`soon` is no time" in complained(atlas("stats", "--since", "soon"), 2)
