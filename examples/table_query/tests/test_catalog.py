"""The tables of a folder follow its files, and are converted once."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest
from table_samples import OpenTables, write_parquet, write_workbook
from tables.answers import describe_table, list_tables
from tables.catalog import Catalog, Listing
from tables.errors import BadSql, FolderMissing, UnknownTable
from tables.table import Column


def rows(catalog: Catalog, sql: str) -> list[list[object]]:
    return asyncio.run(catalog.query(sql, 100)).rows


def listed(catalog: Catalog) -> Listing:
    return asyncio.run(catalog.tables())


def test_csv_parquet_and_excel_are_joined_in_one_query(folder: Path, open_tables: OpenTables) -> None:
    (folder / "cities.csv").write_text("id,city\n1,Bern\n2,Genf\n")
    write_parquet(folder / "sales.parquet", "SELECT 1 + range % 2 AS id, range AS n FROM range(10)")
    write_workbook(folder / "Budget.xlsx", {"Plan": [("id", "wish"), (1, 9.5), (2, 8.5)], "Notes": [("x",), ("y",)]})
    catalog = open_tables()

    async def main() -> None:
        told: list[tuple[int, int]] = []

        async def tell(ready: int, total: int) -> None:
            told.append((ready, total))

        listing = list_tables(await catalog.tables(tell))
        assert [(line.name, line.file, line.sheet, line.rows) for line in listing.tables] == [
            ("budget__notes", "Budget.xlsx", "Notes", 1),
            ("budget__plan", "Budget.xlsx", "Plan", 2),
            ("cities", "cities.csv", None, 2),
            ("sales", "sales.parquet", None, 10),
        ]
        assert (listing.table_count, listing.skipped, told) == (4, [], [(1, 3), (2, 3), (3, 3)])
        assert listing.tables[1].columns == [Column("id", "BIGINT"), Column("wish", "DOUBLE")]
        joined = "Sales JOIN cities USING (id) JOIN BUDGET__PLAN USING (id)"
        answer = await catalog.query(f"SELECT city, sum(n), max(wish) FROM {joined} GROUP BY city ORDER BY city", 10)  # noqa: S608
        assert answer.rows == [["Bern", 20, 9.5], ["Genf", 25, 8.5]]
        description = describe_table(*await catalog.describe("Cities"))
        assert (description.table, description.rows, description.column_count) == ("cities", 2, 2)
        assert [column.maximum for column in description.columns] == [2, "Genf"]

    asyncio.run(main())


def test_a_change_is_seen_by_the_next_query(folder: Path, open_tables: OpenTables) -> None:
    (folder / "a.csv").write_text("n\n1\n")
    catalog = open_tables()
    assert rows(catalog, "SELECT * FROM a") == [[1]]
    (folder / "a.csv").write_text("n\n1\n2\n")
    assert rows(catalog, "SELECT sum(n) FROM a") == [[3]]
    (folder / "a.csv").unlink()
    write_parquet(folder / "a.parquet", "SELECT 6 AS m")
    assert rows(catalog, "SELECT m FROM a") == [[6]]
    (folder / "a.parquet").unlink()
    with pytest.raises(BadSql, match="Table with name a does not exist"):
        rows(catalog, "SELECT m FROM a")


def test_files_are_converted_once_and_removed_from_the_cache_with_their_source(
    folder: Path, cache: Path, open_tables: OpenTables
) -> None:
    (folder / "a.csv").write_text("n\n1\n")
    (folder / "broken.csv").write_bytes(b"\0")
    first = listed(open_tables())
    made = {path.name: path.stat().st_mtime_ns for path in cache.iterdir()}
    assert len(made) == 3
    again = open_tables()
    assert listed(again) == first
    assert {path.name: path.stat().st_mtime_ns for path in cache.iterdir()} == made
    foreign = cache / "mine.parquet"
    foreign.write_bytes(b"x")
    (folder / "a.csv").unlink()
    (folder / "broken.csv").unlink()
    assert listed(again) == Listing([], [])
    assert list(cache.iterdir()) == [foreign]


def test_the_cache_is_for_its_owner_alone_and_is_made_anew_when_it_is_lost(
    folder: Path, cache: Path, open_tables: OpenTables
) -> None:
    (folder / "a.csv").write_text("n\n1\n")
    catalog = open_tables()
    assert os.name != "posix" or cache.stat().st_mode & 0o077 == 0
    assert rows(catalog, "FROM a") == [[1]]
    for path in cache.glob("*.parquet"):
        path.unlink()
    assert rows(open_tables(), "FROM a") == [[1]]
    for path in cache.glob("*.json"):
        path.write_text('{"parts": [{"cut')
    assert listed(open_tables()).tables[0].part.rows == 1


def test_a_query_reads_only_the_files_it_names(folder: Path, cache: Path, open_tables: OpenTables) -> None:
    (folder / "a.csv").write_text("n\n1\n")
    (folder / "a b.csv").write_text("n\n1\n")
    assert rows(open_tables(), "SELECT A.n FROM a") == [[1]]
    assert len(list(cache.glob("*.parquet"))) == 1


def test_broken_files_are_skipped_with_the_reason_and_named_when_they_are_asked(
    folder: Path, open_tables: OpenTables
) -> None:
    (folder / "good.csv").write_text("n\n1\n")
    (folder / "bad.csv").write_text("a,b\n1,2,3\n")
    write_workbook(folder / "book.xlsx", {"A": [("n",), (1,)], "empty": []})
    catalog = open_tables()
    listing = listed(catalog)
    assert [table.name for table in listing.tables] == ["book", "good"]
    assert [(line.file, line.reason) for line in listing.skipped] == [
        ("bad.csv", "line 2 has 3 values where 2 are expected"),
        ("book.xlsx, sheet empty", "the sheet is empty"),
    ]
    with pytest.raises(BadSql) as caught:
        rows(catalog, "SELECT * FROM bad")
    assert str(caught.value).endswith("\nbad.csv line 2 has 3 values where 2 are expected; the tables are book, good")


def test_a_table_that_is_not_known_is_named_with_those_that_are(folder: Path, open_tables: OpenTables) -> None:
    catalog = open_tables()
    with pytest.raises(UnknownTable, match="there is no table sales; the folder gives no table at all"):
        asyncio.run(catalog.describe("sales"))
    (folder / "a.csv").write_text("n\n1\n")
    with pytest.raises(UnknownTable, match=r"the tables are a$"):
        asyncio.run(catalog.describe('a"; --'))


def test_many_queries_at_once_convert_a_file_once(folder: Path, open_tables: OpenTables) -> None:
    (folder / "a.csv").write_text("n\n" + "1\n" * 1000)
    catalog = open_tables()

    async def main() -> list[list[list[object]]]:
        async with asyncio.TaskGroup() as tasks:
            asked = [tasks.create_task(catalog.query("SELECT sum(n) FROM a", 1)) for _ in range(2)]
        return [task.result().rows for task in asked]

    assert asyncio.run(main()) == [[[1000]]] * 2


def test_without_a_folder_it_does_not_open(tmp_path: Path, cache: Path) -> None:
    with pytest.raises(FolderMissing):
        Catalog(tmp_path / "missing", cache).open()
    assert not cache.exists()
