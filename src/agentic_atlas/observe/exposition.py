"""Samples in the text format of Prometheus."""

from collections.abc import Iterable, Iterator
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector

from agentic_atlas.observe.histogram import Histogram
from agentic_atlas.observe.series import Series, SeriesKind, SeriesSample

MEDIA_TYPE: Final = CONTENT_TYPE_PLAIN_0_0_4


def exposition(declared: Iterable[Series], samples: Iterable[SeriesSample]) -> bytes:
    """Return what these series are at this moment; of those without a sample, what they mean alone.

    Raises:
        KeyError: a sample is of none of them.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Samples(declared, samples))
    return generate_latest(registry)


class _Samples(Collector):
    def __init__(self, declared: Iterable[Series], samples: Iterable[SeriesSample]) -> None:
        self._found: dict[Series, list[SeriesSample]] = {series: [] for series in declared}
        for sample in samples:
            self._found[sample.series].append(sample)

    def collect(self) -> Iterator[Metric]:
        """Return them as the library has them."""
        for series, samples in self._found.items():
            yield _family(series, samples)


def _family(series: Series, samples: Iterable[SeriesSample]) -> Metric:
    if series.kind is SeriesKind.HISTOGRAM:
        histogram = HistogramMetricFamily(series.name, series.meaning, labels=series.labels)
        for sample in samples:
            assert isinstance(sample.value, Histogram)
            bounds = [(_bound(bound), so_many) for bound, so_many in sample.value.up_to()]
            histogram.add_metric(sample.labels, bounds, sample.value.total)
        return histogram
    made = CounterMetricFamily if series.kind is SeriesKind.COUNTER else GaugeMetricFamily
    family = made(series.name, series.meaning, labels=series.labels)
    for sample in samples:
        assert not isinstance(sample.value, Histogram)
        family.add_metric(sample.labels, sample.value)
    return family


def _bound(number: float) -> str:
    return "+Inf" if number == float("inf") else str(float(number))
