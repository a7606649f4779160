"""The folder as a caller sees it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from tables.catalog import Listing, Table
from tables.table import Column, Described, Skipped

_COLUMNS_EACH: Final = 50
_COLUMNS_ALL: Final = 2_000
_TABLES: Final = 500
_SKIPPED: Final = 200


@dataclass(frozen=True)
class TableLine:
    """One table of the list.

    `bytes` and `modified` are those of the file. `columns` holds the first 50 at most, and fewer where the list would
    become too long; `column_count` is the number of all.
    """

    name: str
    file: str
    sheet: str | None
    rows: int
    column_count: int
    columns: list[Column]
    bytes: int
    modified: datetime
    notes: list[str]


@dataclass(frozen=True)
class TableList:
    """The tables of the folder by name, and what was skipped with the reason. The counts are those of all."""

    tables: list[TableLine]
    table_count: int
    skipped: list[Skipped]
    skipped_count: int


@dataclass(frozen=True)
class Description:
    """A table and its first 200 columns."""

    table: str
    file: str
    sheet: str | None
    rows: int
    column_count: int
    columns: list[Described]
    notes: list[str]


def list_tables(listing: Listing) -> TableList:
    """The listing, bounded."""
    tables = sorted(listing.tables, key=lambda table: table.name)
    left = _COLUMNS_ALL
    lines: list[TableLine] = []
    for table in tables[:_TABLES]:
        lines.append(_line(table, min(_COLUMNS_EACH, left)))
        left -= len(lines[-1].columns)
    return TableList(lines, len(tables), listing.skipped[:_SKIPPED], len(listing.skipped))


def describe_table(table: Table, columns: list[Described]) -> Description:
    """A table with what was found out about its columns."""
    part = table.part
    notes = list(part.notes)
    return Description(table.name, table.entry.path, part.sheet or None, part.rows, len(part.columns), columns, notes)


def _line(table: Table, columns: int) -> TableLine:
    return TableLine(
        name=table.name,
        file=table.entry.path,
        sheet=table.part.sheet or None,
        rows=table.part.rows,
        column_count=len(table.part.columns),
        columns=list(table.part.columns[:columns]),
        bytes=table.entry.size,
        modified=datetime.fromtimestamp(table.entry.modified, UTC),
        notes=list(table.part.notes),
    )
