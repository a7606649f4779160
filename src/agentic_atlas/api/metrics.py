"""What the network is doing, as Prometheus reads it: made anew for each scrape from what is known anyway."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector

from agentic_atlas.backend.domain.invariants import Invariant
from agentic_atlas.backend.engine.engine import Engine

MEDIA_TYPE = CONTENT_TYPE_PLAIN_0_0_4


class _Network(Collector):
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def collect(self) -> Iterator[Metric]:
        """Return what is so at this moment."""
        tasks = GaugeMetricFamily("atlas_open_tasks", "Tasks that have not ended.", labels=["state"])
        for state, count in self._engine.dispatcher.census.states().items():
            tasks.add_metric([state.value], count)
        yield tasks
        findings = self._engine.monitor.findings
        violated = GaugeMetricFamily(
            "atlas_invariants_violated", "Violations of an invariant at present.", labels=["invariant"]
        )
        ever = CounterMetricFamily(
            "atlas_invariant_violations", "Violations of an invariant since the start.", labels=["invariant"]
        )
        for invariant, count in findings.now().items():
            violated.add_metric([invariant.value], count)
        for invariant in Invariant:
            ever.add_metric([invariant.value], findings.ever[invariant])
        yield violated
        yield ever
        oldest = max((seconds for _, seconds in self._engine.fleet.oldest_results()), default=0.0)
        yield GaugeMetricFamily(
            "atlas_oldest_result_seconds", "For how long a connected agent has kept its oldest result.", oldest
        )


def exposition(engine: Engine) -> bytes:
    """Return the metrics in the text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Network(engine))
    return generate_latest(registry)
