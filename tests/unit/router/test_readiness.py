from __future__ import annotations

import pytest

from agentic_atlas.protocol.messages import RefuseReason
from agentic_atlas.protocol.tasks import Holdup
from agentic_atlas.router.readiness import Readiness


def test_an_instance_that_lags_is_unwilling_until_it_says_otherwise() -> None:
    readiness = Readiness(max_lag=2.0, busy_pause=1.0)
    assert readiness.willing
    assert not readiness.lags(2.0)
    assert readiness.willing
    assert not readiness.lags(2.1)
    assert not readiness.willing
    assert readiness.lags(0.0)
    assert readiness.willing


def test_a_busy_instance_is_unwilling_for_a_pause() -> None:
    readiness = Readiness(2.0, 1.0)
    readiness.refused(RefuseReason.BUSY, 10.0)
    assert not readiness.willing
    assert not readiness.tick(10.9)
    assert readiness.tick(11.0)
    assert readiness.willing
    assert not readiness.tick(12.0)


def test_one_that_is_busy_again_and_again_is_asked_seldom_until_it_takes_a_task() -> None:
    readiness = Readiness(2.0, 1.0)
    pauses = []
    for _ in range(7):
        readiness.refused(RefuseReason.BUSY, 0.0)
        pauses.append(next(seconds for seconds in range(100) if readiness.tick(seconds)))
    assert pauses == [1, 2, 4, 8, 16, 30, 30]
    readiness.accepted()
    readiness.refused(RefuseReason.BUSY, 0.0)
    assert readiness.tick(1.0)


def test_many_refusals_in_one_moment_are_one_pause() -> None:
    readiness = Readiness(2.0, 1.0)
    for _ in range(8):
        readiness.refused(RefuseReason.BUSY, 0.0)
    assert readiness.tick(1.0)
    assert readiness.willing


def test_a_draining_instance_stays_unwilling() -> None:
    readiness = Readiness(2.0, 1.0)
    readiness.refused(RefuseReason.DRAINING, 0.0)
    readiness.refused(RefuseReason.BUSY, 0.0)
    assert not readiness.tick(100.0)
    assert not readiness.lags(0.0)
    assert not readiness.willing


@pytest.mark.parametrize("reason", [RefuseReason.GUARD, RefuseReason.UNKNOWN_SKILL])
def test_a_refusal_of_one_task_says_nothing_of_others(reason: RefuseReason) -> None:
    readiness = Readiness(2.0, 1.0)
    readiness.refused(reason, 0.0)
    assert readiness.willing


def test_an_instance_says_why_it_is_unwilling() -> None:
    readiness = Readiness(2.0, 1.0)
    assert readiness.holdup is None
    readiness.refused(RefuseReason.BUSY, 10.0)
    assert readiness.holdup is Holdup.REFUSED
    readiness.lags(2.1)
    assert readiness.holdup is Holdup.BLOCKED
    readiness.drains()
    assert readiness.holdup is Holdup.DRAINING
