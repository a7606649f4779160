"""What processes take, for people at a terminal and for programs: `atlas top`, and curves of one agent."""

from __future__ import annotations

import json
import os
import pty
import select
import subprocess
import sys
import time
from typing import Any

import pytest

from tests.integration.cli.commands import atlas, complained, printed
from tests.integration.cli.platform_server import AT, Platform

BUSY = {
    "id": "ins_1",
    "agent": "ada/hello",
    "host": "box",
    "slots": 8,
    "slots_used": 3,
    "cpu": 87.4,
    "memory": 9_000_000,
}
POINTS = [{"at": f"2026-11-22T19:2{minute}:00Z", "cpu": 10.0 * minute, "memory": 5_000_000} for minute in (6, 7, 9)]
HISTORY = {
    "agent": "ada/hello",
    "since": "2026-11-22T19:26:00Z",
    "until": AT,
    "step": 60,
    "instances": [{"id": "ins_1", "points": POINTS}],
}


@pytest.fixture(autouse=True)
def fleet(platform: Platform) -> None:
    platform.add_agent("hello", instances=[{"id": "ins_1", "online": True, "concurrency": 8, "holdup": "cpu"}])
    platform.fleet = {"processes": 2, "matching": 1, "slots": 8, "slots_used": 3, "cpu": 87.4, "items": [BUSY]}
    platform.history = HISTORY


def test_a_look_at_the_fleet_is_a_table_where_nobody_reads(platform: Platform) -> None:
    total, columns, row = printed(atlas("top", "hel", "--order", "memory")).splitlines()
    assert total == "processes: 1 of 2, slots: 3 of 8, waiting: 0, cpu: 0.9 cores, memory: 0 MB"
    assert columns.split()[0] == "AGENT"
    assert row.split()[:5] == ["ada/hello", "87", "%", "9", "MB"]
    assert platform.server.asked[-1].query == {"part": "hel", "order": "memory", "limit": "500"}
    assert "ada/hello" in printed(atlas("top", "--once", screen=True))
    assert json.loads(printed(atlas("top", "--json")))["items"][0]["agent"] == "ada/hello"
    assert "beauty" in complained(atlas("top", "--order", "beauty"), 2)


def test_an_agent_is_shown_with_curves_of_the_last_hour_and_why_it_takes_none(platform: Platform) -> None:
    shown = printed(atlas("agents", "show", "hello"))
    assert "over its max_cpu" in shown
    assert "▆▇ █ 90 %" in shown, "with a gap where it told nothing"
    platform.history = {}
    assert "▆" not in printed(atlas("agents", "show", "hello"))


def test_curves_of_other_times_and_the_same_for_programs(platform: Platform) -> None:
    (_, within, columns, row) = printed(atlas("agents", "resources", "hello", "--since", "12h")).splitlines()
    assert within.startswith("Within 4")
    assert columns.split() == ["INSTANCE", "CPU", "MEMORY", "MACHINE"]
    assert row.split()[0] == "ins_1"
    assert "since" in platform.server.asked[-1].query
    assert json.loads(printed(atlas("agents", "resources", "hello", "--json")))["step"] == 60
    platform.history = {"agent": "ada/hello"}
    nothing = atlas("agents", "resources", "hello")
    assert (printed(nothing), "Nothing is known" in nothing.stderr) == ("", True)


def test_on_a_terminal_keys_change_the_order_filter_and_end_it(platform: Platform) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "agentic_atlas", "top", "--every", "60"]
    environ: dict[str, Any] = {**os.environ, "TERM": "xterm", "COLUMNS": "80", "LINES": "24"}
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environ) as process:
        os.close(theirs)
        seen = ""

        def until(wanted: str) -> None:
            nonlocal seen
            ends = time.monotonic() + 30
            while wanted not in seen:
                assert select.select([ours], [], [], max(0.0, ends - time.monotonic()))[0], seen
                seen += os.read(ours, 65_536).decode()
            seen = seen.partition(wanted)[2]

        until("ada/hello")
        for key, wanted in (("m", "by memory"), ("/he", "filter: he_"), ("\r", "filter: he"), (" ", "paused")):
            os.write(ours, key.encode())
            until(wanted)
        os.write(ours, b"q")
        until("\x1b[?1049l")
        assert process.wait(20) == 0
        os.close(ours)
    assert {one.query["order"] for one in platform.server.asked} == {"cpu", "memory"}
