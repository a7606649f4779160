from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from agentic_atlas.cli.events import chunk_text, line, setbacks, summary
from agentic_atlas.cli.times import TimeFormat
from agentic_atlas.protocol.caller.tasks import EventInfo
from agentic_atlas.sdk.ledger.attempts import notice


def event(kind: str, data: dict[str, Any]) -> EventInfo:
    return EventInfo(seq=1, kind=kind, at=datetime(2026, 11, 22, 19, 29, 8, tzinfo=UTC), attempt=1, data=data)


@pytest.mark.parametrize(
    ("kind", "data", "expected"),
    [
        ("state", {"state": "working", "instance": "i1", "attempt": 1}, "working, on i1"),
        ("state", {"state": "working", "instance": "i1", "accepted": True}, "working, accepted by i1"),
        ("state", {"state": "working", "attempt": 3}, "working, attempt 3"),
        ("state", {"state": "failed", "code": "handler_error", "message": "boom"}, "failed (handler_error: boom)"),
        ("progress", {"fraction": 0.5, "message": "half way"}, "50% half way"),
        ("progress", {"fraction": None, "message": "soon"}, "soon"),
        ("chunk", {"value": "some text\n"}, "some text"),
        ("chunk", {"value": {"n": 1}}, '{"n": 1}'),
        (
            "log",
            {"level": "info", "event": "done", "fields": {"n": 3, "who": "Ada", "s": "a b"}},
            'info done n=3 who=Ada s="a b"',
        ),
        ("log", msgspec.json.decode(notice("4 events were left out")), "warning 4 events were left out"),
        ("artifact", {"name": "a.pdf", "media_type": "application/pdf", "size": 9}, "a.pdf (application/pdf, 9 bytes)"),
        (
            "question",
            {"number": 1, "question": "Which?", "schema": {"enum": ["red", 7]}, "timeout": 5},
            "1: Which? (one of: red, 7)",
        ),
        ("question", {"number": 2, "question": "Sure?"}, "2: Sure?"),
        ("answer", {"question": 1, "answer": "red", "by": "ada/laptop"}, '1: "red", by ada/laptop'),
        ("answer", {"question": 2, "expired": True}, "2: nobody answered in time"),
        ("new_kind", {"x": 1}, '{"x": 1}'),
    ],
)
def test_each_kind_of_event_is_one_short_text(kind: str, data: dict[str, Any], expected: str) -> None:
    assert summary(event(kind, data)) == expected


@pytest.mark.parametrize("kind", ["state", "progress", "chunk", "log", "artifact", "question", "answer"])
def test_an_event_without_its_data_is_shown_all_the_same(kind: str) -> None:
    assert isinstance(summary(event(kind, {})), str)


def test_a_line_begins_with_the_time_and_the_kind() -> None:
    shown = line(event("progress", {"fraction": 1}), TimeFormat(lambda: 0.0))
    assert shown.endswith(":08  progress  100%")


def test_text_streams_as_it_is_and_values_a_line_each() -> None:
    assert [chunk_text(value) for value in ("He", "llo", {"é": 1}, 3)] == ["He", "llo", '{"é": 1}\n', "3\n"]


def test_that_a_task_waits_again_and_that_it_goes_on_is_told_once_each() -> None:
    setback = setbacks()
    told = [
        setback(event(kind, data))
        for kind, data in [
            ("state", {"state": "submitted"}),
            ("state", {"state": "working", "attempt": 1}),
            ("state", {"state": "working", "attempt": 1, "accepted": True}),
            ("state", {"state": "submitted", "attempt": 1, "code": "agent_lost"}),
            ("state", {"state": "working", "attempt": 2}),
            ("state", {"state": "submitted", "attempt": 2, "code": "agent_lost"}),
            ("state", {"state": "working", "attempt": 3, "accepted": True}),
            ("log", {"state": "submitted", "code": "agent_lost"}),
            ("state", {"state": "completed", "attempt": 3}),
        ]
    ]
    assert [sentence for sentence in told if sentence] == [
        "The agent was lost: the task waits for it, or for another instance.",
        "It goes on: attempt 3.",
    ]


def test_a_task_that_was_given_back_before_it_began_is_no_news() -> None:
    assert setbacks()(event("state", {"state": "submitted", "attempt": 1, "instance": "i1"})) is None
