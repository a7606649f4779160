"""What agents' processes and their machines take: now, and over time."""

from datetime import datetime
from typing import Literal, TypeAlias

from agentic_atlas.protocol.caller.values import Shown
from agentic_atlas.protocol.messages import Resources

ProcessOrder: TypeAlias = Literal["cpu", "memory", "slots", "waiting", "lag", "machine", "agent"]
"""By what processes are put in order: the most first, agents by their names."""


class ResourcePoint(Shown, frozen=True, kw_only=True):
    """What a process and its children took in a span of time, and how its machine was; means, unless said otherwise.

    Percent of one core, and bytes; null: nobody knows.
    """

    at: datetime
    """When the span begins."""
    cpu: float
    cpu_most: float
    """The highest of some ten seconds."""
    memory: int
    memory_most: int
    """The highest."""
    machine_cpu: float
    """Percent of all cores that somebody used."""
    machine_memory: int
    """That somebody used."""
    load: float
    disk: int
    """Of the disk that it works on, used."""
    open_files: int
    threads: int
    children: int
    gpu: float | None
    """Percent of the time in which the busiest GPU worked."""
    gpu_memory: int
    battery: float | None
    """Percent that were left."""


class InstanceResources(Shown, frozen=True, kw_only=True):
    """What one instance took over time."""

    id: str
    points: list[ResourcePoint]
    """The oldest first; none of spans in which it told nothing."""


class ResourceHistory(Shown, frozen=True, kw_only=True):
    """What an agent's instances took over time."""

    agent: str
    since: datetime
    until: datetime
    step: int
    """Seconds of a point: a minute, and more when it is of more than six hours."""
    instances: list[InstanceResources]
    """Those that were there lately first."""


class ProcessInfo(Shown, frozen=True, kw_only=True):
    """A process that is connected, with what it takes now; see `AgentInstance`."""

    id: str
    agent: str
    host: str
    pid: int
    slots_used: int
    slots: int
    waiting: int
    """Tasks that wait for a slot of its agent."""
    cpu: float | None
    """Percent of one core, its children included; null before its first beat."""
    memory: int | None
    """Bytes, likewise."""
    lag: float | None
    holdup: str | None
    resources: Resources | None


class Fleet(Shown, frozen=True, kw_only=True):
    """All processes that are connected, and those of them that were asked for."""

    at: datetime
    processes: int
    """All that may be seen with what they take: those of agents that whoever asks manages."""
    matching: int
    """Those of them that were asked for, of which `items` may be the first."""
    slots_used: int
    slots: int
    waiting: int
    cpu: float
    memory: int
    """Sums of all that match."""
    items: list[ProcessInfo]
