"""Excel files: each visible sheet that is filled becomes a Parquet file."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import openpyxl  # type: ignore[import-untyped]  # comes without types
from openpyxl.utils.exceptions import InvalidFileException  # type: ignore[import-untyped]  # likewise

from tables.errors import Unreadable
from tables.limits import MOST_SHEETS, Limits
from tables.sheet import Row, SheetTable
from tables.sql import identifier, literal, one_file
from tables.table import Column, Import, Part


def convert_workbook(connection: duckdb.DuckDBPyConnection, file: Path, target: Path, limits: Limits) -> Import:
    """Writes `<target>-0.parquet`, `<target>-1.parquet`, … for the sheets of a workbook.

    Values of formulas are those that were stored with the file. Raises Unreadable.
    """
    _check_archive(file, limits)
    with closing(_opened(file)) as book:
        parts: list[Part] = []
        skipped: list[tuple[str, str]] = []
        cells = _Count(limits.sheet_cells)
        for sheet in book.worksheets[:MOST_SHEETS]:
            if sheet.sheet_state != "visible":
                skipped.append((sheet.title, "the sheet is hidden"))
                continue
            path = target.with_name(f"{target.name}-{len(parts)}.parquet")
            part = _convert_sheet(connection, sheet, cells, path)
            if part is None:
                skipped.append((sheet.title, "the sheet is empty"))
            else:
                parts.append(part)
        skipped += [(sheet.title, "comes after too many sheets") for sheet in book.worksheets[MOST_SHEETS:]]
    return Import(tuple(parts), "" if parts else "holds no filled sheet", tuple(skipped))


class _Count:
    """Counts cells over all sheets, and stops at a bound."""

    def __init__(self, most: int) -> None:
        self._most = self._left = most

    def rows(self, rows: Iterator[Row]) -> Iterator[Row]:
        for row in rows:
            # Rows without cells count too: a file of a few bytes can have any number of them.
            self._left -= max(len(row), 1)
            if self._left < 0:
                raise Unreadable(f"holds more than {self._most:,} cells")
            yield row


def _check_archive(file: Path, limits: Limits) -> None:
    try:
        with zipfile.ZipFile(file) as archive:
            unpacked = sum(part.file_size for part in archive.infolist())
    except zipfile.BadZipFile:
        raise Unreadable("is not an Excel workbook, or is locked with a password") from None
    if unpacked > limits.unpacked_bytes:
        raise Unreadable(f"holds more than {limits.unpacked_bytes // 1024**2:,} MB unpacked")


def _opened(file: Path) -> Any:
    try:
        return openpyxl.load_workbook(file, read_only=True, data_only=True, keep_links=False)
    except (InvalidFileException, KeyError) as error:
        raise Unreadable("is not an Excel workbook") from error


def _convert_sheet(connection: duckdb.DuckDBPyConnection, sheet: Any, cells: _Count, path: Path) -> Part | None:
    # What the file says of its own size is often wrong; the rows themselves tell.
    sheet.reset_dimensions()
    table = SheetTable(cells.rows(sheet.iter_rows(values_only=True)))
    lines = path.with_suffix(".part")
    try:
        with lines.open("w", encoding="utf-8") as stream:
            table.write(stream)
        columns = table.columns()
        if not columns:
            return None
        _write_parquet(connection, lines, columns, path)
    finally:
        lines.unlink(missing_ok=True)
    return Part(path.name, tuple(column for _, column in columns), table.rows, sheet.title, tuple(table.notes))


def _write_parquet(
    connection: duckdb.DuckDBPyConnection, lines: Path, columns: list[tuple[str, Column]], path: Path
) -> None:
    types = ", ".join(f"{literal(key)}: {literal(column.type)}" for key, column in columns)
    named = ", ".join(f"{identifier(key)} AS {identifier(column.name)}" for key, column in columns)
    source = f"read_json({one_file(lines)}, format = 'newline_delimited', columns = {{{types}}})"
    connection.execute(f"COPY (SELECT {named} FROM {source}) TO {literal(str(path))} (FORMAT parquet)")  # noqa: S608
