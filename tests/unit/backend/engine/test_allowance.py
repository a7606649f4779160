import pytest

from agentic_atlas.backend.engine.allowance import Allowance, Holders, neighbourhood, networks


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


def test_memory_is_bounded_and_the_oldest_makes_place_for_a_stranger() -> None:
    allowance = Allowance(1, 60.0, keys=100)
    for number in range(100):
        allowance.take(f"{number}", 0.0)
    assert allowance.wait("one more", 1.0) == 0.0
    allowance.take("one more", 1.0)
    assert len(allowance) == 100
    assert [allowance.wait(key, 1.0) for key in ("0", "1", "one more")] == [0.0, 59.0, 60.0]
    assert allowance.wait("one more", 61.0) == 0.0
    assert len(allowance) == 0


def test_where_it_is_known_who_holds_what_whoever_holds_most_makes_place() -> None:
    allowance = Allowance(1, 60.0, keys=10)
    allowance.take("ada", 0.0, networks("192.0.2.1"))
    for number in range(50):
        allowance.take(f"made up {number}", 1.0, networks(f"2001:db8:1:{number:x}::1"))
    assert len(allowance) == 10
    assert [allowance.wait(key, 1.0) for key in ("ada", "made up 40", "made up 41")] == [59.0, 0.0, 60.0]
    allowance.give_back("ada")
    allowance.take("made up 40", 1.0, networks("2001:db8:1:40::1"))
    assert allowance.wait("made up 41", 1.0) == 60.0


def test_of_the_largest_network_the_largest_part_makes_place_and_of_that_the_first() -> None:
    holders = Holders[str]()
    assert holders.first_of_the_largest() is None
    held = {
        "neighbour": "2001:db8:1:ff::1",
        "same customer": "2001:db8:1:1::1",
        "first": "2001:db8:1:2::1",
        "second": "2001:db8:1:2::2",
        "elsewhere": "2001:db8:2::1",
        "by its old address": "192.0.2.1",
    }
    for key, address in held.items():
        holders.put(key, networks(address))
    assert holders.first_of_the_largest() == "first"
    holders.put("first", networks(held["first"]))
    assert holders.first_of_the_largest() == "second"
    for key in held:
        holders.drop(key)
        holders.drop(key)
    assert (len(holders), holders.first_of_the_largest()) == (0, None)


@pytest.mark.parametrize(
    ("address", "inside"),
    [
        ("192.0.2.7", ("192.0.0.0/16", "192.0.2.0/24", "192.0.2.7/32")),
        ("::ffff:192.0.2.7", ("192.0.0.0/16", "192.0.2.0/24", "192.0.2.7/32")),
        ("2001:db8:1:2ab::1", ("2001:db8:1::/48", "2001:db8:1:200::/56", "2001:db8:1:2ab::/64")),
        ("", ("", "", "")),
    ],
)
def test_an_address_is_in_networks_that_one_site_one_customer_and_one_link_have(
    address: str, inside: tuple[str, ...]
) -> None:
    assert networks(address) == inside


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
