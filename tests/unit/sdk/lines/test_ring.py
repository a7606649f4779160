"""Lines are numbered, sent once each and again after a cut, and dropped ones are counted and told of."""

from __future__ import annotations

import threading

import msgspec

from agentic_atlas.protocol.messages import LINES_AT_ONCE, LogLine, Logs
from agentic_atlas.sdk.lines.line import fitting
from agentic_atlas.sdk.lines.ring import LogRing

FRAME = 64 * 1024


def add(ring: LogRing, *messages: str) -> list[bool]:
    return [ring.add(*fitting(LogLine(1.0, "info", message, "logging"))) for message in messages]


def said(logs: Logs | None) -> list[tuple[int, str]]:
    assert logs is not None
    return [(number, line.message) for number, line in enumerate(logs.lines, logs.first)]


def test_one_message_is_on_its_way_at_a_time_and_the_next_has_all_that_came_meanwhile() -> None:
    ring = LogRing()
    assert ring.next(FRAME) is None
    assert add(ring, "one", "two") == [True, False]
    assert said(ring.next(FRAME)) == [(1, "one"), (2, "two")]
    assert not ring.waiting
    assert add(ring, "three") == [True]
    assert ring.next(FRAME) is None
    assert ring.kept(2)
    assert said(ring.next(FRAME)) == [(3, "three")]
    assert ring.owed
    assert ring.kept(3)
    assert not ring.owed


def test_after_a_cut_the_same_lines_go_again_under_their_numbers() -> None:
    ring = LogRing()
    add(ring, "one", "two")
    sent = ring.next(FRAME)
    add(ring, "three")
    ring.again()
    assert ring.next(FRAME) == sent
    assert ring.next(FRAME) is None
    ring.kept(2)
    assert said(ring.next(FRAME)) == [(3, "three")]


def test_what_of_a_message_was_not_kept_goes_again_without_the_rest() -> None:
    ring = LogRing()
    add(ring, "one", "two", "three")
    ring.next(FRAME)
    assert not ring.kept(2)
    assert ring.waiting
    assert said(ring.next(FRAME)) == [(3, "three")]
    assert not ring.kept(0)
    assert said(ring.next(FRAME)) == [(3, "three")]
    assert ring.kept(3)
    assert ring.kept(3)


def test_with_too_many_the_oldest_are_dropped_and_a_line_in_their_place_says_how_many() -> None:
    ring = LogRing(most_lines=3)
    add(ring, "1", "2")
    assert said(ring.next(FRAME)) == [(1, "1"), (2, "2")]
    add(ring, *map(str, range(3, 9)))
    assert ring.dropped == 3
    ring.kept(2)
    logs = ring.next(FRAME)
    (number, about), *rest = said(logs)
    assert (number, rest) == (5, [(6, "6"), (7, "7"), (8, "8")])
    assert about.startswith("3 lines were dropped")
    assert logs is not None
    assert (logs.dropped, logs.lines[0].source) == (3, "agent")
    ring.kept(8)
    add(ring, "9")
    assert said(ring.next(FRAME)) == [(9, "9")]


def test_bytes_are_bounded_as_lines_are() -> None:
    ring = LogRing(most_bytes=10_000)
    add(ring, *("x" * 2_000 for _ in range(50)))
    assert ring.dropped == 46
    logs = ring.next(FRAME)
    assert logs is not None
    assert len(logs.lines) == 5


def test_a_message_has_no_more_lines_and_bytes_than_it_may() -> None:
    ring = LogRing()
    add(ring, *map(str, range(500)))
    logs = ring.next(FRAME)
    assert logs is not None
    assert len(logs.lines) == LINES_AT_ONCE
    long = LogRing()
    add(long, *("é" * 3_000 for _ in range(100)))
    sizes = []
    while (logs := long.next(FRAME)) is not None:
        sizes.append(len(msgspec.json.encode(logs)))
        long.kept(logs.first + len(logs.lines) - 1)
    assert max(sizes) <= FRAME
    assert len(sizes) < 12


def test_threads_that_log_at_once_lose_and_repeat_nothing() -> None:
    ring, kept = LogRing(), []
    threads = [
        threading.Thread(target=lambda name=name: add(ring, *(f"{name}.{n}" for n in range(500)))) for name in range(4)
    ]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads) or ring.owed:
        logs = ring.next(FRAME)
        if logs is not None:
            kept += said(logs)
            ring.kept(kept[-1][0])
    assert [number for number, _ in kept] == list(range(1, 2_001))
    assert {message for _, message in kept} == {f"{name}.{n}" for name in range(4) for n in range(500)}
    for name in range(4):
        own = [message for _, message in kept if message.startswith(f"{name}.")]
        assert own == [f"{name}.{n}" for n in range(500)]
