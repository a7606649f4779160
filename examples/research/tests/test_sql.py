"""Nothing of a question, a table or a column is ever syntax."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest
from inquiry import sql
from inquiry.known import Column, Kind, Table
from inquiry.query import Figure, Filter, Function, Group, Order, Query

NASTY = 'it\'s "quoted"; DROP TABLE x; -- \\ % [a](b) $1 ?'


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    made = duckdb.connect()
    made.execute(f"CREATE TABLE {sql.identifier(NASTY)} ({sql.identifier(NASTY)} VARCHAR, n DOUBLE, d DATE)")
    rows = "VALUES (?, 1.5, DATE '2024-03-01'), ('other', 2, NULL)"
    made.execute(f"INSERT INTO {sql.identifier(NASTY)} {rows}", [NASTY])
    with made:
        yield made


TEXT, NUMBER, DAY = Column(NASTY, "VARCHAR"), Column("n", "DOUBLE"), Column("d", "DATE")
TABLE = Table(NASTY, "x.csv", 2, [TEXT, NUMBER, DAY])


def test_names_and_values_full_of_syntax_are_found_as_they_are(connection: duckdb.DuckDBPyConnection) -> None:
    row = connection.execute(sql.probe(NASTY, [TEXT], [NASTY, "syntax", "quoted"])).fetchone()
    assert row == (1, 1, 0, 0, 0, 1)
    found = sql.probed([TEXT], [NASTY, "syntax", "quoted"], row)
    assert found == {NASTY: Filter((TEXT,), "is", NASTY), "quoted": Filter((TEXT,), "mentions", "quoted")}
    query = Query(TABLE, (Figure(Function.SUM, NUMBER),), (Group(TEXT),), (found[NASTY], found["quoted"]))
    assert connection.execute(sql.select(query)).fetchall() == [(NASTY, 1.5)]


@pytest.mark.parametrize(
    ("test", "value", "count"),
    [("=", "1.5", 1), (">", "1.5", 1), ("year =", "2024", 1), ("month =", "4", 0), ("date <=", "2024-03-01", 1)],
)
def test_numbers_and_dates_are_compared(
    connection: duckdb.DuckDBPyConnection, test: str, value: str, count: int
) -> None:
    column = DAY if " " in test else NUMBER
    query = Query(TABLE, (Figure(Function.COUNT),), filters=(Filter((column,), test, value),))
    assert connection.execute(sql.select(query)).fetchone() == (count,)


def test_every_answer_is_bounded(connection: duckdb.DuckDBPyConnection) -> None:
    rows = Query(TABLE, shown=(TEXT, NUMBER), order=Order(DAY), limit=1)
    assert sql.select(rows).endswith('WHERE "d" IS NOT NULL ORDER BY "d" DESC NULLS LAST LIMIT 2')
    many = [Column(f"c{number}", "VARCHAR") for number in range(40)]
    assert len(sql.probed_columns(many)) == sql.MOST_PROBED_COLUMNS
    assert sql.probed_columns([NUMBER, DAY, Column("id", "BIGINT"), TEXT]) == [Column("id", "BIGINT"), TEXT]
    assert all(column.kind is Kind.TEXT for column in sql.probed_columns(many))


def test_a_line_of_counts_that_does_not_fit_finds_nothing() -> None:
    assert sql.probed([TEXT], ["a", "b"], []) == {}
    assert sql.probed([TEXT], ["a"], ["many", None]) == {}
