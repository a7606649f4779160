"""What the network is doing, as Prometheus reads it: made anew for each scrape from what is known anyway."""

from collections.abc import Iterator, Sequence

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector

from agentic_atlas.backend.usecases.system import Figures, TokenEnd, TokensInUse

MEDIA_TYPE = CONTENT_TYPE_PLAIN_0_0_4


class _Network(Collector):
    def __init__(self, figures: Figures, in_use: TokensInUse) -> None:
        self._figures = figures
        self._in_use = in_use

    def collect(self) -> Iterator[Metric]:
        """Return what is so at this moment."""
        tasks = GaugeMetricFamily("atlas_open_tasks", "Tasks that have not ended.", labels=["state"])
        for state, count in self._figures.open_tasks.items():
            tasks.add_metric([state.value], count)
        yield tasks
        violated = GaugeMetricFamily(
            "atlas_invariants_violated", "Violations of an invariant at present.", labels=["invariant"]
        )
        ever = CounterMetricFamily(
            "atlas_invariant_violations", "Violations of an invariant since the start.", labels=["invariant"]
        )
        for invariant, count in self._figures.lasting.items():
            violated.add_metric([invariant.value], count)
        for invariant, count in self._figures.ever.items():
            ever.add_metric([invariant.value], count)
        yield violated
        yield ever
        yield GaugeMetricFamily(
            "atlas_oldest_result_seconds",
            "For how long a connected agent has kept its oldest result.",
            self._figures.oldest_result,
        )
        yield from self._tokens()

    def _tokens(self) -> Iterator[Metric]:
        tokens = GaugeMetricFamily(
            "atlas_tokens_in_use",
            "Tokens that agents are connected with, by how soon they end and whether their agents may renew them.",
            labels=["expires", "renewable"],
        )
        for (expires, renewable), count in self._in_use.ending.items():
            tokens.add_metric([expires.value, "yes" if renewable else "no"], count)
        yield tokens
        if self._in_use.next_expiry is not None:
            yield GaugeMetricFamily(
                "atlas_token_expiry_seconds",
                "Time until the first of the tokens ends that agents are connected with.",
                self._in_use.next_expiry,
            )


class _Agents(Collector):
    def __init__(self, ends: Sequence[TokenEnd]) -> None:
        self._ends = ends

    def collect(self) -> Iterator[Metric]:
        """Return what is so at this moment."""
        seconds = GaugeMetricFamily(
            "atlas_agent_token_expiry_seconds",
            "Time until the first of the tokens ends that the agent is connected with.",
            labels=["agent", "renewable"],
        )
        for end in self._ends:
            seconds.add_metric([end.agent, "yes" if end.renewable else "no"], end.seconds)
        yield seconds


def exposition(figures: Figures, in_use: TokensInUse) -> bytes:
    """Return figures in the text format, and those of tokens."""
    return _written(_Network(figures, in_use))


def of_agents(ends: Sequence[TokenEnd]) -> bytes:
    """Return in the same format when the tokens of agents end."""
    return _written(_Agents(ends))


def _written(collector: Collector) -> bytes:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(collector)
    return generate_latest(registry)
