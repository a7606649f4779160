"""What tests share: two tables in DuckDB, and a network of agents that answer from memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import duckdb
from inquiry import sql
from inquiry.ask import Asker
from inquiry.compose import Report, Section
from inquiry.inquiry import Inquiry
from inquiry.known import Column, Table
from inquiry.plan import Agents, Scope, Source
from inquiry.query import Query
from inquiry.questions import split
from inquiry.reading import read
from inquiry.wish import NoRow, resolve

from agentic_atlas.errors import TaskError

Answers = dict[tuple[str, str], Callable[..., object]]

AGENTS: Agents = {
    Source.DOCUMENTS: "document_search",
    Source.TABLES: "table_query",
    Source.MACHINE: "system_report",
}
ROWS = (
    """CREATE TABLE orders AS SELECT * FROM (VALUES
    (1, 'Ana Miller', 'Hamburg', 'open', DATE '2024-01-05', 100.0::DOUBLE, 3, 'laptop'),
    (2, 'Ben King', 'New York', 'paid', DATE '2024-02-05', 250.5, 1, 'phone'),
    (3, 'Ana Miller', 'Hamburg', 'paid', DATE '2023-02-05', 80.25, 2, 'laptop'),
    (4, 'Cleo Ray', 'Malmö', 'open', DATE '2024-02-15', 10.0, 9, 'desk')
    ) _(id, customer_name, city, status, order_date, amount, units, product)""",
    """CREATE TABLE customers AS SELECT * FROM (VALUES
    ('Ana Miller', 'Hamburg', '+49 1'), ('Ben King', 'New York', '+1 2'), ('Cleo Ray', 'Malmö', '+46 3')
    ) _(name, city, phone)""",
)


class Shop:
    """The two tables, as the agent of tables would tell of them."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self.tables = [self._table(name) for name in ("orders", "customers")]

    def rows(self, statement: str) -> list[list[object]]:
        return [list(row) for row in self._connection.execute(statement).fetchall()]

    def ask(self, question: str) -> list[list[object]] | NoRow | None:
        """The rows with which the best table answers a question."""
        query = self.read(question)
        return self.rows(sql.select(query)) if isinstance(query, Query) else query

    def read(self, question: str) -> Query | NoRow | None:
        """What a question asks of the table that knows most of it, values looked up."""
        (one,) = split(question)[0]
        wishes = [wish for table in self.tables if (wish := read(one.words, table)) is not None]
        if not wishes:
            return None
        wish = max(wishes, key=lambda wish: wish.fit)
        columns = sql.probed_columns(wish.query.table.columns)
        found = self.rows(sql.probe(wish.query.table.name, columns, wish.values))[0] if wish.values else []
        return resolve(wish, sql.probed(columns, wish.values, found))

    def listing(self) -> dict[str, object]:
        """The answer of `tables`."""
        tables = [
            {
                "name": table.name,
                "file": table.file,
                "sheet": None,
                "rows": table.rows,
                "columns": [{"name": column.name, "type": column.type} for column in table.columns],
                "notes": [],
            }
            for table in self.tables
        ]
        skipped = [{"file": "odd.csv", "reason": "is not text"}]
        return {"tables": tables, "table_count": len(tables), "skipped": skipped, "skipped_count": 1}

    def query(self, sql: str, limit: int) -> dict[str, object]:
        """The answer of `query`."""
        found = self._connection.execute(sql)
        columns = [{"name": name, "type": str(kind)} for name, kind, *_ in found.description or []]
        rows = [[_json(value) for value in row] for row in found.fetchmany(limit)]
        return {"columns": columns, "rows": rows, "truncated": False, "notes": [], "seconds": 0.0}

    def _table(self, name: str) -> Table:
        columns = [Column(row[0], row[1]) for row in self._connection.execute(f"DESCRIBE {name}").fetchall()]
        return Table(name, f"{name}.csv", len(self.rows(f"FROM {name}")), columns)


def _json(value: object) -> object:
    return value if isinstance(value, int | float | str | None) else str(value)


class Network:
    """Agents that answer from memory; a skill that is not there belongs to an agent that is offline."""

    def __init__(self, answers: Answers) -> None:
        self.answers = answers
        self.calls: list[tuple[str, str]] = []

    async def __call__(self, agent: str, skill: str, input: Mapping[str, object]) -> object:
        self.calls.append((agent, skill))
        await asyncio.sleep(0)
        answer = self.answers.get((agent, skill))
        if answer is None:
            raise TaskError(f"{agent}.{skill}: {agent} is offline: start it", code="agent_offline")
        return answer(**input)


def library(**more: object) -> dict[str, Any]:
    """The answer of `status` of the agent of documents."""
    totals = {"files": 2, "passages": 9, "characters": 900, "skipped": 1}
    skipped = [{"file": "broken.pdf", "reason": "is not a PDF file, or damaged"}]
    return {"totals": totals, "skipped": skipped, "incomplete": []} | more


def hits(query: str, limit: int) -> dict[str, Any]:
    """The answer of `search`: one passage, about houses."""
    hit = {
        "file": "part1/096.txt",
        "position": {"unit": "line", "number": 4},
        "title": "",
        "heading": "",
        "snippet": "The **access** **code** of **house** **096** is code-1.",
        "score": 0.9,
    }
    return {"hits": [hit], "complete": True}


def overview() -> dict[str, object]:
    """The answer of `overview`."""
    use = {"total_bytes": 8_000_000_000, "used_bytes": 6_000_000_000, "free_bytes": 2_000_000_000, "used_percent": 75.0}
    return {
        "taken_at": "2026-01-02T03:04:05Z",
        "system": "Linux",
        "cores": 4,
        "cpu_percent": 12.5,
        "load": None,
        "memory": use,
        "swap": None,
        "disks": [use | {"path": "/", "kind": "ext4", "read_only": False}],
        "temperatures": [],
        "missing": [],
    }


def network(shop: Shop) -> Network:
    """All three agents."""
    return Network(
        {
            ("document_search", "status"): library,
            ("document_search", "search"): hits,
            ("table_query", "tables"): shop.listing,
            ("table_query", "query"): shop.query,
            ("system_report", "overview"): overview,
        }
    )


def inquiry(question: str, calls: Network, scope: Scope = Scope(), agents: Agents = AGENTS) -> Inquiry:  # noqa: B008
    return Inquiry(question, scope, agents, Asker(calls, patience=5))


def pieces(asked: Inquiry) -> list[Section | Report]:
    async def collected(streamed: AsyncIterator[Section | Report]) -> list[Section | Report]:
        return [piece async for piece in streamed]

    return asyncio.run(collected(asked.pieces()))


def report(question: str, calls: Network, scope: Scope = Scope()) -> Report:  # noqa: B008
    last = pieces(inquiry(question, calls, scope))[-1]
    assert isinstance(last, Report)
    return last
