"""Samples as Prometheus reads them."""

from __future__ import annotations

import pytest
from prometheus_client.parser import text_string_to_metric_families

from agentic_atlas.observe import series
from agentic_atlas.observe.exposition import exposition
from agentic_atlas.observe.histogram import Histogram
from agentic_atlas.observe.series import SeriesSample


def test_what_is_told_is_read_again_with_its_labels_however_odd() -> None:
    odd = 'say "no"\n\\'
    told = exposition(
        [series.TASKS_ENDED, series.QUEUES],
        [SeriesSample(series.QUEUES, 3), SeriesSample(series.TASKS_ENDED, 2, ("failed", odd))],
    )
    read = {
        (sample.name, sample.labels.get("state"), sample.labels.get("code")): sample.value
        for family in text_string_to_metric_families(told.decode())
        for sample in family.samples
    }
    assert read == {("atlas_queues", None, None): 3, ("atlas_tasks_ended_total", "failed", odd): 2}
    assert b"# TYPE atlas_tasks_ended_total counter\n" in told


def test_a_histogram_has_its_bounds_its_sum_and_its_count() -> None:
    histogram = Histogram((0.5, 1))
    histogram.add(0.7)
    told = exposition([series.LOOP_LAG], [SeriesSample(series.LOOP_LAG, histogram)])
    (family,) = text_string_to_metric_families(told.decode())
    assert (family.name, family.type) == ("atlas_loop_lag_seconds", "histogram")
    assert [(one.name.removeprefix(family.name), one.labels.get("le"), one.value) for one in family.samples] == [
        ("_bucket", "0.5", 0),
        ("_bucket", "1.0", 1),
        ("_bucket", "+Inf", 1),
        ("_count", None, 1),
        ("_sum", None, 0.7),
    ]


def test_nothing_is_told_that_is_not_declared() -> None:
    with pytest.raises(KeyError):
        exposition([series.QUEUES], [SeriesSample(series.LEASES, 1, ("held",))])
