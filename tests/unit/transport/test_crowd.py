from __future__ import annotations

import asyncio
from typing import Any

from agentic_atlas.transport.crowd import Crowd


class One(asyncio.Transport):
    def __init__(self) -> None:
        self.cut = False

    def abort(self) -> None:
        self.cut = True


class Log:
    def __init__(self) -> None:
        self.lines: list[str] = []

    def warning(self, event: str, **facts: Any) -> None:
        self.lines.append(event)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def crowd(descriptors: int) -> tuple[Crowd, Log, Clock]:
    log, clock = Log(), Clock()
    return Crowd(descriptors, log, clock), log, clock  # type: ignore[arg-type]


def entered(crowd: Crowd, count: int, address: str) -> list[One]:
    some = [One() for _ in range(count)]
    for one in some:
        crowd.enter(one, address)
    return some


def test_strangers_of_one_address_have_a_limit_and_the_one_that_has_waited_longest_goes() -> None:
    at, log, _ = crowd(400)  # 300 besides those that are kept, a quarter of them for an address
    some = entered(at, 78, "a")
    assert [one.cut for one in some] == [True] * 3 + [False] * 75
    assert not any(one.cut for one in entered(at, 50, "b"))
    assert log.lines == []


def test_whoever_has_shown_who_they_are_counts_no_more_and_is_never_cut() -> None:
    at, _, _ = crowd(400)
    known = entered(at, 70, "a")
    for one in known:
        at.introduce(one)
        at.introduce(one)
    entered(at, 300, "a")
    assert not any(one.cut for one in known)


def test_when_descriptors_run_short_the_address_with_most_strangers_gives_way_and_one_line_says_so() -> None:
    at, log, clock = crowd(32)  # 24 besides those that are kept
    for one in entered(at, 18, "known"):
        at.introduce(one)
    many, few = entered(at, 4, "a"), entered(at, 2, "b")
    for number, address in enumerate("cde"):
        clock.now = number
        (newest,) = entered(at, 1, address)
        assert not newest.cut
        at.leave(many[number])
    assert [one.cut for one in many] == [True] * 3 + [False]
    assert not any(one.cut for one in few)
    assert log.lines == ["descriptors_used_up"]
    clock.now = 100.0
    entered(at, 1, "f")
    assert log.lines == ["descriptors_used_up"] * 2


def test_the_newest_goes_itself_when_nobody_else_is_a_stranger() -> None:
    at, _, _ = crowd(32)
    for one in entered(at, 6, "a") + entered(at, 6, "b") + entered(at, 6, "c") + entered(at, 6, "d"):
        at.introduce(one)
    assert entered(at, 1, "a")[0].cut


def test_nothing_is_remembered_of_those_who_left() -> None:
    at, _, _ = crowd(400)
    for number in range(100):
        for one in entered(at, 3, f"address {number}"):
            at.leave(one)
    assert (at._open, at._addresses, at._strangers) == (0, {}, {})


def test_a_strangers_first_turn_comes_at_once_and_the_others_of_all_strangers_one_after_the_other() -> None:
    at, _, clock = crowd(400)
    one, other, known = *entered(at, 1, "a"), *entered(at, 1, "b"), *entered(at, 1, "a")
    at.introduce(known)
    assert [at.turn(which) for which in (one, other, known, known)] == [0.0] * 4
    assert [round(at.turn(which), 6) for which in (one, other, known, one)] == [0.0, 0.001, 0.0, 0.002]
    clock.now += 10.0
    assert at.turn(other) == 0.0
    at.introduce(one)
    assert at.turn(one) == 0.0


def test_of_very_many_strangers_of_one_address_the_later_ones_wait_in_the_line_for_their_first_turn_too() -> None:
    at, _, clock = crowd(4_000)
    assert [at.turn(one) for one in entered(at, 51, "a")] == [0.0] * 51  # the line is empty
    one, other = entered(at, 2, "a")
    assert [round(at.turn(which), 6) for which in (one, other)] == [0.001, 0.002]
    assert at.turn(*entered(at, 1, "b")) == 0.0
    clock.now += 1.0
    at.turn(one)  # somebody waits already
    assert at.turn(*entered(at, 1, "a")) == 0.0
