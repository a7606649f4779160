"""How long tasks took is known to within 5 %, of any number of them."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from agentic_atlas.backend.domain.statistics import beginning, ended, interval_of, percentile, seconds_of
from tests.conformance.store.samples import task


@pytest.mark.parametrize("seconds", [0.00011, 0.001, 0.0123, 1.0, 59.9, 3600.0, 30 * 86_400.0])
def test_a_duration_is_known_to_within_five_percent(seconds: float) -> None:
    assert seconds_of(interval_of(seconds)) == pytest.approx(seconds, rel=0.05)


def test_what_takes_no_time_or_less_is_counted_as_the_shortest() -> None:
    assert interval_of(0.0) == interval_of(-5.0) == interval_of(0.0001) == 0


def test_percentiles_are_those_of_the_durations_themselves_to_within_five_percent() -> None:
    chance = random.Random(7)
    durations = sorted(chance.lognormvariate(0, 2) for _ in range(1_000))
    counted = Counter(map(interval_of, durations))
    for part, place in ((0.5, 499), (0.95, 949), (0.99, 989), (1.0, 999)):
        assert percentile(counted, part) == pytest.approx(durations[place], rel=0.05)
    assert percentile(Counter(), 0.5) is None


def test_a_span_begins_where_its_seconds_are_whole() -> None:
    assert beginning(3_599.9, 60) == 3_540
    assert beginning(3_600.0, 3_600) == 3_600


def test_a_task_that_goes_on_is_not_counted() -> None:
    assert ended(task()) is None
