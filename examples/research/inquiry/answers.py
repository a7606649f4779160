"""Carrying out a plan: who has what, and the answers to each question."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import TypeAdapter

from inquiry import sql
from inquiry.ask import Asker, Failure
from inquiry.known import Health, Hits, Library, Overview, Processes, Rows, TableList
from inquiry.plan import MOST_HITS, Agents, Known, MachineAsk, Part, Scope, Source
from inquiry.query import Query
from inquiry.topics import Topic
from inquiry.wish import NoRow, Wish, resolve

T = TypeVar("T")

_LIBRARY = TypeAdapter(Library)
_TABLES = TypeAdapter(TableList)
_HITS = TypeAdapter(Hits)
_ROWS = TypeAdapter(Rows)
MachineAnswer = Overview | Health | Processes

_SHAPES: dict[str, TypeAdapter[MachineAnswer]] = {
    "overview": TypeAdapter(Overview),
    "health": TypeAdapter(Health),
    "processes": TypeAdapter(Processes),
}


@dataclass(frozen=True, slots=True)
class TableAnswer:
    """What a table says to a query, and the SQL it was asked with."""

    query: Query
    sql: str
    rows: Rows


@dataclass(frozen=True, slots=True)
class Told:
    """What the machine's agent says, and what of it is wanted."""

    skill: str
    answer: MachineAnswer
    topics: frozenset[Topic]


@dataclass(frozen=True, slots=True)
class Found:
    """The answers to one question."""

    part: Part
    hits: Hits | None = None
    tables: tuple[TableAnswer | NoRow, ...] = ()
    machine: tuple[Told, ...] = ()
    failures: tuple[Failure, ...] = ()


@dataclass(frozen=True, slots=True)
class Looked:
    """What the others say they have, and which of them did not."""

    known: Known
    failures: tuple[Failure, ...] = field(default=())


async def look(asker: Asker, agents: Agents, scope: Scope) -> Looked:
    """Ask documents and tables what they have, both at once."""

    async def library() -> Library | Failure | None:
        if not (scope.documents and agents[Source.DOCUMENTS]):
            return None
        return await asker.ask(agents[Source.DOCUMENTS], "status", {}, _LIBRARY)

    async def tables() -> TableList | Failure | None:
        if not (scope.tables and agents[Source.TABLES]):
            return None
        return await asker.ask(agents[Source.TABLES], "tables", {}, _TABLES)

    async with asyncio.TaskGroup() as tasks:
        first, second = tasks.create_task(library()), tasks.create_task(tables())
    has, lists = first.result(), second.result()
    failures = tuple(one for one in (has, lists) if isinstance(one, Failure))
    return Looked(
        Known(None if isinstance(has, Failure) else has, None if isinstance(lists, Failure) else lists), failures
    )


def answers(asker: Asker, agents: Agents, parts: Sequence[Part]) -> AsyncGenerator[Found, None]:
    """The answers to each question in order, each as soon as it is there; all are worked on from the beginning."""

    def answering(part: Part) -> Callable[[], Coroutine[Any, Any, Found]]:
        return lambda: answer(asker, agents, part)

    return in_order([answering(part) for part in parts])


async def answer(asker: Asker, agents: Agents, part: Part) -> Found:
    """Everything that is to be asked for one question, at once."""
    async with asyncio.TaskGroup() as tasks:
        search = tasks.create_task(_search(asker, agents, part))
        tables = [tasks.create_task(_table(asker, agents[Source.TABLES], wish)) for wish in part.wishes]
        machine = [tasks.create_task(_machine(asker, agents[Source.MACHINE], ask)) for ask in part.machine]
    hits = search.result()
    asked = [task.result() for task in tables]
    told = [task.result() for task in machine]
    rows = [one for one in asked if isinstance(one, TableAnswer)]
    return Found(
        part,
        None if isinstance(hits, Failure) else hits,
        # A table that knows nothing of it is no news beside one that does.
        tuple(rows or [one for one in asked if isinstance(one, NoRow)]),
        tuple(one for one in told if isinstance(one, Told)),
        tuple(one for one in (hits, *asked, *told) if isinstance(one, Failure)),
    )


async def in_order(jobs: Sequence[Callable[[], Coroutine[Any, Any, T]]]) -> AsyncGenerator[T, None]:
    """Run jobs at the same time and yield their results in order; none goes on when the reader leaves."""
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(job()) for job in jobs]
        try:
            for task in running:
                yield await task
        except GeneratorExit:
            # Out of a TaskGroup it would come as a group of errors, which is none to whoever closes a generator.
            for task in running:
                task.cancel()


async def _search(asker: Asker, agents: Agents, part: Part) -> Hits | Failure | None:
    if not part.search:
        return None
    return await asker.ask(agents[Source.DOCUMENTS], "search", {"query": part.search, "limit": MOST_HITS}, _HITS)


async def _table(asker: Asker, agent: str, wish: Wish) -> TableAnswer | NoRow | Failure | None:
    """Look which words are values in the table, then ask it."""
    table = wish.query.table
    columns = sql.probed_columns(table.columns)
    row: list[object] = []
    if wish.values and columns:
        look_up = {"sql": sql.probe(table.name, columns, wish.values), "limit": 1}
        values = await asker.ask(agent, "query", look_up, _ROWS)
        if isinstance(values, Failure):
            return values
        row = values.rows[0] if values.rows else []
    query = resolve(wish, sql.probed(columns, wish.values, row))
    if not isinstance(query, Query):
        return query
    statement = sql.select(query)
    rows = await asker.ask(agent, "query", {"sql": statement, "limit": query.limit}, _ROWS)
    return rows if isinstance(rows, Failure) else TableAnswer(query, statement, rows)


async def _machine(asker: Asker, agent: str, ask: MachineAsk) -> Told | Failure | None:
    if not agent:
        return None
    told = await asker.ask(agent, ask.skill, ask.input, _SHAPES[ask.skill])
    return told if isinstance(told, Failure) else Told(ask.skill, told, ask.topics)
