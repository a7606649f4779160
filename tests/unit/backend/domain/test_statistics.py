"""How long tasks took is known to within 5 %, of any number of them."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from agentic_atlas.backend.domain.statistics import (
    EVERYBODY,
    MOST,
    Ended,
    beginning,
    busiest,
    busiest_skills,
    by_scope,
    ended,
    interval_of,
    percentile,
    seconds_of,
)
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


def of_scope(agent_id: str, owner_id: str, skill: str = "search", state: str = "completed", took: int = 5) -> Ended:
    return Ended(agent_id, owner_id, skill, "user", owner_id, state, "" if state == "completed" else "timeout", took)


def test_counts_are_kept_for_everybody_for_each_agent_and_for_each_user_they_are_for() -> None:
    counts = {
        of_scope("agent_1", "user_1"): 2,
        of_scope("agent_1", "user_2", took=7): 1,
        of_scope("agent_2", "user_1"): 4,
    }
    found = by_scope(counts)
    assert {scope: one.times for scope, one in found.items()} == {
        EVERYBODY: {("", "completed", 5): 6, ("", "completed", 7): 1},
        "agent_1": {("", "completed", 5): 2, ("", "completed", 7): 1},
        "agent_2": {("", "completed", 5): 4},
        "user_1": {("agent_1", "completed", 5): 2, ("agent_2", "completed", 5): 4},
        "user_2": {("agent_1", "completed", 7): 1},
    }
    assert found["agent_1"].skills == {("agent_1", "search", "completed", ""): 3}
    assert found["user_1"].callers == {("user", "user_1", "agent_1"): 2, ("user", "user_1", "agent_2"): 4}


def test_of_many_skills_the_busiest_are_told_and_what_failed_is_not_hidden_by_what_completed() -> None:
    completed = {("agent_1", f"skill{number}", "completed", ""): 10 + number for number in range(2 * MOST)}
    failed = {("agent_1", f"skill{number}", "failed", "timeout"): 1 for number in range(3)}
    found = busiest_skills(Counter(completed | failed))
    assert failed.items() <= found.items()
    assert sorted(found.values())[-MOST:] == list(range(10 + MOST, 10 + 2 * MOST))
    assert len(found) == MOST + 3


def test_of_what_is_not_too_much_to_tell_nothing_is_left_out() -> None:
    few = Counter(dict.fromkeys(range(MOST), 1))
    assert busiest(few) == few
    assert len(busiest(few + Counter({-1: 2}))) == MOST
    assert busiest(few + Counter({-1: 2}))[-1] == 2
