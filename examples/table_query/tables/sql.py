"""Names and paths as they stand in SQL, and what DuckDB says as it may be passed on."""

from __future__ import annotations

import os
from pathlib import Path

_LONGEST_MESSAGE = 1_000


def identifier(name: str) -> str:
    """A name in double quotes."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text in single quotes."""
    return "'" + text.replace("'", "''") + "'"


def one_file(path: Path) -> str:
    """A path as DuckDB's readers take it."""
    return literal(pattern(path))


def pattern(path: Path) -> str:
    """A pattern of DuckDB's that fits this file alone, also when its name looks like one itself."""
    return "".join(f"[{character}]" if character in "*?[" else character for character in os.fspath(path))


def parquet(path: Path) -> str:
    """The table function that reads exactly one Parquet file, without columns made of the names of its folders."""
    return f"read_parquet({one_file(path)}, hive_partitioning = false)"


def first_line(error: BaseException, *paths: Path) -> str:
    """The first line of what `told` gives, without its label."""
    text = told(error, *paths).partition("\n")[0]
    label, colon, rest = text.partition(": ")
    return (rest if colon and label.endswith("Error") else text)[:300].rstrip(". ")


def told(error: BaseException, *paths: Path) -> str:
    """What DuckDB says, of bounded length, without the folders of these paths and without where in DuckDB it was."""
    text = str(error).strip().partition("\n\nStack Trace")[0]
    for path in paths:
        text = text.replace(f"{path.parent}{os.sep}", "")
    return text[:_LONGEST_MESSAGE].strip() or type(error).__name__
