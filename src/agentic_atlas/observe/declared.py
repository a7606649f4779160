"""How a line of a log is declared: its name, how severe it is, what it means, and what it may say."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from string import Formatter
from typing import Final

IDS: Final[Mapping[str, str]] = {
    "agent": "id of the agent; in an agent's own log its name, until the router has said the id",
    "instance": "id of the instance: one process of an agent",
    "task": "id of the task",
    "attempt": "number of the attempt: which delivery of the task it is about",
    "trace": "id of the trace: what all tasks share that were called for one another",
}
"""Fields that every line may have, as far as they are known where it is written."""


@dataclass(frozen=True, slots=True)
class LogEvent:
    """A line of a log.

    Attributes:
        name: what stands in `event`, in the past and in `snake_case`.
        level: how severe it is.
        meaning: what happened, and what is to be done about it, if anything.
        fields: names of what else it says; what each means is in `events.FIELDS`.
        words: the sentence that a person reads in place of the name, with fields in braces; the field `message` is one
            that is made where it is logged.
        told: fields that are in the words.
    """

    name: str
    level: str
    meaning: str
    fields: tuple[str, ...] = ()
    words: str = ""
    told: frozenset[str] = frozenset()


def declared(level: str, *lines: tuple[str, str] | tuple[str, str, str] | tuple[str, str, str, str]) -> list[LogEvent]:
    """Return lines of one level: each is its name, its meaning, the names of its fields, and its words."""
    return [LogEvent(name, level, meaning, *_rest(rest)) for name, meaning, *rest in lines]


def _rest(given: list[str]) -> tuple[tuple[str, ...], str, frozenset[str]]:
    fields, words = [*given, "", ""][:2]
    return tuple(fields.split()), words, frozenset(name for _, name, _, _ in Formatter().parse(words) if name)


def by_name(*tables: Iterable[LogEvent]) -> Mapping[str, LogEvent]:
    """Return all of them by their names."""
    return {line.name: line for table in tables for line in table}
