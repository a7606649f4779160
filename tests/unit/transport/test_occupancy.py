from __future__ import annotations

from agentic_atlas.transport.occupancy import Occupancy


def test_connections_of_one_address_are_limited_and_others_are_not_touched() -> None:
    occupancy = Occupancy(100, 2)
    for _ in range(2):
        occupancy.enter("a")
    assert not occupancy.full("a")
    occupancy.enter("a")
    occupancy.enter("b")
    assert (occupancy.full("a"), occupancy.full("b")) == (True, False)
    occupancy.leave("a")
    assert not occupancy.full("a")


def test_twice_the_limit_is_an_overrun() -> None:
    occupancy = Occupancy(0, 2)
    for _ in range(4):
        occupancy.enter("a")
    assert not occupancy.overrun("a")
    occupancy.enter("a")
    assert occupancy.overrun("a")


def test_all_addresses_together_are_limited() -> None:
    occupancy = Occupancy(3, 0)
    for number in range(4):
        occupancy.enter(str(number))
    assert occupancy.full("0")
    assert not occupancy.overrun("0")


def test_zero_is_no_limit() -> None:
    occupancy = Occupancy(0, 0)
    for _ in range(1000):
        occupancy.enter("a")
    assert not occupancy.full("a")


def test_an_address_without_connections_is_not_remembered() -> None:
    occupancy = Occupancy(0, 1)
    for number in range(100):
        occupancy.enter(str(number))
        occupancy.leave(str(number))
    assert not occupancy._by_address
