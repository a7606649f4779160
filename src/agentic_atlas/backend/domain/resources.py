"""What agents' processes took: figures of a minute, made of its beats, and of longer spans, made of those."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from agentic_atlas.backend.domain.statistics import DAY, HOUR, MINUTE
from agentic_atlas.protocol.inside.messages import Heard
from agentic_atlas.protocol.messages import Resources

MINUTES_KEPT: Final = DAY
"""Seconds for which what processes took is kept by the minute; less where that would be more than `MOST_KEPT` rows."""
HOURS_KEPT: Final = 30 * DAY
"""Seconds for which it is kept by the hour, likewise."""
MOST_KEPT: Final = 1_000_000
"""Rows of minutes, and of hours, that are kept at the most, some 150 MB each: a day of 690 processes."""


class SpanFigures(NamedTuple):
    """What a process with its children took in a span, and how its machine was; means, unless the name says otherwise.

    Percent of one core, but `machine_cpu`, which is of all cores; bytes; None: nobody knows.
    """

    cpu: float = 0.0
    cpu_most: float = 0.0
    memory: int = 0
    memory_most: int = 0
    machine_cpu: float = 0.0
    machine_memory: int = 0
    load: float = 0.0
    disk: int = 0
    open_files: int = 0
    threads: int = 0
    children: int = 0
    gpu: float | None = None
    gpu_memory: int = 0
    battery: float | None = None


class InstanceFigures(NamedTuple):
    """Those of one instance, in the span that begins then."""

    instance_id: str
    start: int
    figures: SpanFigures


_NOTHING: Final = Resources()


class MinuteSums:
    """The beats of one process since they were taken last: what it takes jumps about, so it is added up."""

    __slots__ = ("_beats", "_cpu", "_cpu_most", "_last", "_machine", "_memory", "_memory_most")

    def __init__(self) -> None:
        self._beats = 0
        self._cpu = self._cpu_most = self._machine = 0.0
        self._memory = self._memory_most = 0
        self._last = _NOTHING

    def add(self, said: Heard) -> None:
        """A beat came."""
        resources = self._last = said.resources or _NOTHING
        cpu, memory = said.cpu + resources.children_cpu, said.memory + resources.children_memory
        self._beats += 1
        self._cpu += cpu
        self._cpu_most = max(self._cpu_most, cpu)
        self._memory += memory
        self._memory_most = max(self._memory_most, memory)
        self._machine += resources.machine_cpu

    def figures(self) -> SpanFigures:
        """Return what they come to; of what hardly changes within a minute, as the last one said."""
        beats, last = self._beats or 1, self._last
        return SpanFigures(
            cpu=round(self._cpu / beats, 1),
            cpu_most=self._cpu_most,
            memory=self._memory // beats,
            memory_most=self._memory_most,
            machine_cpu=round(self._machine / beats, 1),
            machine_memory=last.memory_used,
            load=last.load,
            disk=last.disk_used,
            open_files=last.open_files,
            threads=last.threads,
            children=last.children,
            gpu=last.gpu,
            gpu_memory=last.gpu_memory_used,
            battery=last.battery,
        )


def together(spans: Sequence[SpanFigures]) -> SpanFigures:
    """Return the figures of all these spans, of which each counts as much: the highest of what is highest, else means.

    Of what nobody knows in some of them, the others count alone.
    """
    columns = {
        name: [one for one in values if one is not None]
        for name, *values in zip(SpanFigures._fields, *spans, strict=True)
    }
    found = {name: _one(name, values) for name, values in columns.items()}
    return SpanFigures(**found)  # type: ignore[arg-type]  # each as it was


def _one(name: str, values: Sequence[float]) -> float | None:
    if not values:
        return None
    found = max(values) if name in MOST else sum(values) / len(values)
    return round(found) if name in COUNTS else round(found, 2)


MOST: Final = frozenset({"cpu_most", "memory_most"})
"""SpanFigures of which the highest counts."""
COUNTS: Final = frozenset(name for name, kind in SpanFigures.__annotations__.items() if kind is int)
"""SpanFigures that are whole numbers."""


def kept_for(longest: int, span: int, processes: int) -> int:
    """Return for how many seconds spans are kept, when each of them has so many processes; two hours at the least."""
    return max(min(longest, MOST_KEPT // max(processes, 1) * span), 2 * HOUR)


def step_of(seconds: float) -> int:
    """Return the seconds of a point, for at most `MOST_POINTS` of them."""
    return next((step for step in _STEPS if seconds / step <= MOST_POINTS), _STEPS[-1])


MOST_POINTS: Final = 372
"""Points of a process in an answer."""
_STEPS: Final = (MINUTE, 5 * MINUTE, 15 * MINUTE, HOUR, 2 * HOUR)
