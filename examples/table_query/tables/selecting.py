"""One SELECT of someone else, and its first rows."""

from __future__ import annotations

import json
import time
from typing import Final

import duckdb

from tables.engine import Locked
from tables.errors import BadSql
from tables.limits import LONGEST_NAME, MOST_COLUMNS, Limits
from tables.table import Answer, Column
from tables.values import Values

_FETCHED: Final = 64
"""Rows taken from DuckDB at a time."""


def select(locked: Locked, sql: str, limit: int) -> Answer:
    """Runs one SELECT and returns its first rows. Raises what `Locked.bounded` does."""
    began = time.perf_counter()
    with locked.bounded() as connection:
        _check_statement(connection, sql)
        result = connection.execute(sql)
        columns = _columns(result)
        answer = _Collected(limit, locked.limits)
        while answer.wants_more and (rows := result.fetchmany(min(_FETCHED, limit + 1))):
            answer.take(rows)
    seconds = round(time.perf_counter() - began, 3)
    return Answer(columns, answer.rows, bool(answer.notes), answer.notes, seconds)


def _check_statement(connection: duckdb.DuckDBPyConnection, sql: str) -> None:
    """DuckDB's own parser says what it is: what it reads is what it would run."""
    statements = connection.extract_statements(sql)
    if len(statements) != 1:
        raise BadSql(f"one SELECT statement is wanted, these are {len(statements)}")
    kind = statements[0].type
    if kind != duckdb.StatementType.SELECT:
        raise BadSql(f"only SELECT is allowed, this is {kind.name.replace('_', ' ')}")


def _columns(result: duckdb.DuckDBPyConnection) -> list[Column]:
    told = result.description or []
    if len(told) > MOST_COLUMNS:
        raise BadSql(f"the answer would have {len(told):,} columns, more than {MOST_COLUMNS:,}")
    return [Column(name[:LONGEST_NAME], str(kind)[:LONGEST_NAME]) for name, kind, *_ in told]


class _Collected:
    """Takes rows until there are enough of them or of their bytes, and notes what was left out."""

    def __init__(self, limit: int, limits: Limits) -> None:
        self.rows: list[list[object]] = []
        self._limit = limit
        self._left = limits.answer_bytes
        self._limits = limits
        self._values = Values(limits.cell_characters)
        self._full = ""

    @property
    def wants_more(self) -> bool:
        return not self._full

    @property
    def notes(self) -> list[str]:
        cut = self._values.cut
        longest = f"{self._limits.cell_characters:,} characters"
        told_cut = [f"{cut} {'values were' if cut > 1 else 'value was'} cut to {longest}"] if cut else []
        return ([self._full] if self._full else []) + told_cut

    def take(self, rows: list[tuple[object, ...]]) -> None:
        for row in rows:
            if len(self.rows) == self._limit:
                self._full = f"only the first {self._limit} rows are here"
                return
            values = [self._values.json(value) for value in row]
            self._left -= len(json.dumps(values))
            if self._left < 0:
                size = f"{self._limits.answer_bytes // 1024:,} KB"
                self._full = f"only the first {len(self.rows)} rows are here: more would be over {size}"
                return
            self.rows.append(values)
