"""How late the handlers' loop is, when that matters, and where it hangs."""

from __future__ import annotations

import subprocess
import threading

from agentic_atlas.sdk.link.backlog import Backlog
from agentic_atlas.sdk.link.lag import Change, Lag, Threshold, warning, where

PATIENCE = 10.0


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_one_question_at_a_time_and_the_lag_is_its_age() -> None:
    clock = Clock()
    lag = Lag(clock, 1)
    assert lag.seconds() == 0.0
    question = lag.ask()
    clock.now += 3.0
    assert lag.ask() is None
    assert lag.seconds() == 3.0
    lag.pong(question)
    clock.now += 10.0
    assert lag.seconds() == 3.0, "the delay of the last answer"
    lag.pong(lag.ask())
    assert lag.seconds() == 0.0


def test_an_answer_tells_the_thread_and_counts_once() -> None:
    clock = Clock()
    lag = Lag(clock, 1)
    question = lag.ask()
    lag.pong("something else")
    assert lag.thread_id == 1
    lag.pong(question)
    assert lag.thread_id == threading.get_ident()
    clock.now += 5.0
    lag.pong(question)
    assert lag.seconds() == 0.0


def test_only_crossings_and_a_first_moment_matter() -> None:
    threshold = Threshold(2.0, again=30.0)
    readings = [(0.1, 0.0), (2.5, 1.0), (3.5, 2.0), (31.5, 31.0), (0.0, 32.0), (2.1, 40.0), (23.0, 62.0)]
    assert [threshold.read(lag, now) for lag, now in readings] == [
        Change(crossed=False, warn=False),
        Change(crossed=True, warn=True),
        Change(crossed=False, warn=False),
        Change(crossed=False, warn=True),
        Change(crossed=True, warn=False),
        Change(crossed=True, warn=False),
        Change(crossed=False, warn=True),
    ]


def in_thread(action: object, *arguments: object) -> tuple[threading.Thread, int]:
    thread = threading.Thread(target=action, args=arguments)  # type: ignore[arg-type]
    thread.start()
    assert thread.ident is not None
    return thread, thread.ident


def test_the_users_own_lines_are_named_not_those_of_the_library_that_waits() -> None:
    entered, leave = threading.Event(), threading.Event()

    def skill() -> None:
        entered.set()
        leave.wait(PATIENCE)

    thread, ident = in_thread(skill)
    entered.wait(PATIENCE)
    try:
        text = warning(["translate", "summarise"], 2.34, ident)
    finally:
        leave.set()
        thread.join()
    assert "blocked for 2.3 s (translate, summarise running)" in text
    assert "test_lag.py:" in text
    assert "in skill: leave.wait(PATIENCE)" in text
    assert "threading.py" not in text


def test_without_a_line_of_the_users_the_innermost_ones_are_named() -> None:
    process = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    thread, ident = in_thread(process.wait)
    try:
        text = where(ident)
    finally:
        process.communicate()
        thread.join()
    assert ".py:" in text
    assert warning([], 2.0, ident).count("no skill running") == 1


def test_a_thread_that_is_gone_is_said_to_be() -> None:
    thread, ident = in_thread(int)
    thread.join()
    assert where(ident) == "its thread has ended"


def test_what_was_handed_over_before_an_answered_question_has_been_taken() -> None:
    backlog = Backlog(most=10)
    backlog.hand(8)
    backlog.ask()
    backlog.hand(3)
    assert backlog.full
    backlog.ask()  # only asked when the one before was answered
    assert not backlog.full
    backlog.hand(8)
    assert backlog.full
