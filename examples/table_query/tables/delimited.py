"""CSV files become Parquet files. DuckDB finds delimiter, header and types, looking at every row."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Final, cast

import duckdb

from tables.errors import Unreadable
from tables.limits import Limits
from tables.sql import first_line, literal, one_file, parquet

_PIECE: Final = 1024 * 1024
_DELIMITERS: Final = ",;\t|"
_BYTE_ORDER_MARKS: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_NO_COMMENTS: Final = ", comment = ''"
"""Else DuckDB takes lines that begin with # for comments, and drops them."""
_LOOKED_AT: Final = 100
"""Lines above a table that are taken for a title and not for a part of it; only when they are narrow, too."""
_LONGEST_LINE: Final = 64 * 1024


def convert_delimited(connection: duckdb.DuckDBPyConnection, file: Path, path: Path, limits: Limits) -> list[str]:
    """Writes a CSV file as Parquet to `path`, and returns notes on how it was read.

    It may be compressed with gzip. Text is UTF-8, UTF-16 with a byte order mark, or else Windows-1252.
    Lines above the table are left out where they are at most half as wide as it, with a note. No other line is, because
    answers would be wrong then: what cannot be read as a whole is Unreadable.
    """
    encoding = _encoding(file, limits)
    if encoding == "utf-8":
        return _convert(connection, file, path)
    copy = path.with_suffix(".part")
    try:
        with copy.open("w", encoding="utf-8", newline="") as stream:
            stream.writelines(_decoded(file, encoding, limits))
        return [*_convert(connection, copy, path), f"read as {encoding}"]
    finally:
        copy.unlink(missing_ok=True)


def _encoding(file: Path, limits: Limits) -> str:
    filled = False
    try:
        for text in _decoded(file, "utf-8", limits):
            filled = filled or bool(text.strip("\ufeff \t\r\n"))
    except UnicodeDecodeError:
        with _opened(file) as stream:
            return "utf-16" if stream.read(2) in _BYTE_ORDER_MARKS else "cp1252"
    if not filled:
        raise Unreadable("holds nothing")
    return "utf-8"


def _decoded(file: Path, encoding: str, limits: Limits) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        for piece in _pieces(file, limits):
            text = decoder.decode(piece)
            if "\0" in text:
                raise Unreadable("is not text: holds NUL characters")
            yield text
        yield decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        if encoding == "utf-8":
            raise
        raise Unreadable("is no text in UTF-8, UTF-16 or Windows-1252") from None


def _pieces(file: Path, limits: Limits) -> Iterator[bytes]:
    size = 0
    try:
        with _opened(file) as stream:
            while piece := stream.read(_PIECE):
                size += len(piece)
                if size > limits.file_bytes:
                    raise Unreadable(f"holds more than {limits.file_bytes // 1024**2:,} MB")
                yield piece
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise Unreadable("is a damaged gzip file") from None


def _opened(file: Path) -> BinaryIO:
    return cast(BinaryIO, gzip.open(file)) if file.suffix.lower() == ".gz" else file.open("rb")


def _convert(connection: duckdb.DuckDBPyConnection, file: Path, path: Path) -> list[str]:
    found = _sniffed(connection, file)
    if found is not None and not found.lines_differ:
        above = _lines(file, found.skipped)
        if all((line.count(found.delimiter) + 1) * 2 <= found.columns for line in above):
            _copy(connection, file, path, found.delimiter, found.skipped)
            left_out = f"{len(above)} {'lines' if len(above) > 1 else 'line'} above the table left out"
            return [left_out] if above else []
    # Left alone, DuckDB would take each line for one value, or begin below the lines that do not fit.
    first = next((line for line in _lines(file, _LOOKED_AT) if line.strip()), "")
    delimiter = max(_DELIMITERS, key=first.count)
    columns = _copy(connection, file, path, delimiter, 0, ", null_padding = true")
    return ["lines have different numbers of values: what is missing is null"] if columns > 1 else []


@dataclass(frozen=True, slots=True)
class _Sniffed:
    """What DuckDB makes of the first thousands of lines; `skipped` is the number of lines it would leave out above."""

    delimiter: str
    skipped: int
    columns: int
    first_column: str

    @property
    def lines_differ(self) -> bool:
        alone = self.columns == 1 and any(delimiter in self.first_column for delimiter in _DELIMITERS)
        return alone or self.skipped > _LOOKED_AT


def _sniffed(connection: duckdb.DuckDBPyConnection, file: Path) -> _Sniffed | None:
    asked = "Delimiter, SkipRows, len(Columns), Columns[1].name"
    try:
        row = connection.execute(f"SELECT {asked} FROM sniff_csv({one_file(file)}{_NO_COMMENTS})").fetchone()  # noqa: S608
    except duckdb.InvalidInputException:
        return None
    assert row is not None, "it gives one row"
    return _Sniffed(*row)


def _lines(file: Path, most: int) -> list[str]:
    """The first lines of a file in UTF-8, each of bounded length."""
    with _opened(file) as stream:
        lines = [stream.readline(_LONGEST_LINE) for _ in range(most)]
    return [line.decode("utf-8-sig", "replace") for line in lines if line]


def _copy(
    connection: duckdb.DuckDBPyConnection, file: Path, path: Path, delimiter: str, skipped: int, more: str = ""
) -> int:
    """Returns the number of columns."""
    told = f"delim = {literal(delimiter)}, skip = {skipped}, sample_size = -1{_NO_COMMENTS}{more}"
    source = f"read_csv({one_file(file)}, {told})"
    try:
        connection.execute(f"COPY (SELECT * FROM {source}) TO {literal(str(path))} (FORMAT parquet)")  # noqa: S608
    except duckdb.InvalidInputException as error:
        reason = _longer_line(file, delimiter, skipped) or f"cannot be read: {first_line(error, file)}"
        raise Unreadable(reason) from error
    return len(connection.execute(f"DESCRIBE FROM {parquet(path)}").fetchall())


def _longer_line(file: Path, delimiter: str, skipped: int) -> str:
    """Says which line has more values than the first one, which DuckDB does not always tell; empty when none has."""
    try:
        with _opened(file) as stream:
            lines = io.TextIOWrapper(stream, "utf-8-sig", "replace", newline="")
            rows = csv.reader(islice(lines, skipped, None), delimiter=delimiter)
            width = len(next(rows, []))
            longer = next((row for row in rows if len(row) > width), None)
            if longer is None:
                return ""
            return f"line {rows.line_num + skipped} has {len(longer)} values where {width} are expected"
    except csv.Error:
        return ""
