"""Which words are about the machine that the agents run on.

Many of them have another meaning ("the hiring process", "in memory of"), so one alone decides nothing unless it has no
other; two together do, or one and a word about a state ("how much memory is free").
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from inquiry.words import Word, among


class Topic(StrEnum):
    """What can be told of a machine."""

    CPU = "cpu"
    MEMORY = "memory"
    DISK = "disk"
    PROCESSES = "processes"
    HEAT = "heat"
    UPTIME = "uptime"
    HEALTH = "health"


_CERTAIN: dict[str, Topic] = {
    "cpu": Topic.CPU, "cpus": Topic.CPU, "loadavg": Topic.CPU, "ram": Topic.MEMORY, "swap": Topic.MEMORY,
    "uptime": Topic.UPTIME, "pid": Topic.PROCESSES,
}  # fmt: skip
_POSSIBLE: dict[str, Topic | None] = {
    "processor": Topic.CPU, "core": Topic.CPU, "load": Topic.CPU, "memory": Topic.MEMORY, "disk": Topic.DISK,
    "disc": Topic.DISK, "drive": Topic.DISK, "storage": Topic.DISK, "space": Topic.DISK, "process": Topic.PROCESSES,
    "program": Topic.PROCESSES, "temperature": Topic.HEAT, "hot": Topic.HEAT, "health": Topic.HEALTH,
    "healthy": Topic.HEALTH, "wrong": Topic.HEALTH, "slow": Topic.HEALTH, "machine": None, "computer": None,
    "server": None, "host": None, "laptop": None, "system": None,
}  # fmt: skip
_STATES = """
free used usage use uses using full left available running run runs busy now currently percent percentage low high
takes take consumes consuming eats average hungry ok okay okey idle
"""
_STATE = frozenset(_STATES.split())
_MEASURES = frozenset({"most", "highest", "lowest", "least", "top", "total"})


def topics_of(words: Sequence[Word]) -> frozenset[Topic]:
    """What of the machine a question is about; nothing for most questions."""
    certain = {_CERTAIN[word.key] for word in words if word.key in _CERTAIN}
    possible = [name for name in _POSSIBLE if any(not word.quoted and among(name, (word.key,)) for word in words)]
    states = any(word.key in _STATE for word in words)
    if not certain and not (possible and (states or len(possible) > 1)):
        return frozenset()
    found = certain | {topic for name in possible if (topic := _POSSIBLE[name]) is not None}
    return frozenset(found) or frozenset({Topic.HEALTH})


def only_of_machine(words: Sequence[Word]) -> bool:
    """Whether the question is about nothing else, so that no document and no table has to be asked."""
    about = _CERTAIN.keys() | _POSSIBLE.keys() | _STATE | _MEASURES
    return all(word.glue or among(word.key, about) for word in words)
