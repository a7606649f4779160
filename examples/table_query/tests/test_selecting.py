"""One SELECT is answered within its bounds; SQL that wants anything else gets nothing and changes nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from table_samples import Tables, write_parquet
from tables.describing import describe
from tables.engine import Locked, locked
from tables.errors import BadSql, QueryFailed, TooMuchMemory, TooSlow
from tables.limits import Limits
from tables.selecting import select
from tables.table import Column

LIMITS = Limits(query_seconds=20, memory_megabytes=256, answer_bytes=10_000, cell_characters=1_000)


@pytest.fixture(scope="module")
def opened(sales: Tables) -> Iterator[Locked]:
    with locked(sales, LIMITS) as database:
        yield database


@pytest.fixture
def database(opened: Locked) -> Locked:
    """A database as every query gets it: a mistake of the one before has ended its transaction."""
    opened.connection.execute("ROLLBACK")
    opened.connection.execute("BEGIN TRANSACTION READ ONLY")
    return opened


def refused(database: Locked, sql: str) -> str:
    with pytest.raises(BadSql) as caught:
        select(database, sql, 10)
    return str(caught.value)


def test_a_select_is_answered_with_names_types_and_rows(database: Locked) -> None:
    answer = select(database, "SELECT city, sum(amount) AS total FROM sales GROUP BY city ORDER BY city; -- done", 10)
    assert answer.columns == [Column("city", "VARCHAR"), Column("total", "DECIMAL(38,2)")]
    assert answer.rows == [["city 0", 7.5], ["city 1", 11.25]]
    assert (answer.truncated, answer.notes) == (False, [])
    assert 0 <= answer.seconds < 20


@pytest.mark.parametrize(
    "sql",
    [
        "WITH big AS (SELECT * FROM sales WHERE id > 3) SELECT count(*) FROM big",
        "FROM sales SELECT count(*) WHERE id > 3",
        "VALUES (2)",
        "SELECT count(*) FROM (SELECT id, lag(id) OVER (ORDER BY id) AS before FROM sales) WHERE before >= 3",
    ],
)
def test_every_way_to_write_a_select_is_taken(database: Locked, sql: str) -> None:
    assert select(database, sql, 10).rows == [[2]]


@pytest.mark.parametrize(
    "sql",
    [
        "COPY sales TO '{folder}/stolen.csv'",
        "COPY (SELECT * FROM sales) TO '{folder}/stolen.parquet'",
        "EXPORT DATABASE '{folder}/stolen'",
        "ATTACH '{folder}/new.db'",
        "ATTACH '{folder}/new.db' AS new; SELECT 1",
        "DETACH memory",
        "INSTALL httpfs",
        "LOAD httpfs",
        "PRAGMA database_list",
        "SET memory_limit = '100GB'",
        "RESET memory_limit",
        "USE memory",
        "CREATE TABLE t (a INTEGER)",
        "CREATE VIEW v AS SELECT 1",
        "CREATE MACRO m() AS 1",
        "INSERT INTO sales VALUES (1, 'x', 1)",
        "UPDATE sales SET id = 1",
        "DELETE FROM sales",
        "DROP VIEW sales",
        "CALL pragma_version()",
        "CHECKPOINT",
        "BEGIN",
        "COMMIT",
        "EXPLAIN ANALYZE SELECT 1",
        "PREPARE p AS SELECT 1",
        "EXECUTE p",
        "VACUUM",
        "SELECT 1; SELECT 2",
        "SELECT 1; COPY sales TO '{folder}/stolen.csv'",
        "COMMIT; DROP VIEW sales; SELECT 1",
        "",
        " ; ",
        "-- nothing",
        "SELEKT 1",
        "SELECT",
        "/* without an end",
        "SELECT '\0'; DROP VIEW sales",
    ],
)
def test_whatever_is_not_one_select_is_refused(database: Locked, sales: Tables, sql: str) -> None:
    folder = sales["sales"].parent
    before = set(folder.iterdir())
    message = refused(database, sql.format(folder=folder))
    assert 0 < len(message) <= 1_000
    assert set(folder.iterdir()) == before


def test_what_it_was_is_told(database: Locked) -> None:
    assert refused(database, "INSERT INTO sales VALUES (1)") == "only SELECT is allowed, this is INSERT"
    assert refused(database, "SELECT 1; SELECT 2") == "one SELECT statement is wanted, these are 2"
    assert refused(database, "SELECT 1; SELECT 2; SELECT 3").endswith("these are 3")
    assert refused(database, "SELEKT 1").startswith("Parser Error: ")
    assert 'column "nmae" not found' in refused(database, "SELECT nmae FROM sales")


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM read_csv('{folder}/secret.csv')",
        "SELECT * FROM '{folder}/secret.csv'",
        "SELECT * FROM read_csv(['{folder}/sales.parquet', '{folder}/secret.csv'])",
        "SELECT * FROM read_parquet('{folder}/*.parquet')",
        "SELECT * FROM read_parquet('{folder}/s*.parquet')",
        "SELECT * FROM read_parquet('{folder}/[s]ecret.parquet')",
        "SELECT * FROM read_parquet('{folder}/sales.parquet/../secret.parquet')",
        "SELECT * FROM read_parquet(['{folder}/sales.parquet', '{folder}/secret.parquet'])",
        "SELECT * FROM parquet_metadata('{folder}/secret.parquet')",
        "SELECT * FROM read_text('/etc/hostname')",
        "SELECT * FROM read_text('/proc/self/environ')",
        "SELECT * FROM read_blob('/etc/*')",
        "SELECT * FROM read_json('{folder}/secret.csv')",
        "SELECT * FROM glob('/etc/*')",
        "SELECT * FROM glob('{folder}/*')",
        "SELECT * FROM sniff_csv('{folder}/secret.csv')",
        "SELECT * FROM read_csv('/dev/stdin')",
        "SELECT * FROM read_csv('http://127.0.0.1/secret.csv')",
        "SELECT * FROM read_csv('s3://bucket/secret.csv')",
        "SELECT getenv('HOME')",
        "SELECT * FROM enable_logging(storage = 'file', storage_path = '{folder}')",
        "SELECT * FROM query('COPY sales TO ''{folder}/stolen.csv''')",
        "SELECT * FROM query('CREATE TABLE t (a INTEGER)')",
        "WITH new AS (INSERT INTO sales VALUES (1, 'x', 1) RETURNING *) SELECT * FROM new",
        "SELECT nextval('sales')",
        "SELECT * FROM duckdb",
        "SELECT * FROM os",
    ],
)
def test_a_select_reaches_nothing_but_the_tables(database: Locked, sales: Tables, sql: str) -> None:
    folder = sales["sales"].parent
    before = set(folder.iterdir())
    message = refused(database, sql.format(folder=folder))
    assert "sesame" not in message
    assert len(message) <= 1_000
    assert set(folder.iterdir()) == before


def test_settings_are_locked_and_extensions_not_loaded(database: Locked) -> None:
    names = "enable_external_access", "lock_configuration", "autoload_known_extensions", "python_enable_replacements"
    asked = ", ".join(f"current_setting('{name}')" for name in names)
    assert select(database, f"SELECT {asked}", 1).rows == [[False, True, False, False]]


def test_no_message_tells_where_the_folder_is(sales: Tables, tmp_path: Path) -> None:
    gone = write_parquet(tmp_path / "gone.parquet", "SELECT range AS n FROM range(100000)")
    with locked({"gone": gone, **sales}, LIMITS) as database:
        gone.write_bytes(b"no Parquet any more")
        message = refused(database, "SELECT sum(n) FROM gone")
        assert "gone.parquet" in message
        assert str(tmp_path) not in message
    with pytest.raises(QueryFailed, match="a table cannot be read any more") as caught, locked({"gone": gone}, LIMITS):
        pass
    assert str(tmp_path) not in str(caught.value)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT count(*) FROM range(10000000) a, range(10000000) b WHERE a.range * b.range = -1",
        "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT max(n) FROM t",
        "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT * FROM t WHERE n < 0",
    ],
)
def test_a_query_that_never_ends_is_stopped_in_time(sales: Tables, sql: str) -> None:
    began = time.perf_counter()
    with locked(sales, Limits(query_seconds=0.3)) as database, pytest.raises(TooSlow, match=r"after 0\.3 seconds"):
        select(database, sql, 10)
    assert time.perf_counter() - began < 5


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT array_agg(a) FROM range(10000000000) r(a)",
        "SELECT string_agg(repeat('x', 1000), '') FROM range(10000000)",
    ],
)
def test_a_query_that_wants_all_memory_is_stopped_and_spills_nothing(sales: Tables, sql: str) -> None:
    with locked(sales, LIMITS) as database, pytest.raises((TooMuchMemory, TooSlow)) as caught:
        select(database, sql, 10)
    assert isinstance(caught.value, TooMuchMemory)
    assert str(caught.value) == "the query needs more than 256 MB of memory"


def test_of_a_result_without_end_the_first_rows_come_at_once(database: Locked) -> None:
    answer = select(database, "SELECT range FROM range(1000000000000)", 100)
    assert answer.rows == [[number] for number in range(100)]
    assert (answer.truncated, answer.notes) == (True, ["only the first 100 rows are here"])
    assert answer.seconds < 5


def test_as_many_rows_as_the_limit_are_not_truncated(database: Locked) -> None:
    answer = select(database, "SELECT id FROM sales ORDER BY id", 6)
    assert (len(answer.rows), answer.truncated) == (6, False)


def test_an_answer_stays_within_its_bytes(database: Locked) -> None:
    answer = select(database, "SELECT repeat('x', 900) FROM range(1000)", 1_000)
    assert len(answer.rows) == 11
    assert (answer.truncated, answer.notes) == (True, ["only the first 11 rows are here: more would be over 9 KB"])


def test_a_long_value_is_cut_and_told(database: Locked) -> None:
    answer = select(database, "SELECT repeat('x', 5000), repeat('y', 1001)", 10)
    assert answer.rows == [["x" * 1_000 + "…", "y" * 1_000 + "…"]]
    assert (answer.truncated, answer.notes) == (True, ["2 values were cut to 1,000 characters"])


def test_an_answer_of_too_many_columns_is_refused(database: Locked) -> None:
    values = ", ".join(f"{number}" for number in range(2_001))
    assert refused(database, f"VALUES ({values})").startswith("the answer would have 2,001 columns")


def test_sql_that_is_nested_too_deeply_is_refused(database: Locked) -> None:
    assert "depth" in refused(database, "SELECT " + "+".join(["1"] * 9_000))


def test_columns_are_described_over_all_rows(tmp_path: Path) -> None:
    rows = "SELECT range AS n, CASE WHEN range > 0 THEN 'x' || range % 5 END AS t, [range] AS l, repeat('y', 300) AS y"
    path = write_parquet(tmp_path / "a.parquet", f"{rows} FROM range(1000)")
    with locked({"a": path}, LIMITS) as database:
        n, t, nested, y = describe(database, "a")
    assert (n.type, n.nulls, n.minimum, n.maximum, n.examples) == ("BIGINT", 0, 0, 999, [0, 1, 2])
    assert n.distinct is not None and 900 <= n.distinct <= 1_100
    assert (t.nulls, t.distinct, t.minimum, t.maximum, t.examples) == (1, 5, "x0", "x4", ["x1", "x2", "x3"])
    assert (nested.distinct, nested.minimum, nested.examples) == (None, None, [[0], [1], [2]])
    assert y.examples == ["y" * 200 + "…"]


def test_a_table_without_rows_is_described_too(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "a.parquet", "SELECT 1 AS n WHERE false")
    with locked({"a": path}, LIMITS) as database:
        (column,) = describe(database, "a")
    assert (column.nulls, column.distinct, column.minimum, column.examples) == (0, 0, None, [])
