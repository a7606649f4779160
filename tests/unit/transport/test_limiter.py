from __future__ import annotations

from agentic_atlas.transport.limiter import ConnectionLimiter


def test_connections_of_one_address_are_limited_and_others_are_not_touched() -> None:
    limiter = ConnectionLimiter(100, 2)
    for _ in range(2):
        limiter.enter("a")
    assert not limiter.full("a")
    limiter.enter("a")
    limiter.enter("b")
    assert (limiter.full("a"), limiter.full("b")) == (True, False)
    limiter.leave("a")
    assert not limiter.full("a")


def test_twice_the_limit_is_an_overrun() -> None:
    limiter = ConnectionLimiter(0, 2)
    for _ in range(4):
        limiter.enter("a")
    assert not limiter.overrun("a")
    limiter.enter("a")
    assert limiter.overrun("a")


def test_all_addresses_together_are_limited() -> None:
    limiter = ConnectionLimiter(3, 0)
    for number in range(4):
        limiter.enter(str(number))
    assert limiter.full("0")
    assert not limiter.overrun("0")


def test_zero_is_no_limit() -> None:
    limiter = ConnectionLimiter(0, 0)
    for _ in range(1000):
        limiter.enter("a")
    assert not limiter.full("a")


def test_an_address_without_connections_is_not_remembered() -> None:
    limiter = ConnectionLimiter(0, 1)
    for number in range(100):
        limiter.enter(str(number))
        limiter.leave(str(number))
    assert not limiter._by_address
