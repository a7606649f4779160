"""The trace of a task, for people and for machines."""

from __future__ import annotations

import json

from tests.integration.cli.commands import atlas, printed
from tests.integration.cli.platform_server import AT, Platform

LATER = "2026-11-22T19:29:10.123Z"
ONCE = {"number": 1, "instance_id": "i1", "host": "box", "began_at": AT, "accepted_at": AT, "ended_at": LATER}
CALLED = {"id": "t2", "agent": "ada/poet", "skill": "write", "state": "completed", "created_at": AT, "ended_at": LATER}


def test_each_task_is_below_the_one_that_called_it_with_why_it_was_tried_again(platform: Platform) -> None:
    lost = ONCE | {"end": "submitted", "error": {"code": "agent_lost", "message": "gone"}}
    platform.trace = {
        "trace_id": "ab" * 16,
        "tasks": [
            {"task": CALLED | {"id": "t1", "state": "working", "ended_at": None}, "depth": 0, "attempts": [ONCE]},
            {"task": CALLED, "depth": 1, "attempts": [lost, ONCE | {"number": 2, "end": "completed"}]},
        ],
        "more": True,
    }
    shown = atlas("trace", "t1")
    lines = printed(shown).splitlines()
    assert lines[1].split() == ["ada/poet.write", "working", "0", "ms", "run", "2.00", "s"]
    assert lines[2].startswith("└ ada/poet.write")
    assert lines[3].split()[:5] == ["│", "·", "attempt", "1", "submitted"]
    assert "agent_lost: gone" in lines[3]
    assert "completed" in lines[4]
    assert "older ones" in shown.stderr
    assert json.loads(printed(atlas("trace", "t1", "--json")))["more"] is True


def test_a_cut_of_its_connection_stands_below_the_attempt_with_what_came_of_it(platform: Platform) -> None:
    cut = {"began_at": AT, "ended_at": LATER, "resumed": True, "why": "silent"}
    away = cut | {"ended_at": None, "resumed": False, "why": "cut"}
    back = ONCE | {"end": "submitted", "returned": "draining"}
    platform.trace = {
        "trace_id": "ab" * 16,
        "tasks": [
            {"task": CALLED, "depth": 0, "attempts": [ONCE | {"cuts": [cut, away]}]},
            {"task": CALLED, "depth": 1, "attempts": [back, ONCE | {"number": 2, "cuts": [cut | {"resumed": False}]}]},
        ],
        "more": False,
    }
    lines = printed(atlas("trace", "t2")).splitlines()
    assert lines[2].split() == ["·", "connection", "cut", "resumed", "0", "ms", "2.00", "s", "silent"]
    assert lines[3].split() == ["·", "connection", "cut", "cut", "0", "ms", "cut"]
    assert "given back: draining" in lines[5]
    assert lines[7].split()[:6] == ["│", "·", "connection", "cut", "never", "resumed"]


def test_what_the_time_of_a_task_was_spent_on_is_told_of_all_its_attempts_together(platform: Platform) -> None:
    def at(seconds: float) -> str:
        return f"2026-11-22T19:30:{seconds:06.3f}Z"

    task = CALLED | {"created_at": at(0), "ended_at": at(10)}
    lost = ONCE | {"began_at": at(1), "accepted_at": at(1.2), "ended_at": at(4), "end": "submitted"}
    again = ONCE | {"number": 2, "began_at": at(4.5), "accepted_at": at(5), "ended_at": at(10), "end": "completed"}
    quick = ONCE | {"began_at": at(6.25), "accepted_at": at(6.5), "ended_at": at(6.5), "end": "completed"}
    platform.trace = {
        "trace_id": "ab" * 16,
        "tasks": [
            {"task": task, "depth": 0, "attempts": [lost, again]},
            {"task": task | {"created_at": at(6), "ended_at": at(6.5)}, "depth": 1, "attempts": [quick]},
            {"task": task | {"created_at": at(7), "ended_at": at(9)}, "depth": 1, "attempts": []},
        ],
        "more": False,
    }
    lines = printed(atlas("trace", "t2")).splitlines()
    assert "queue 1.50 s, link 700 ms, run 7.80 s" in lines[1]
    assert "link 200 ms, run 2.80 s" in lines[2]
    assert "link 500 ms, run 5.00 s" in lines[3]
    assert lines[4].split()[:8] == ["└", "ada/poet.write", "completed", "6.00", "s", "500", "ms", "queue"]
    assert "queue 250 ms, link and run 250 ms" in lines[4]
    assert lines[5].rstrip().endswith("queue 2.00 s")
