"""The events of a task as lines for people."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from msgspec import Raw

from agentic_atlas.platform.task.event_lines import MOST_LINE, MOST_TEXT, EventLine, characters, event_lines
from agentic_atlas.protocol.caller.tasks import EventInfo

START = datetime(2026, 11, 30, 12, tzinfo=UTC)


def lines(*events: tuple[str, object]) -> list[EventLine]:
    return event_lines(
        [
            EventInfo(
                seq=number,
                at=START + timedelta(seconds=number),
                kind=kind,
                attempt=1,
                data=Raw(msgspec.json.encode(data)),
            )
            for number, (kind, data) in enumerate(events, 1)
        ],
        START,
    )


@pytest.mark.parametrize(
    ("kind", "data", "text", "tone"),
    [
        ("state", {"state": "working", "attempt": 1}, "given to an instance, attempt 1", ""),
        ("state", {"state": "working", "attempt": 1, "accepted": True}, "runs, attempt 1", ""),
        ("state", {"state": "failed", "code": "late", "message": "x"}, "failed. late: x", "bad"),
        ("state", {"state": "completed", "attempt": 1}, "completed, attempt 1", "good"),
        ("progress", {"fraction": None, "message": "reading"}, "reading", ""),
        ("log", {"level": "error", "event": "no\u0007 map"}, "no\\u0007 map", "bad"),
        ("artifact", {"name": "a.png", "media_type": "image/png", "size": 1500}, "a.png (image/png, 1.5 KB)", ""),
        ("question", {"number": 1, "question": "Which?"}, "1. Which?", "warn"),
        ("answer", {"question": 1, "answer": "red", "by": "ada"}, "1. red (by ada)", ""),
        ("answer", {"question": 1, "expired": True}, "1. nobody answered in time", "bad"),
        ("connection", {"connection": "lost", "why": "cut"},
         "lost: it was cut, or the process was killed; the attempt is kept for its instance", "warn"),
        ("connection", {"connection": "lost", "why": "silent", "seconds": 31},
         "lost: the instance was not heard any more, for 31 s by now; the attempt is kept for its instance", "warn"),
        ("connection", {"connection": "resumed", "seconds": 2.1}, "resumed after 2.1 s", ""),
        ("connection", {"connection": "resumed"}, "resumed on a new connection, before the cut was noticed", ""),
        ("state", {"state": "submitted", "attempt": 1, "returned": "draining"},
         "given back: the instance is about to end", "warn"),
        ("later", {"a": 1}, '{"a":1}', ""),
        ("log", ["of another shape"], "", ""),
    ],
)  # fmt: skip
def test_an_event_says_what_happened(kind: str, data: object, text: str, tone: str) -> None:
    (line,) = lines((kind, data))
    assert (line.text, line.tone, line.since) == (text, tone, "+1 s")


def test_a_state_is_told_by_the_one_before_it() -> None:
    states = [{"state": one} for one in ("submitted", "working", "input_required", "working", "submitted")]
    assert [line.text for line in lines(*(("state", one) for one in states))] == [
        "submitted", "given to an instance", "waits for a person", "goes on", "waits for another attempt",
    ]  # fmt: skip


def test_pieces_of_an_output_that_follow_each_other_are_one() -> None:
    found = lines(
        ("chunk", {"value": "Hel"}),
        ("chunk", {"value": "lo\n"}),
        ("log", {"event": "x"}),
        ("chunk", {"value": {"a": 1}}),
    )
    assert [(line.kind, line.text, line.seq, line.last) for line in found] == [
        ("output", "Hello", 1, 2), ("log", "x", 3, 3), ("output", '{"a":1}', 4, 4),
    ]  # fmt: skip


def test_a_line_of_a_log_has_fields_and_a_progress_how_far_it_is() -> None:
    log, progress = lines(
        ("log", {"event": "x", "fields": {"n": 1, "s": "y" * 300}}), ("progress", {"fraction": 0.255})
    )
    assert [(name, value[:3], len(value)) for name, value in log.fields] == [("n", "1", 1), ("s", "yyy", 201)]
    assert progress.percent == 26


def test_what_is_long_is_cut_and_counted() -> None:
    (line,) = lines(("log", {"event": "x" * 5_000}))
    assert (len(line.text), line.left_out) == (MOST_LINE, 5_000 - MOST_LINE)


def test_of_events_whose_first_ones_are_not_there_nothing_wrong_is_told() -> None:
    later = EventInfo(seq=7, at=START, kind="state", attempt=1, data=Raw(b'{"state":"submitted","attempt":1}'))
    (line,) = event_lines([later], START)
    assert line.text == "waits for another attempt, attempt 1"


def test_all_events_of_a_page_together_are_bounded() -> None:
    assert [characters(number) for number in (1, 100, 500, 2_000)] == [MOST_LINE, MOST_LINE, 800, 200]
    fields = {f"name{number}": "\u202e" * 1_000 for number in range(12)}
    event = EventInfo(
        seq=1,
        at=START,
        kind="log",
        attempt=1,
        data=Raw(msgspec.json.encode({"event": "\u202e" * 9_000, "fields": fields})),
    )
    few, many = (event_lines([event] * number, START, characters(number)) for number in (100, 2_000))
    for shown in (few, many):
        assert sum(len(one.text) + sum(map(len, sum(one.fields, ()))) for one in shown) <= 4 * MOST_TEXT
    assert many[0].left_out == 9_000 - 200
