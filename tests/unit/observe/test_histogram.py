"""Counting by size, and telling few names apart."""

from __future__ import annotations

from agentic_atlas.observe.histogram import OTHER, Foremost, Histogram

INFINITE = float("inf")


def test_a_number_counts_up_to_the_first_bound_that_is_not_less() -> None:
    histogram = Histogram((1, 5))
    for number in (0.5, 1, 1.1, 5, 9):
        histogram.add(number)
    assert list(histogram.up_to()) == [(1, 2), (5, 4), (INFINITE, 5)]
    assert (len(histogram), histogram.total) == (5, 16.6)


def test_several_of_one_size_are_counted_at_once() -> None:
    histogram = Histogram((1, 5))
    histogram.add(2, 3)
    assert (list(histogram.up_to()), histogram.total) == ([(1, 0), (5, 3), (INFINITE, 3)], 6)


def test_names_beyond_the_first_few_are_one_and_keep_nobody_from_theirs() -> None:
    found = Foremost(lambda: Histogram((1,)), most=2)
    assert list(found) == []
    for name in ("a", "b", "c", "d", "a", OTHER):
        found.of(name, "x").add(1)
    assert {name: len(histogram) for name, histogram in found} == {("a", "x"): 2, ("b", "x"): 1, (OTHER, OTHER): 3}
