"""What is to be asked of whom, decided from the words of the question and from what the others say they have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from inquiry import sql
from inquiry.known import Library, TableList
from inquiry.questions import Question, split
from inquiry.reading import read
from inquiry.topics import Topic, only_of_machine, topics_of
from inquiry.wish import Wish
from inquiry.words import Word

MOST_HITS = 5
MOST_PROCESSES = 8
_MOST_TABLES = 2
"""Tables that are asked for one question, when they know equally much of it."""
_AS_GOOD = 0.001

When = Literal["when asked", "always", "never"]


class Source(StrEnum):
    """The three agents a report is made from."""

    DOCUMENTS = "documents"
    TABLES = "tables"
    MACHINE = "machine"


Agents = Mapping[Source, str]
"""The name of the agent for each source; empty when there is none."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What the caller lets be asked."""

    documents: bool = True
    tables: bool = True
    machine: When = "when asked"


@dataclass(frozen=True, slots=True)
class Known:
    """What the others say they have; None when they were not asked or did not answer."""

    library: Library | None = None
    tables: TableList | None = None


@dataclass(frozen=True, slots=True)
class MachineAsk:
    """A skill of the machine's agent, and what of its answer is wanted."""

    skill: str
    input: Mapping[str, str | int]
    topics: frozenset[Topic]


@dataclass(frozen=True, slots=True)
class Part:
    """What is asked for one question: documents when `search` is not empty, tables for each wish, the machine."""

    question: Question
    search: str = ""
    wishes: tuple[Wish, ...] = ()
    machine: tuple[MachineAsk, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """All of it. `left_out` counts questions beyond the most that are answered."""

    parts: tuple[Part, ...]
    left_out: int = 0


@dataclass(frozen=True)
class Ask:
    """One call that would be made. `question` is the number of the question it is for, from 1."""

    question: int
    agent: str
    skill: str
    input: dict[str, str | int]
    why: str


@dataclass(frozen=True)
class ToldPlan:
    """A plan as data for a caller."""

    questions: list[str]
    asks: list[Ask]
    remarks: list[str] = field(default_factory=list)


def make_plan(asked: str, scope: Scope, known: Known) -> Plan:
    """Decide who can contribute what to a question."""
    questions, left_out = split(asked)
    parts: list[Part] = []
    for question in questions:
        before = {ask.skill for part in parts for ask in part.machine}
        parts.append(_part(question, scope, known, before))
    return Plan(tuple(parts), left_out)


def tell(plan: Plan, agents: Agents, remarks: Sequence[str]) -> ToldPlan:
    """The plan with the calls it comes to, before it is known which words are values in a table."""
    asks = [ask for number, part in enumerate(plan.parts, start=1) for ask in _asks(number, part, agents)]
    return ToldPlan([part.question.text for part in plan.parts], asks, list(remarks))


def _part(question: Question, scope: Scope, known: Known, machine_before: set[str]) -> Part:
    words = question.words
    topics = _topics(words, scope)
    elsewhere = not (topics and only_of_machine(words))
    has_documents = known.library is not None and known.library.totals.files > 0
    return Part(
        question,
        search=question.search if has_documents and elsewhere else "",
        wishes=_wishes(words, known.tables) if known.tables is not None and elsewhere else (),
        machine=tuple(ask for ask in _machine(words, topics) if ask.skill not in machine_before),
    )


def _topics(words: Sequence[Word], scope: Scope) -> frozenset[Topic]:
    if scope.machine == "never":
        return frozenset()
    return topics_of(words) or (frozenset({Topic.HEALTH}) if scope.machine == "always" else frozenset())


def _wishes(words: Sequence[Word], known: TableList) -> tuple[Wish, ...]:
    """The tables that know most of the question, those that know equally much by name."""
    wishes = [wish for table in known.tables if (wish := read(words, table)) is not None]
    best = max((wish.fit for wish in wishes), default=0.0)
    return tuple(wish for wish in wishes if wish.fit >= best - _AS_GOOD)[:_MOST_TABLES]


def _machine(words: Sequence[Word], topics: frozenset[Topic]) -> list[MachineAsk]:
    asks = []
    state = topics - {Topic.PROCESSES, Topic.HEALTH}
    if Topic.HEALTH in topics:
        asks.append(MachineAsk("health", {}, frozenset({Topic.HEALTH})))
    if state or topics == {Topic.HEALTH}:
        asks.append(MachineAsk("overview", {}, state or frozenset(Topic)))
    if Topic.PROCESSES in topics or (state and any(word.key in ("what", "which", "who") for word in words)):
        by = "memory" if Topic.MEMORY in topics and Topic.CPU not in topics else "cpu"
        asks.append(MachineAsk("processes", {"sort_by": by, "limit": MOST_PROCESSES}, frozenset({Topic.PROCESSES})))
    return asks


def _asks(number: int, part: Part, agents: Agents) -> list[Ask]:
    asks = []
    if part.search:
        query: dict[str, str | int] = {"query": part.search, "limit": MOST_HITS}
        asks.append(Ask(number, agents[Source.DOCUMENTS], "search", query, "passages that answer the question"))
    for wish in part.wishes:
        asks += _table_asks(number, wish, agents[Source.TABLES])
    for ask in part.machine:
        why = f"the question is about the machine: {', '.join(sorted(ask.topics))}"
        asks.append(Ask(number, agents[Source.MACHINE], ask.skill, dict(ask.input), why))
    return asks


def _table_asks(number: int, wish: Wish, agent: str) -> list[Ask]:
    asks = []
    table = wish.query.table
    columns = sql.probed_columns(table.columns)
    if wish.values and columns:
        why = f"to see which of these words are values in `{table.name}`: {', '.join(wish.values)}"
        look = sql.probe(table.name, columns, wish.values)
        asks.append(Ask(number, agent, "query", {"sql": look, "limit": 1}, why))
    narrowed = ", narrowed to the values that are found" if asks else ""
    given: dict[str, str | int] = {"sql": sql.select(wish.query), "limit": wish.query.limit}
    return [*asks, Ask(number, agent, "query", given, f"{wish.query.told}{narrowed}")]
