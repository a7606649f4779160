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
    assert lines[1].split() == ["ada/poet.write", "working", "0", "ms"]
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
    assert lines[2].split() == ["·", "connection", "cut", "resumed", "2.00", "s", "silent"]
    assert lines[3].split() == ["·", "connection", "cut", "cut", "cut"]
    assert "given back: draining" in lines[5]
    assert lines[7].split()[:6] == ["│", "·", "connection", "cut", "never", "resumed"]
