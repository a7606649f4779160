"""What is known of a table: the values that go between the modules, and out to the caller."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Column:
    """A column; `type` is DuckDB's name for it, for instance `BIGINT` or `DECIMAL(10,2)`."""

    name: str
    type: str


@dataclass(frozen=True)
class Part:
    """One table that a file gives: the file itself, or one sheet of a workbook.

    `parquet` is where its rows are: a name inside the cache, or empty for a Parquet file that is used where it is.
    `sheet` is empty for what is no workbook. `notes` say what a reader of the numbers has to know.
    """

    parquet: str
    columns: tuple[Column, ...]
    rows: int
    sheet: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Import:
    """What became of one file: its tables, or why there are none (`reason`).

    `skipped` holds sheets that were left out, each with the reason.
    """

    parts: tuple[Part, ...] = ()
    reason: str = ""
    skipped: tuple[tuple[str, str], ...] = field(default=())


@dataclass(frozen=True)
class Skipped:
    """A file or sheet that gives no table, and why."""

    file: str
    reason: str


@dataclass(frozen=True)
class Answer:
    """What a query gave.

    Values are JSON: dates and times as ISO 8601 text, NaN and infinity as null, bytes as hexadecimal text, and numbers
    of more than 15 digits as text, because readers of JSON would round them.
    """

    columns: list[Column]
    rows: list[list[object]]
    truncated: bool
    """True when there is more than this: more rows, or longer values."""
    notes: list[str]
    """What was left out or cut, in words."""
    seconds: float
    """How long the query ran."""


@dataclass(frozen=True)
class Described:
    """One column of a table, over all of its rows."""

    name: str
    type: str
    nulls: int
    distinct: int | None
    """About how many different values there are, within a few percent; null for lists and structures."""
    minimum: object
    maximum: object
    examples: list[object]
    """Up to three different values from the first rows."""
