"""One sheet of a workbook as a table: which row is the header, what the columns are called and hold."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import date, datetime, time
from itertools import chain, islice
from typing import Final, TextIO

from tables.errors import Unreadable
from tables.limits import LONGEST_NAME, MOST_COLUMNS
from tables.table import Column

Row = tuple[object, ...]

_LOOKED_AT: Final = 20
"""Filled rows among which the header is looked for."""
_LARGEST_INTEGER: Final = 2**63 - 1
_ERRORS: Final = frozenset(
    {"#NULL!", "#DIV/0!", "#VALUE!", "#REF!", "#NAME?", "#NUM!", "#N/A", "#GETTING_DATA", "#SPILL!", "#CALC!"}
)


class SheetTable:
    """Reads rows, writes them as lines of JSON, and knows afterwards what the columns are.

    The header is the first row that is more than half as wide as the widest of the first ones, so a title above the
    table is not taken for it; when it is not text alone, there is no header and columns are called A, B, C.
    """

    def __init__(self, rows: Iterable[Row]) -> None:
        filled = (row for row in (_cleaned(row) for row in rows) if any(value is not None for value in row))
        first = list(islice(filled, _LOOKED_AT))
        start = _start(first)
        self.rows = 0
        self.notes: list[str] = []
        self._header: Row = ()
        if start:
            self.notes.append(f"{start} {'rows' if start > 1 else 'row'} above the table left out")
        if start < len(first) and all(value is None or isinstance(value, str) for value in first[start]):
            self._header = first[start]
            start += 1
        self._rest = chain(first[start:], filled)
        self._kinds: list[set[str]] = []

    def write(self, stream: TextIO) -> None:
        """Writes every row as `{"c0": …, "c2": …}`, empty cells left out. Raises Unreadable."""
        for row in self._rest:
            cells = {f"c{place}": value for place, value in self._typed(row)}
            stream.write(json.dumps(cells) + "\n")
            self.rows += 1

    def columns(self) -> list[tuple[str, Column]]:
        """The columns that hold something, or have a name, each with its key in what was written. Raises Unreadable."""
        width = max(len(self._header), len(self._kinds))
        found: list[tuple[str, Column]] = []
        taken: set[str] = set()
        for place in range(width):
            given = self._header[place] if place < len(self._header) else None
            kinds = self._kinds[place] if place < len(self._kinds) else set()
            if given is None and not kinds:
                continue
            found.append((f"c{place}", Column(_unique(str(given or letters(place)), taken), _merged(kinds))))
        if len(found) > MOST_COLUMNS:
            raise Unreadable(f"has more than {MOST_COLUMNS:,} columns")
        return found

    def _typed(self, row: Row) -> Iterator[tuple[int, object]]:
        while len(self._kinds) < len(row):
            self._kinds.append(set())
        for place, value in enumerate(row):
            if value is not None:
                kind, written = _kind(value)
                self._kinds[place].add(kind)
                yield place, written


def letters(place: int) -> str:
    """What Excel calls the column: 0 is A, 26 is AA."""
    name = ""
    number = place + 1
    while number:
        number, rest = divmod(number - 1, 26)
        name = chr(ord("A") + rest) + name
    return name


def _cleaned(row: Row) -> Row:
    values = [None if isinstance(value, str) and _is_nothing(value) else value for value in row]
    while values and values[-1] is None:
        values.pop()
    return tuple(values)


def _is_nothing(text: str) -> bool:
    return not text.strip() or text in _ERRORS


def _start(rows: list[Row]) -> int:
    widths = [sum(value is not None for value in row) for row in rows]
    return next((place for place, width in enumerate(widths) if width * 2 > max(widths)), 0)


def _kind(value: object) -> tuple[str, object]:
    """DuckDB's type for a cell, and the cell as JSON."""
    match value:
        case bool():
            return "BOOLEAN", value
        case int() if abs(value) <= _LARGEST_INTEGER:
            return "BIGINT", value
        case int() | float():
            return "DOUBLE", float(value)
        case datetime() if value.time() == time():
            return "DATE", value.date().isoformat()
        case datetime():
            return "TIMESTAMP", value.isoformat(" ")
        case date():
            return "DATE", value.isoformat()
        case time():
            return "TIME", value.isoformat()
        case _:
            return "VARCHAR", str(value)


def _merged(kinds: set[str]) -> str:
    if len(kinds) == 1:
        return next(iter(kinds))
    if kinds and kinds <= {"BIGINT", "DOUBLE"}:
        return "DOUBLE"
    return "TIMESTAMP" if kinds and kinds <= {"DATE", "TIMESTAMP"} else "VARCHAR"


def _unique(name: str, taken: set[str]) -> str:
    """The name, bounded, with a number where another column has it: SQL does not tell `Name` from `name`."""
    name = name.strip()[:LONGEST_NAME]
    unique, number = name, 0
    while unique.lower() in taken:
        number += 1
        unique = f"{name}_{number}"
    taken.add(unique.lower())
    return unique
