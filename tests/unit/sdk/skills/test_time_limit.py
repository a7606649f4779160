"""The time of an attempt: a timeout that stands still while a person is asked, a deadline that does not."""

from __future__ import annotations

from agentic_atlas.sdk.skills.time_limit import ServerClock, TimeLimit
from tests.unit.sdk.memory_wire import make_task


class Hands:
    """A clock that is put forward by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def limit(hands: Hands, *, timeout: float | None = None, **task: float) -> TimeLimit:
    clock = ServerClock(hands)
    clock.set(1000.0)
    return TimeLimit(clock, make_task("skill", **task), timeout)


def test_without_limits_nothing_is_ever_over() -> None:
    free = limit(Hands())
    assert (free.left, free.next()) == (None, None)


def test_the_tasks_timeout_goes_before_the_skills() -> None:
    hands = Hands()
    assert TimeLimit(ServerClock(hands), make_task("skill", timeout=3.0), 5.0).next() == (3.0, "timeout")
    assert TimeLimit(ServerClock(hands), make_task("skill"), 5.0).next() == (5.0, "timeout")


def test_whatever_is_over_first_counts() -> None:
    assert limit(Hands(), timeout=30.0, deadline=1010.0).next() == (10.0, "deadline_exceeded")
    assert limit(Hands(), timeout=5.0, deadline=1010.0).next() == (5.0, "timeout")


def test_the_timeout_stands_still_while_a_person_is_asked() -> None:
    hands = Hands()
    asking = limit(hands, timeout=10.0)
    hands.now = 4.0
    with asking.paused():
        assert asking.next() is None
        hands.now = 100.0
        assert asking.left == 6.0
        with asking.paused():
            hands.now = 200.0
        assert asking.next() is None
    assert (asking.left, asking.next()) == (6.0, (6.0, "timeout"))


def test_the_deadline_does_not() -> None:
    hands = Hands()
    asking = limit(hands, timeout=10.0, deadline=1050.0)
    with asking.paused():
        hands.now = 40.0
        assert asking.next() == (10.0, "deadline_exceeded")
        assert asking.left == 10.0


def test_a_step_of_the_servers_clock_changes_no_timeout() -> None:
    hands = Hands()
    clock = ServerClock(hands)
    clock.set(1000.0)
    asking = TimeLimit(clock, make_task("skill"), 10.0)
    clock.set(5000.0)
    assert asking.left == 10.0


def test_each_stop_and_each_start_is_told() -> None:
    told: list[object] = []
    asking = limit(Hands(), timeout=10.0)
    asking.changed = lambda: told.append(asking.next())
    with asking.paused():
        assert told == [None]
    assert told == [None, (10.0, "timeout")]


def test_the_servers_time_goes_on_with_the_monotonic_clock() -> None:
    ticks = iter([100.0, 103.5, 200.0, 201.0])
    clock = ServerClock(lambda: next(ticks))
    clock.set(1_700_000_000.0)
    assert clock.now() == 1_700_000_003.5
    clock.set(5.0)
    assert clock.now() == 6.0
