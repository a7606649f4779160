from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from agentic_atlas.router.placement import Placement, free


@dataclass
class One:
    concurrency: int = 1
    in_flight: int = 0
    open: bool = True
    turn: int = 0


def test_the_lowest_load_is_chosen_in_proportion_to_the_concurrency() -> None:
    small, large = One(2, 1), One(10, 4)
    assert Placement().choose([small, large]) is large
    large.in_flight = 6
    assert Placement().choose([small, large]) is small


def test_equals_take_turns() -> None:
    placement, ones = Placement(), [One(10) for _ in range(4)]
    order = [ones.index(placement.choose(ones)) for _ in range(8)]  # type: ignore[arg-type]
    assert order == [0, 1, 2, 3, 0, 1, 2, 3]


def test_work_is_spread_evenly_when_each_choice_takes_a_slot() -> None:
    placement, ones = Placement(), [One(100) for _ in range(3)]
    for _ in range(30):
        chosen = placement.choose(ones)
        assert chosen is not None
        chosen.in_flight += 1
    assert Counter(one.in_flight for one in ones) == {10: 3}


def test_one_that_is_full_or_closed_to_work_is_never_chosen() -> None:
    full, closed, overfull = One(2, 2), One(2, open=False), One(2, 5)
    assert Placement().choose([full, closed, overfull]) is None
    assert [free(one) for one in (full, closed, overfull)] == [0, 0, 0]
    last = One(3, 2)
    assert Placement().choose([full, closed, last]) is last
    assert free(last) == 1


def test_of_nobody_nobody_is_chosen() -> None:
    assert Placement().choose([]) is None
