from hypothesis import given
from hypothesis import strategies as st

from agentic_atlas.alarms import Alarms


def test_alarms_are_due_in_their_order_and_once() -> None:
    alarms: Alarms[str] = Alarms()
    alarms.set("b", 2.0)
    alarms.set("a", 1.0)
    alarms.set("c", 3.0)
    assert alarms.due(2.0) == ["a", "b"]
    assert alarms.due(2.0) == []
    assert alarms.wait(2.5) == 0.5


def test_an_alarm_that_was_moved_or_cleared_does_not_ring_at_its_old_time() -> None:
    alarms: Alarms[str] = Alarms()
    alarms.set("moved", 1.0)
    alarms.set("moved", 5.0)
    alarms.set("cleared", 1.0)
    alarms.set("cleared", None)
    assert alarms.due(4.0) == []
    assert alarms.due(5.0) == ["moved"]


def test_all_alarms_come_earlier_when_the_clock_was_set_back() -> None:
    alarms: Alarms[str] = Alarms()
    alarms.set("a", 100.0)
    alarms.set("b", 50.0)
    alarms.set("b", 110.0)
    alarms.advance(30.0)
    assert alarms.due(69.0) == []
    assert alarms.wait(60.0) == 10.0
    assert alarms.due(80.0) == ["a", "b"]


def test_alarms_that_are_set_and_cleared_for_ever_leave_nothing_behind() -> None:
    alarms: Alarms[str] = Alarms()
    for number in range(100_000):
        alarms.set(str(number), 86_400.0)
        alarms.set(str(number), None)
    assert len(alarms) == 0
    assert len(alarms._heap) <= Alarms._SWEEP_ABOVE + 1


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.none() | st.integers(0, 9)), max_size=60), st.integers(0, 9))
def test_exactly_the_last_set_times_count(sets: list[tuple[str, int | None]], now: int) -> None:
    alarms: Alarms[str] = Alarms()
    last: dict[str, int | None] = {}
    for key, at in sets:
        alarms.set(key, at)
        last[key] = at
    expected = sorted((at, key) for key, at in last.items() if at is not None and at <= now)
    assert sorted(alarms.due(now)) == sorted(key for _, key in expected)
