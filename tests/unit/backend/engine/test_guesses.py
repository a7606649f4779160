"""Whoever guesses is slowed down, and nobody else."""

from __future__ import annotations

from contextlib import suppress
from itertools import count

import pytest

from agentic_atlas.backend.engine.guesses import (
    ADDRESS_TRIES,
    BESIEGED_TRIES,
    SIEGE,
    SIEGE_WINDOW,
    TRIES,
    TRIES_WINDOW,
    Guesses,
)
from agentic_atlas.errors import Busy


def wrong(guesses: Guesses, times: int, place: str = "10.0.0.1", *, device: str = "", now: float = 0.0) -> None:
    for _ in range(times):
        guesses.begin("ada", place, device, now)


def test_an_account_has_so_many_tries_from_one_address_and_as_many_from_another() -> None:
    guesses = Guesses()
    wrong(guesses, TRIES)
    with pytest.raises(Busy) as refused:
        wrong(guesses, 1, now=1.0)
    assert (refused.value.code, refused.value.retry_after) == ("too_many_logins", TRIES_WINDOW - 1)
    wrong(guesses, TRIES, "10.0.0.2")
    guesses.begin("eve", "10.0.0.1", "", 1.0)
    wrong(guesses, 1, now=TRIES_WINDOW)


def test_tries_that_are_right_do_not_count() -> None:
    guesses = Guesses()
    for _ in range(5 * TRIES):
        guesses.begin("ada", "10.0.0.1", "", 0.0)
        guesses.right("ada", "10.0.0.1", "")


def test_a_thousand_at_once_are_not_one() -> None:
    guesses = Guesses()
    begun = 0
    for _ in range(1000):
        try:
            guesses.begin("ada", "10.0.0.1", "", 0.0)
        except Busy:
            continue
        begun += 1
    assert begun == TRIES


def test_a_browser_that_is_known_comes_in_beside_whoever_guesses_from_the_same_address() -> None:
    guesses = Guesses()
    wrong(guesses, TRIES)
    wrong(guesses, TRIES, device="d1")
    with pytest.raises(Busy):
        wrong(guesses, 1, device="d1")
    wrong(guesses, 1, device="d2")


def test_one_address_has_so_many_tries_at_whatever_accounts() -> None:
    guesses = Guesses()
    for number in range(ADDRESS_TRIES):
        guesses.begin(f"user{number}", "10.0.0.1", "", 0.0)
    with pytest.raises(Busy):
        guesses.begin("ada", "10.0.0.1", "", 0.0)
    guesses.begin("ada", "10.0.0.1", "d1", 0.0)
    guesses.begin("ada", "10.0.0.2", "", 0.0)


def test_whoever_makes_up_names_from_many_addresses_fills_the_room_of_nobody_else() -> None:
    guesses = Guesses(held=200)
    wrong(guesses, TRIES, "192.0.2.1")
    for number in range(1_000):
        guesses.begin(f"made up {number}", f"2001:db8:1:{number // 50:x}::1", "", 1.0)
    guesses.begin("eve", "198.51.100.1", "", 2.0)
    guesses.right("eve", "198.51.100.1", "")
    guesses.begin("eve", "198.51.100.1", "d1", 2.0)
    with pytest.raises(Busy):
        wrong(guesses, 1, "192.0.2.1", now=2.0)
    for number in range(ADDRESS_TRIES - 50):
        guesses.begin(f"more {number}", "2001:db8:1:13::1", "", 2.0)
    with pytest.raises(Busy):
        guesses.begin("one more", "2001:db8:1:13::2", "", 2.0)


@pytest.mark.parametrize("between", [2, 6, 12])
def test_whoever_fills_the_room_with_names_forgets_nothing_of_their_own_guesses_by_it(between: int) -> None:
    guesses, names, begun = Guesses(held=300), count(), 0
    for number in range(300):
        guesses.begin(f"made up {next(names)}", f"2001:db8:1:{number % 100:x}::1", "", 0.0)
    guessers = [f"2001:db8:1:{number:x}::1" for number in range(100, 110)]
    for place in guessers:
        with suppress(Busy):
            for turn in range(ADDRESS_TRIES):
                with suppress(Busy):
                    wrong(guesses, 1, place)
                    begun += 1
                # Its network holds most then, and what it held first would make place.
                if turn % 3 == 2:
                    for _ in range(between):
                        guesses.begin(f"made up {next(names)}", place, "", 0.0)
    assert begun <= SIEGE + BESIEGED_TRIES * len(guessers)


def test_an_account_that_is_tried_from_everywhere_has_fewer_tries_at_each_address_and_never_none() -> None:
    guesses = Guesses()
    for number in range(SIEGE):
        guesses.begin("ada", f"10.0.0.{number}", "", 0.0)
    wrong(guesses, BESIEGED_TRIES, "192.168.0.1", now=1.0)
    with pytest.raises(Busy):
        wrong(guesses, 1, "192.168.0.1", now=1.0)
    wrong(guesses, BESIEGED_TRIES, "192.168.0.2", now=1.0)
    wrong(guesses, TRIES, device="d1", now=1.0)
    guesses.begin("eve", "192.168.0.1", "", 1.0)
    wrong(guesses, TRIES, "192.168.0.3", now=2 * SIEGE_WINDOW)
