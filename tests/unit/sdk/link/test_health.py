"""How late the handlers' loop is, when that matters, where it hangs, and a machine that slept."""

from __future__ import annotations

import subprocess
import threading

import pytest

from agentic_atlas.sdk.link.health import LOOK_EVERY, LoopLag, ProcessHealth, blocked, sleep_detector, where
from agentic_atlas.sdk.link.session import Backlog
from agentic_atlas.sdk.link.settings import Runtime, Timeouts
from agentic_atlas.sdk.resources.measuring import Sample
from agentic_atlas.sdk.resources.pausing import PauseRules
from tests.unit.sdk.memory_wire import Lines

PATIENCE = 10.0


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_one_question_at_a_time_and_the_lag_is_its_age() -> None:
    clock = Clock()
    lag = LoopLag(clock, 1, Timeouts())
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
    lag = LoopLag(clock, 1, Timeouts())
    question = lag.ask()
    lag.pong("something else")
    assert lag.thread_id == 1
    lag.pong(question)
    assert lag.thread_id == threading.get_ident()
    clock.now += 5.0
    lag.pong(question)
    assert lag.seconds() == 0.0


def test_only_crossings_and_a_first_moment_matter() -> None:
    clock = Clock()
    lag = LoopLag(clock, 1, Timeouts(lag=2.0, lag_again=30.0))
    seen: list[set[str]] = []

    def reads_at(now: float) -> None:
        clock.now = now
        lag.read()
        seen.append({name for name in ("crossed", "warns") if getattr(lag, name)})

    clock.now = 0.0
    question = lag.ask()
    for now in (0.1, 2.5, 3.5, 32.6):
        reads_at(now)
    lag.pong(question)
    lag.ask()
    for now in (32.6, 35.0, 62.6):
        reads_at(now)
    assert seen == [set(), {"crossed", "warns"}, set(), {"warns"}, {"crossed"}, {"crossed"}, {"warns"}]


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
        text = blocked(["translate", "summarise"], 2.34, ident)
    finally:
        leave.set()
        thread.join()
    assert "blocked for 2.3 s (translate, summarise running)" in text
    assert "test_health.py:" in text
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
    assert blocked([], 2.0, ident).count("no skill running") == 1


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


@pytest.mark.parametrize(
    ("wall", "monotonic", "slept"),
    [(1.0, 1.0, False), (3_600.0, 1.0, True), (-3_600.0, 1.0, True), (5.9, 1.0, False), (30.0, 30.0, True)],
)
def test_clocks_that_drift_apart_or_stand_still_are_noticed_once(wall: float, monotonic: float, slept: bool) -> None:
    look = sleep_detector(1_000.0, 50.0, jump=5.0)
    assert look(1_000.0 + wall, 50.0 + monotonic) is slept
    assert not look(1_001.0 + wall, 51.0 + monotonic)


def test_a_tick_asks_the_loop_one_question_and_warns_of_one_that_does_not_answer() -> None:
    clock, log, asked = Clock(), Lines(), []
    lag = LoopLag(clock, threading.get_ident(), Timeouts())
    runtime = Runtime(clock=clock, wall=clock)
    backlog = Backlog(most=10)
    health = ProcessHealth(
        lag, asked.append, lambda: ["translate"], backlog, timeouts=Timeouts(), runtime=runtime, log=log
    )
    health.tick()
    clock.now += 3.0
    health.tick()
    assert len(asked) == 1
    assert health.crossed
    (level, line, _) = log.lines[0]
    assert (level, "blocked for 3.0 s (translate running)" in line) == ("warning", True)
    backlog.hand(11)
    assert backlog.full
    lag.pong(asked[0])
    clock.now += 0.5
    health.tick()
    assert len(asked) == 2
    lag.pong(asked[1])
    health.tick()
    assert not backlog.full


def test_a_machine_that_slept_is_no_loop_that_hangs() -> None:
    clock, log = Clock(), Lines()
    lag = LoopLag(clock, 1, Timeouts())
    runtime = Runtime(clock=clock, wall=clock)
    health = ProcessHealth(lag, lambda _: None, list, Backlog(), timeouts=Timeouts(), runtime=runtime, log=log)
    health.tick()
    clock.now += 3_600.0
    health.tick()
    assert (health.slept, log.lines) == (True, [])


def test_a_limit_is_looked_at_every_other_second_and_told_of_once() -> None:
    clock, log = Clock(), Lines()
    memory = [10]

    def look() -> Sample:
        return Sample(at=clock.now, memory=memory[-1])

    runtime = Runtime(clock=clock, wall=clock, look=lambda _: look, pauses=PauseRules(memory_bytes=100))
    lag = LoopLag(clock, 1, Timeouts())
    health = ProcessHealth(lag, lag.pong, list, Backlog(), timeouts=Timeouts(), runtime=runtime, log=log)
    assert health.vitals().pause is None
    seen = []
    for taken, seconds in ((101, LOOK_EVERY), (101, LOOK_EVERY), (50, LOOK_EVERY / 2), (50, LOOK_EVERY / 2)):
        memory.append(taken)
        clock.now += seconds
        health.tick()
        seen.append((health.crossed, health.vitals().pause))
    assert seen == [(True, "memory"), (False, "memory"), (False, "memory"), (True, None)]
    assert [(level, "max_memory" in line) for level, line, _ in log.lines] == [("warning", True), ("info", False)]


def test_the_first_word_of_an_agent_in_its_quiet_hours_says_so() -> None:
    runtime = Runtime(clock=Clock(), wall=Clock(), pauses=PauseRules(quiet=((0, 24 * 60),)))
    health = ProcessHealth(
        LoopLag(Clock(), 1, Timeouts()), id, list, Backlog(), timeouts=Timeouts(), runtime=runtime, log=Lines()
    )
    assert health.vitals().pause == "quiet_hours"


def test_the_process_tells_what_it_takes_of_the_machine() -> None:
    runtime = Runtime(clock=Clock(), wall=Clock())
    health = ProcessHealth(
        LoopLag(Clock(), 1, Timeouts()), id, list, Backlog(), timeouts=Timeouts(), runtime=runtime, log=Lines()
    )
    vitals = health.vitals()
    assert vitals.memory > 1_000_000
    assert vitals.resources is not None
    assert vitals.resources.memory_total > vitals.memory
