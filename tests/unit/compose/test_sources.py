from __future__ import annotations

import socket

import pytest

from agentic_atlas.compose import sources
from agentic_atlas.compose.sources import Entropy, WallClock, machine_names, pacer


class Hands:
    """Two clocks that a test moves."""

    def __init__(self) -> None:
        self.wall = 1_000.0
        self.monotonic = 50.0
        self.jumps: list[float] = []
        self.clock = WallClock(lambda: self.wall, lambda: self.monotonic)
        self.clock.jumped = self.jumps.append

    def pass_(self, seconds: float, *, set_by: float = 0.0) -> float:
        self.wall += seconds + set_by
        self.monotonic += seconds
        return self.clock()


def test_time_that_passes_is_no_jump() -> None:
    hands = Hands()
    assert hands.pass_(0.1) == 1_000.1
    assert hands.pass_(86_400.0) == 87_400.1
    assert hands.jumps == []


def test_a_clock_that_is_set_is_told_before_anybody_gets_the_new_time() -> None:
    hands = Hands()
    hands.pass_(1.0, set_by=600.0)
    hands.pass_(1.0, set_by=-3_600.0)
    assert hands.jumps == [600.0, -3_600.0]


def test_a_slow_correction_is_followed_without_a_word_however_long_it_goes_on() -> None:
    hands = Hands()
    for _ in range(100):
        hands.pass_(10.0, set_by=0.005)
    assert hands.jumps == []
    hands.pass_(1.0, set_by=5.0)
    assert hands.jumps == [5.0]


def test_a_machine_is_found_by_its_name_and_by_multicast_dns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "box.home.example")
    assert machine_names() == ("box.home.example", "box.local")


def test_randomness_is_as_long_as_asked_for_and_never_given_twice() -> None:
    entropy = Entropy()
    drawn = [entropy(size) for size in (24, 10_000, *[24] * 500, 0)]
    assert list(map(len, drawn)) == [24, 10_000, *[24] * 500, 0]
    assert len(set(drawn)) == len(drawn)


def test_a_user_may_ask_so_often_in_a_second_after_twice_as_often_at_once_and_nobody_else_waits_for_them() -> None:
    pace = pacer(1)
    assert [pace("ada", 1) for _ in range(2)] == [0.0, 0.0]
    assert 0.5 < pace("ada", 1) <= 1.0
    assert pace("eve", 1) == 0.0


def test_more_than_may_ever_come_at_once_comes_when_all_of_that_may() -> None:
    pace = pacer(1)
    assert pace("ada", 100) == 0.0
    assert 1.5 < pace("ada", 100) <= 2.0


def test_what_is_kept_of_users_is_bounded_and_who_asked_least_recently_is_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sources, "_USERS", 2)
    pace = pacer(1)
    assert [pace(user, 2) for user in ("ada", "eve")] == [0.0, 0.0]
    assert pace("ada", 1) > 0.0
    assert pace("another", 1) == 0.0
    assert pace("ada", 1) > 0.0
    assert pace("eve", 1) == 0.0, "there was no more room"
