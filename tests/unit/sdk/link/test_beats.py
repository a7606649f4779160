"""When a beat is due, and when the silence after it was too long."""

from __future__ import annotations

from agentic_atlas.sdk.link.beats import Beats
from agentic_atlas.sdk.link.settings import Timeouts

EVERY = 10.0


def beating(every: float = EVERY) -> Beats:
    """Return beats that began at 0 s, the first of which was sent then."""
    beats = Beats(Timeouts(), every, 0.0)
    assert beats.due(0.0)
    assert beats.next(0.0) == 1
    return beats


def test_the_next_beat_is_due_when_one_has_passed_since_the_last() -> None:
    beats = beating()
    assert not beats.due(9.9)
    assert beats.due(10.0)
    beats.next(12.0)
    assert not beats.due(21.9)


def test_a_router_that_wants_beats_all_the_time_gets_no_more_than_a_hundred_a_second() -> None:
    beats = beating(every=0.0)
    assert not beats.due(0.009)
    assert beats.due(0.01)


def test_an_answer_to_the_last_beat_ends_the_wait_and_one_to_an_earlier_beat_does_not() -> None:
    beats = beating()
    beats.next(10.0)
    beats.answer(1)
    assert (beats.sent, beats.answered) == (2, 1)
    assert beats.overdue(20.0, 0) is not None
    beats.answer(2)
    assert beats.overdue(1_000.0, 0) is None


def test_whatever_is_heard_is_no_silence() -> None:
    beats = beating()
    beats.heard(15.0)
    assert beats.overdue(34.9, 0) is None
    assert beats.overdue(35.0, 0) == "the router has not answered for 20.0 s"


def test_bytes_that_leave_are_a_sign_of_life_and_bytes_that_wait_are_none() -> None:
    beats = beating()
    assert beats.overdue(10.0, 1_000) is None
    assert beats.overdue(25.0, 999) is None
    assert beats.overdue(44.9, 999) is None
    assert beats.overdue(45.0, 999) is not None


def test_a_probe_is_decided_by_the_answer_to_the_next_beat() -> None:
    beats = beating()
    beats.begin_probe(100.0)
    assert beats.next(100.0) == 2
    beats.answer(1)
    assert beats.overdue(103.0, 0) is None
    assert beats.overdue(103.1, 0) == "the connection did not survive the sleep of this machine"
    beats.answer(2)
    assert beats.overdue(103.1, 0) is None


def test_a_probe_is_given_up_when_nothing_can_be_heard() -> None:
    beats = beating()
    beats.begin_probe(100.0)
    beats.next(100.0)
    beats.heard(110.0)
    beats.end_probe()
    assert beats.overdue(110.0, 0) is None
