import pytest

from agentic_atlas.backend.engine.allowance import Allowance, neighbourhood


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
