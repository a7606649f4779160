"""By when something has to happen: the whole time, and for a body as much more as comes of it."""

from __future__ import annotations

from agentic_atlas.compose.deadline import BODY_BEGINS, BODY_WITHIN, SLOWEST_BODY, Deadline


def test_the_time_of_one_thing_is_not_given_again_while_it_goes_on() -> None:
    deadline = Deadline()
    assert deadline.due == float("inf")
    deadline.set(100.0, 10.0)
    deadline.keep(105.0, 10.0, 7)
    assert deadline.due == 110.0
    deadline.keep(105.0, 65.0, 0)
    assert deadline.due == 170.0
    deadline.anew()
    deadline.keep(106.0, 65.0, 0)
    assert deadline.due == 171.0


def test_a_body_has_a_while_and_then_a_second_for_each_kibibyte() -> None:
    deadline = Deadline()
    deadline.keep(100.0, BODY_WITHIN, 0)
    assert deadline.due == 100.0 + BODY_BEGINS
    deadline.keep(101.0, BODY_WITHIN, 5 * SLOWEST_BODY)
    assert deadline.due == 100.0 + BODY_BEGINS + 5
    deadline.keep(102.0, BODY_WITHIN, 1000 * SLOWEST_BODY)
    assert deadline.due == 100.0 + BODY_WITHIN


def test_that_a_body_is_waited_for_again_and_again_gives_it_no_more_time() -> None:
    deadline = Deadline()
    deadline.keep(100.0, BODY_WITHIN, 0)
    for second in range(1, 9):
        deadline.keep(100.0 + second, BODY_WITHIN, 1)
        deadline.wanted(100.0 + second)
    assert deadline.due < 100.0 + BODY_BEGINS + 1


def test_a_body_that_we_do_not_read_is_not_late() -> None:
    deadline = Deadline()
    deadline.keep(100.0, BODY_WITHIN, 0)
    deadline.held_up()
    assert deadline.due == 100.0 + BODY_WITHIN
    deadline.wanted(130.0)
    assert deadline.due == 130.0 + BODY_BEGINS
    deadline.held_up()
    deadline.wanted(155.0)
    assert deadline.due == 100.0 + BODY_WITHIN
    deadline.keep(130.0, BODY_WITHIN, 0)
    deadline.set(130.0, 10.0)
    deadline.wanted(135.0)
    assert deadline.due == 140.0
