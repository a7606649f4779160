from __future__ import annotations

import typing

import msgspec
import pytest

from agentic_atlas.protocol.messages import Caller, PauseReason, RefuseReason, RunningAttempt, Task, Verdict
from agentic_atlas.protocol.tasks import Holdup
from agentic_atlas.router.agent import BEATS_MISSED, AgentReadiness, Deliveries, to_send

A, B = RunningAttempt("task_a", 1), RunningAttempt("task_b", 1)


def task(name: str, number: int = 1) -> Task:
    return Task(name, number, "echo", msgspec.Raw(b"{}"), Caller("user", "usr"), "", 0.0)


def test_an_attempt_is_in_hand_from_its_delivery_to_its_end() -> None:
    deliveries = Deliveries()
    assert deliveries.begin(A)
    assert len(deliveries) == 1
    assert deliveries.end(A)
    assert len(deliveries) == 0


def test_a_slot_is_freed_once() -> None:
    deliveries = Deliveries([A])
    assert deliveries.end(A)
    assert not deliveries.end(A)


def test_an_attempt_takes_one_slot_however_often_it_is_delivered() -> None:
    deliveries = Deliveries([A])
    assert not deliveries.begin(A)
    assert len(deliveries) == 1


def test_the_end_of_an_attempt_that_was_never_here_frees_nothing() -> None:
    deliveries = Deliveries([A])
    assert not deliveries.end(RunningAttempt("task_a", 2))
    assert len(deliveries) == 1


def test_events_are_in_turn_from_the_last_that_is_stored_and_where_nothing_is_known_of_them() -> None:
    deliveries = Deliveries([A], [Verdict("task_a", 1, keep=True, n=4), Verdict("task_c", 1, keep=False, n=4)])
    deliveries.begin(B)
    assert [deliveries.in_turn(A, n) for n in (3, 5, 6)] == [True] * 3
    assert [deliveries.in_turn(B, n) for n in (1, 1, 3)] == [True, True, False]
    assert deliveries.in_turn(RunningAttempt("task_c", 1), 9), "it counts no more, whatever it says"
    deliveries.end(B)
    assert deliveries.in_turn(B, 9)


def test_what_the_agent_announced_is_not_sent_again_and_nothing_twice() -> None:
    held, meanwhile = [task("a"), task("b")], [task("b"), task("c", 2), task("a", 2)]
    sent = to_send([*held, *meanwhile], {RunningAttempt("a", 1)})
    assert [(one.task, one.attempt) for one in sent] == [("b", 1), ("c", 2), ("a", 2)]


def test_an_attempt_is_unheard_when_several_beats_in_a_row_leave_it_out() -> None:
    deliveries = Deliveries()
    for one in (A, B):
        deliveries.begin(one)
    for _ in range(BEATS_MISSED - 1):
        deliveries.named({A})
    assert deliveries.unheard == ()
    deliveries.named({A, B})
    for _ in range(BEATS_MISSED - 1):
        deliveries.named({A})
    assert deliveries.unheard == ()
    deliveries.named({A})
    assert deliveries.unheard == (B,)
    deliveries.end(B)
    assert deliveries.unheard == ()


def busy_for(readiness: AgentReadiness) -> int:
    """Say at 0 s that it is busy, and return when it wants new work again."""
    readiness.refused(RefuseReason.BUSY, 0.0)
    assert readiness.holdup is Holdup.REFUSED
    for seconds in range(100):
        readiness.tick(seconds)
        if readiness.holdup is None:
            return seconds
    raise AssertionError("it never does")


def test_an_instance_that_lags_wants_nothing_until_it_says_otherwise() -> None:
    readiness = AgentReadiness(max_lag=2.0, busy_pause=1.0)
    found = []
    for readiness.lag in (2.0, 2.1, 0.0):
        found.append(readiness.holdup)
    assert found == [None, Holdup.BLOCKED, None]


@pytest.mark.parametrize("pause", typing.get_args(PauseReason))
def test_an_instance_that_pauses_wants_nothing_until_it_says_otherwise(pause: PauseReason) -> None:
    readiness = AgentReadiness(max_lag=2.0, busy_pause=1.0)
    readiness.pause = pause
    assert readiness.holdup == pause
    readiness.refused(RefuseReason.BUSY, 0.0)
    assert readiness.holdup == pause
    readiness.lag = 2.1
    assert readiness.holdup is Holdup.BLOCKED
    readiness.lag, readiness.pause = 0.0, None
    assert readiness.holdup is Holdup.REFUSED


def test_one_that_is_busy_again_and_again_is_asked_seldom_until_it_takes_a_task() -> None:
    readiness = AgentReadiness(2.0, 1.0)
    assert [busy_for(readiness) for _ in range(7)] == [1, 2, 4, 8, 16, 30, 30]
    readiness.accepted()
    assert busy_for(readiness) == 1


def test_many_refusals_in_one_moment_are_one_pause() -> None:
    readiness = AgentReadiness(2.0, 1.0)
    for _ in range(7):
        readiness.refused(RefuseReason.BUSY, 0.0)
    assert busy_for(readiness) == 1


def test_a_draining_instance_wants_nothing_for_good() -> None:
    readiness = AgentReadiness(2.0, 1.0)
    readiness.refused(RefuseReason.DRAINING, 0.0)
    readiness.refused(RefuseReason.BUSY, 0.0)
    readiness.tick(100.0)
    assert readiness.holdup is Holdup.DRAINING


@pytest.mark.parametrize("reason", [RefuseReason.GUARD, RefuseReason.UNKNOWN_SKILL])
def test_a_refusal_of_one_task_says_nothing_of_others(reason: RefuseReason) -> None:
    readiness = AgentReadiness(2.0, 1.0)
    readiness.refused(reason, 0.0)
    assert readiness.holdup is None


def test_an_instance_says_the_weightiest_reason_for_which_it_wants_nothing() -> None:
    readiness = AgentReadiness(2.0, 1.0)
    readiness.refused(RefuseReason.BUSY, 10.0)
    assert readiness.holdup is Holdup.REFUSED
    readiness.lag = 2.1
    assert readiness.holdup is Holdup.BLOCKED
    readiness.draining = True
    assert readiness.holdup is Holdup.DRAINING
