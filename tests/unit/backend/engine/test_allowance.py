import pytest

from agentic_atlas.backend.engine.allowance import Allowance, Pace, neighbourhood
from agentic_atlas.errors import Busy


def test_so_many_in_a_window_and_then_one_waits_until_the_first_is_over() -> None:
    allowance = Allowance(3, 60.0)
    for now in (0.0, 10.0, 20.0):
        assert allowance.wait("ada", now) == 0.0
        allowance.take("ada", now)
    assert allowance.wait("ada", 25.0) == 35.0
    assert allowance.wait("eve", 25.0) == 0.0
    assert allowance.wait("ada", 60.0) == 0.0


def test_no_window_of_time_ever_holds_more() -> None:
    allowance, done = Allowance(5, 60.0), []
    for second in range(600):
        if allowance.wait("ada", float(second)) == 0.0:
            allowance.take("ada", float(second))
            done.append(second)
    assert max(sum(start <= at < start + 60 for at in done) for start in range(600)) == 5


def test_memory_is_bounded_and_a_stranger_waits_while_it_is_full() -> None:
    allowance = Allowance(1, 60.0, keys=100)
    for number in range(100):
        allowance.take(f"{number}", 0.0)
    assert allowance.wait("one more", 1.0) > 0.0
    assert allowance.wait("one more", 60.0) == 0.0
    assert len(allowance) == 0


@pytest.mark.parametrize(
    ("address", "held_by_one"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("somewhere", "somewhere"),
    ],
)
def test_an_ipv6_network_counts_as_one(address: str, held_by_one: str) -> None:
    assert neighbourhood(address) == held_by_one


def test_a_user_may_ask_so_often_in_a_second_and_no_other_waits_for_them() -> None:
    now = [0.0]
    pace = Pace(3, lambda: now[0])
    for at in (0.0, 0.4, 0.8):
        now[0] = at
        pace.take("ada")
    with pytest.raises(Busy) as refused:
        pace.take("ada")
    assert refused.value.code == "too_many_requests"
    assert refused.value.retry_after == pytest.approx(0.2)
    pace.take("bob")
    now[0] = 1.0
    pace.take("ada")
