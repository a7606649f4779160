from __future__ import annotations

from typing import Any

from agentic_atlas.protocol.messages import RunningAttempt
from agentic_atlas.router.leases import Leases

A, B = RunningAttempt("task_a", 1), RunningAttempt("task_b", 2)


def lost(leases: Leases, *when: Any, **more: Any) -> list[RunningAttempt]:
    """Return the attempts whose lease has run out."""
    return [one.attempt for one in leases.expired(*when, **more)]


def test_what_a_live_connection_holds_never_runs_out() -> None:
    leases = Leases()
    leases.hold(A, "inst", 1, "tok")
    assert lost(leases, 1e12) == []
    assert (leases.holder(A), leases.instance(A)) == (1, "inst")


def test_after_the_end_of_a_connection_its_attempts_run_out_at_the_time_given_and_once() -> None:
    leases = Leases()
    leases.hold(A, "inst", 1, "tok")
    leases.hold(B, "inst", 2, "tok")
    leases.departed(1, 30.0)
    assert leases.holder(A) is None
    assert lost(leases, 29.9) == []
    assert lost(leases, 30.0) == [A]
    assert lost(leases, 31.0) == []
    assert (leases.instance(A), leases.holder(B)) == (None, 2)


def test_the_end_of_an_older_connection_does_not_touch_what_its_successor_holds() -> None:
    leases = Leases()
    leases.hold(A, "inst", 1, "tok")
    leases.hold(A, "inst", 2, "tok")
    leases.departed(1, 0.0)
    assert lost(leases, 100.0) == []
    leases.departed(2, 130.0)
    leases.departed(1, 0.0)
    assert lost(leases, 129.0) == []


def test_an_instance_that_comes_back_holds_its_attempt_again() -> None:
    leases = Leases()
    leases.hold(A, "inst", 1, "tok")
    leases.departed(1, 30.0)
    leases.hold(A, "inst", 2, "tok")
    assert lost(leases, 100.0) == []


def test_an_attempt_that_was_dropped_is_never_lost() -> None:
    leases = Leases()
    leases.hold(A, "inst", 1, "tok")
    leases.keep(B, "inst", 10.0)
    leases.drop(A)
    leases.drop(B)
    leases.drop(RunningAttempt("nobody's", 1))
    leases.departed(1, 0.0)
    assert (lost(leases, 100.0), len(leases)) == ([], 0)


def test_attempts_of_an_earlier_process_wait_for_their_instance() -> None:
    leases = Leases()
    leases.keep(A, "inst", 30.0)
    leases.keep(B, "inst_2", 30.0)
    leases.hold(A, "inst", 1, "tok")
    assert lost(leases, 30.0) == [B]


def test_an_instance_that_is_being_let_in_has_a_little_more_time_and_no_other_has() -> None:
    leases = Leases()
    leases.keep(A, "inst", 30.0, token_id="tok")
    leases.keep(B, "inst_2", 30.0, token_id="tok")
    assert lost(leases, 31.0, {("inst", "tok")}, 12.0) == [B]
    assert lost(leases, 42.0, {("inst", "tok")}, 12.0) == [A]


def test_who_names_an_instance_of_another_token_puts_nothing_off() -> None:
    leases = Leases()
    leases.hold(A, "inst", 1, "tok")
    leases.departed(1, 30.0)
    assert leases.prolong({("inst", "tok_2"), ("inst", "")}, 60.0, 300.0) == set()
    assert lost(leases, 30.0, {("inst", "tok_2")}, 12.0) == [A]


def test_what_an_instance_left_is_put_off_for_its_own_token_up_to_a_limit() -> None:
    leases = Leases()
    leases.keep(A, "inst", 30.0, token_id="tok")
    for until in (60.0, 90.0, 120.0):
        assert leases.prolong({("inst", "tok")}, until, 70.0) == {"inst"}
    assert lost(leases, 99.9) == []
    assert lost(leases, 100.0) == [A]


def test_time_that_is_forgiven_does_not_count() -> None:
    leases = Leases()
    leases.keep(A, "inst", 30.0)
    leases.hold(B, "inst", 1, "tok")
    leases.forgive(100.0)
    assert lost(leases, 129.0) == []
    assert lost(leases, 130.0) == [A]


def test_two_attempts_of_one_task_are_two_leases() -> None:
    leases = Leases()
    leases.hold(RunningAttempt("task", 1), "inst", 1, "tok")
    leases.hold(RunningAttempt("task", 2), "inst_2", 2, "tok")
    leases.departed(1, 0.0)
    assert lost(leases, 0.0) == [RunningAttempt("task", 1)]
    assert leases.holder(RunningAttempt("task", 2)) == 2
