"""The waits between two tries to connect."""

from __future__ import annotations

from math import inf

import hypothesis.strategies as st
import pytest
from hypothesis import given

from agentic_atlas.sdk.link.backoff import FIRST, LONGEST, MOST_ASKED, RESTART, Backoff, longest_after


def test_the_window_doubles_up_to_half_a_minute_and_stays_there() -> None:
    backoff = Backoff(lambda: 1.0)
    waits = [backoff.next() for _ in range(12)]
    assert waits == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30.0, 30.0, 30.0, 30.0]


def test_the_whole_window_is_jitter() -> None:
    assert Backoff(lambda: 0.0).next() == 0.0
    assert Backoff(lambda: 0.5).next() == FIRST / 2


def test_a_reset_begins_with_the_shortest_window() -> None:
    backoff = Backoff(lambda: 1.0)
    for _ in range(5):
        backoff.next()
    backoff.reset()
    assert backoff.next() == FIRST


@pytest.mark.parametrize(
    ("asked", "least"),
    [(None, 0.0), (0.0, 0.0), (-5.0, 0.0), (7.5, 7.5), (1e9, MOST_ASKED), (float("inf"), MOST_ASKED)],
)
def test_what_the_server_asks_for_is_the_least_and_has_a_bound(asked: float | None, least: float) -> None:
    assert Backoff(lambda: 0.0).next(asked) == least


@given(st.lists(st.floats(0, 1, exclude_max=True), min_size=1, max_size=50))
def test_no_wait_is_negative_or_longer_than_the_longest(jitters: list[float]) -> None:
    numbers = iter(jitters)
    backoff = Backoff(lambda: next(numbers))
    assert all(0.0 <= backoff.next() <= LONGEST for _ in jitters)


def test_while_a_grace_period_runs_the_windows_stay_at_a_small_part_of_it_and_then_grow() -> None:
    backoff = Backoff(lambda: 1.0)
    within = [backoff.next(longest=longest_after(20.0, 30.0)) for _ in range(8)]
    assert within == [0.2, 0.4, 0.8, 1.6, 3.2, 3.75, 3.75, 3.75]
    assert [backoff.next() for _ in range(4)] == [7.5, 15.0, 30.0, 30.0]


@pytest.mark.parametrize(
    ("away", "grace", "longest"),
    [
        (0.0, 30.0, 3.75),
        (29.0, 30.0, 3.75),
        (299.0, 30.0, 3.75),
        (0.0, 3.0, 0.375),
        (0.0, 0.1, FIRST),
        (3_000.0, 3600.0, 3.75),
        (0.0, inf, LONGEST),
    ],
)
def test_while_a_router_may_be_restarting_no_wait_keeps_an_agent_from_being_back_within_five_seconds(
    away: float, grace: float, longest: float
) -> None:
    assert longest_after(away, grace) == longest


@pytest.mark.parametrize(("grace", "longest"), [(30.0, 15.0), (2.0, 1.0), (0.1, FIRST), (3600.0, LONGEST)])
def test_an_agent_that_was_away_for_long_is_still_in_time_for_a_router_that_has_just_started(
    grace: float, longest: float
) -> None:
    assert longest_after(RESTART + grace, grace) == longest
