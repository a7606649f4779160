"""One file of the folder → tables whose rows are in Parquet."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import duckdb

from tables.delimited import convert_delimited
from tables.engine import opened
from tables.errors import Unreadable
from tables.limits import LONGEST_NAME, MOST_COLUMNS, Limits
from tables.sql import first_line, one_file, parquet
from tables.table import Column, Import, Part


def convert(file: Path, kind: str, target: Path, limits: Limits) -> Import:
    """Makes tables of a file, of a kind in `folder.KINDS`.

    What is written is called `<target>-0.parquet` and so on; a Parquet file is only looked at, and used where it is.
    Raises Unreadable with the reason.
    """
    _check(file, kind, limits)
    with opened(limits.import_megabytes, limits.threads) as connection:
        try:
            return _converted(connection, file, kind, target, limits)
        except duckdb.OutOfMemoryException as error:
            raise Unreadable("needs too much memory") from error
        except duckdb.IOException as error:
            # The disk is full, or the file went away: the next try may see something else.
            raise Unreadable(f"cannot be read: {first_line(error, file, target)}", passing=True) from error
        except duckdb.Error as error:
            raise Unreadable(f"cannot be read: {first_line(error, file, target)}") from error


def _check(file: Path, kind: str, limits: Limits) -> None:
    """The folder was listed a moment ago: what is there now may be something else."""
    try:
        state = file.lstat()
    except OSError as error:
        raise Unreadable(f"cannot be opened: {error.strerror}", passing=True) from error
    if not stat.S_ISREG(state.st_mode) or os.path.realpath(file) != os.fspath(file):
        raise Unreadable("is no ordinary file any more", passing=True)
    if kind != "parquet" and state.st_size > limits.file_bytes:
        raise Unreadable(f"is larger than {limits.file_bytes // 1024**2:,} MB")


def _converted(connection: duckdb.DuckDBPyConnection, file: Path, kind: str, target: Path, limits: Limits) -> Import:
    if kind == "xlsx":
        # Only now: openpyxl is slow to import.
        from tables.workbook import convert_workbook

        return convert_workbook(connection, file, target, limits)
    if kind == "parquet":
        return Import((_part(connection, file, ""),))
    path = target.with_name(f"{target.name}-0.parquet")
    notes = convert_delimited(connection, file, path, limits)
    part = _part(connection, path, path.name)
    return Import((Part(part.parquet, part.columns, part.rows, notes=tuple(notes)),))


def _part(connection: duckdb.DuckDBPyConnection, path: Path, name: str) -> Part:
    described = connection.execute(f"DESCRIBE FROM {parquet(path)}").fetchall()
    columns = tuple(Column(column, kind[:LONGEST_NAME]) for column, kind, *_ in described)
    if len(columns) > MOST_COLUMNS:
        raise Unreadable(f"has more than {MOST_COLUMNS:,} columns")
    if any(len(column.name) > LONGEST_NAME for column in columns):
        raise Unreadable(f"has a column with a name of more than {LONGEST_NAME} characters")
    counted = connection.execute(f"SELECT num_rows FROM parquet_file_metadata({one_file(path)})").fetchone()  # noqa: S608
    return Part(name, columns, int(counted[0]) if counted else 0)
