from __future__ import annotations

import msgspec

from agentic_atlas.protocol.messages import Caller, Task
from agentic_atlas.router.delivery import BEATS_MISSED, Deliveries, to_send
from agentic_atlas.router.presence import Attempt

A, B = Attempt("task_a", 1), Attempt("task_b", 1)


def task(name: str, number: int = 1) -> Task:
    return Task(name, number, "echo", msgspec.Raw(b"{}"), Caller("user", "usr"), "", 0.0)


def test_a_slot_is_taken_from_the_reservation_to_the_end() -> None:
    deliveries = Deliveries()
    deliveries.reserve()
    assert deliveries.in_flight == 1
    deliveries.release()
    assert deliveries.begin(A)
    assert deliveries.in_flight == 1
    assert deliveries.end(A)
    assert deliveries.in_flight == 0


def test_a_slot_is_freed_once() -> None:
    deliveries = Deliveries()
    deliveries.begin(A)
    assert deliveries.end(A)
    assert not deliveries.end(A)
    deliveries.release()
    assert deliveries.in_flight == 0


def test_an_attempt_takes_one_slot_however_often_it_is_delivered() -> None:
    deliveries = Deliveries()
    assert deliveries.begin(A)
    assert not deliveries.begin(A)
    assert deliveries.in_flight == 1


def test_the_end_of_an_attempt_that_was_never_here_frees_nothing() -> None:
    deliveries = Deliveries()
    deliveries.begin(A)
    assert not deliveries.end(Attempt("task_a", 2))
    assert deliveries.in_flight == 1


def test_what_the_agent_announced_is_not_sent_again_and_nothing_twice() -> None:
    held, meanwhile = [task("a"), task("b")], [task("b"), task("c", 2), task("a", 2)]
    sent = to_send([*held, *meanwhile], {Attempt("a", 1)})
    assert [(one.task, one.attempt) for one in sent] == [("b", 1), ("c", 2), ("a", 2)]


def test_an_attempt_is_unheard_when_several_beats_in_a_row_leave_it_out() -> None:
    deliveries = Deliveries()
    for one in (A, B):
        deliveries.begin(one)
    for _ in range(BEATS_MISSED - 1):
        deliveries.named({A})
    assert deliveries.unheard == []
    deliveries.named({A, B})
    for _ in range(BEATS_MISSED - 1):
        deliveries.named({A})
    assert deliveries.unheard == []
    deliveries.named({A})
    assert deliveries.unheard == [B]
    deliveries.end(B)
    assert deliveries.unheard == []
