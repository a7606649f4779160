"""Sheets of Excel files become tables: the header is found, types are kept, the rest is told."""

from __future__ import annotations

import datetime
import zipfile
from pathlib import Path

import pytest
from table_samples import read_rows, write_workbook
from tables.convert import convert
from tables.errors import Unreadable
from tables.limits import Limits
from tables.sheet import SheetTable, letters
from tables.table import Import


def made_of(file: Path, limits: Limits | None = None) -> Import:
    return convert(file, "xlsx", file.parent / "made", limits or Limits())


def table_of(
    folder: Path, *rows: tuple[object, ...]
) -> tuple[dict[str, str], list[tuple[object, ...]], tuple[str, ...]]:
    """Types, rows and notes of a workbook of one sheet."""
    made = made_of(write_workbook(folder / "a.xlsx", {"Sheet1": rows}))
    (part,) = made.parts
    assert part.rows == len(read_rows(folder / part.parquet))
    return {column.name: column.type for column in part.columns}, read_rows(folder / part.parquet), part.notes


def test_values_keep_their_types(folder: Path) -> None:
    day = datetime.datetime.fromisoformat("2024-01-31")
    moment, hour = day + datetime.timedelta(hours=8.5), datetime.time(9, 15)
    types, rows, notes = table_of(
        folder,
        ("text", "whole", "number", "yes", "day", "moment", "hour", "mixed"),
        ("a", 1, 1, True, day, moment, hour, 1),
        ('quote " and\nline', 2, 2.5, False, day, day, hour, "x"),
        (None, None, None, None, None, None, None, day),
    )
    assert types == {
        "text": "VARCHAR",
        "whole": "BIGINT",
        "number": "DOUBLE",
        "yes": "BOOLEAN",
        "day": "DATE",
        "moment": "TIMESTAMP",
        "hour": "TIME",
        "mixed": "VARCHAR",
    }
    assert rows == [
        ("a", 1, 1.0, True, day.date(), moment, hour, "1"),
        ('quote " and\nline', 2, 2.5, False, day.date(), day, hour, "x"),
        (None,) * 7 + ("2024-01-31",),
    ]
    assert notes == ()


def test_a_title_above_the_table_is_left_out_and_told(folder: Path) -> None:
    types, rows, notes = table_of(folder, ("Report",), (), ("of March",), (None, "Name", "Sum"), (None, "a", 3))
    assert (types, rows) == ({"Name": "VARCHAR", "Sum": "BIGINT"}, [("a", 3)])
    assert notes == ("2 rows above the table left out",)


def test_without_a_header_columns_are_called_as_in_excel(folder: Path) -> None:
    types, rows, _ = table_of(folder, (1, "x"), (2, "y", 3.5))
    assert (types, rows) == ({"A": "BIGINT", "B": "VARCHAR", "C": "DOUBLE"}, [(1, "x", None), (2, "y", 3.5)])
    assert [letters(place) for place in (0, 25, 26, 701, 702)] == ["A", "Z", "AA", "ZZ", "AAA"]


def test_names_that_sql_does_not_tell_apart_get_a_number(folder: Path) -> None:
    types, _, _ = table_of(folder, ("Name", "name ", None, "NAME", 'a"b'), (1, 2, 3, 4, 5))
    assert list(types) == ["Name", "name_1", "C", "NAME_2", 'a"b']


def test_errors_of_formulas_and_blanks_are_nothing(folder: Path) -> None:
    types, rows, _ = table_of(folder, ("n", "m"), (1, 2), ("#DIV/0!", 3), (" ", 4))
    assert (types["n"], rows) == ("BIGINT", [(1, 2), (None, 3), (None, 4)])


def test_sheets_that_are_empty_or_hidden_are_skipped_and_told(folder: Path) -> None:
    sheets = {"A": [("n", "m"), (1, 2)], "empty": [], "secret": [("x",), (1,)], "B": [("k", "l"), (3, 4)]}
    made = made_of(write_workbook(folder / "a.xlsx", sheets, hidden=["secret"]))
    assert [(part.sheet, part.rows) for part in made.parts] == [("A", 1), ("B", 1)]
    assert made.skipped == (("empty", "the sheet is empty"), ("secret", "the sheet is hidden"))
    assert [read_rows(folder / part.parquet) for part in made.parts] == [[(1, 2)], [(3, 4)]]


def test_a_workbook_with_nothing_in_it_says_so(folder: Path) -> None:
    made = made_of(write_workbook(folder / "a.xlsx", {"A": [], "B": []}))
    assert (made.parts, made.reason) == ((), "holds no filled sheet")


def test_a_workbook_over_a_limit_is_refused(folder: Path) -> None:
    file = write_workbook(folder / "a.xlsx", {"A": [(1, 2, 3)] * 10})
    with pytest.raises(Unreadable, match="holds more than 25 cells"):
        made_of(file, Limits(sheet_cells=25))
    with pytest.raises(Unreadable, match="holds more than 0 MB unpacked"):
        made_of(file, Limits(unpacked_bytes=1_000))


def test_an_archive_that_is_no_workbook_is_refused(folder: Path) -> None:
    with zipfile.ZipFile(folder / "a.xlsx", "w") as archive:
        archive.writestr("hello.txt", "hello")
    with pytest.raises(Unreadable, match="is not an Excel workbook"):
        made_of(folder / "a.xlsx")


def test_a_column_that_is_never_filled_is_left_out() -> None:
    table = SheetTable([("a", None, "c"), (1, None, 2)])
    assert [key for key, _ in table.columns()] == ["c0", "c2"]
