"""Everything this package raises on purpose.

TablesError
├── FolderMissing    the folder of files is not there
├── Unreadable       one file cannot be made into a table; the others are not touched
├── UnknownTable     no file of the folder gives a table of that name
└── QueryFailed      a query has no answer, and the same query would have none again
    ├── BadSql           it is not one SELECT, or DuckDB cannot run it
    ├── TooSlow          it takes longer than the time limit
    └── TooMuchMemory    it needs more than the memory limit
"""

from __future__ import annotations

from pathlib import Path


class TablesError(Exception):
    """Base of every error of this package."""


class FolderMissing(TablesError):
    """The folder is not there: never made, or not mounted."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.folder = folder

    def __str__(self) -> str:
        return f"there is no folder {self.folder}: make it, or set TABLES_FOLDER to a folder of yours"


class Unreadable(TablesError):
    """One file cannot be read. `reason` is for a person and holds no path of this machine.

    `passing` says that it may be different next time, with the file as it is: the disk is full, the time was short.
    """

    def __init__(self, reason: str, *, passing: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.passing = passing


class UnknownTable(TablesError):
    """No file of the folder gives a table of this name."""

    def __init__(self, name: str, known: list[str]) -> None:
        super().__init__(name, known)
        self.name = name
        self.known = known

    def __str__(self) -> str:
        return f"there is no table {self.name[:100]}; {told_names(self.known)}"


class QueryFailed(TablesError):
    """The query has no answer. The text is for its author: bounded, with no path of this machine."""

    code = "query_failed"


class BadSql(QueryFailed):
    """Not one SELECT statement, or one that DuckDB cannot run."""

    code = "bad_sql"


class TooSlow(QueryFailed):
    """It was stopped at the time limit."""

    code = "too_slow"


class TooMuchMemory(QueryFailed):
    """It was stopped at the memory limit."""

    code = "too_much_memory"


BY_CODE: dict[str, type[QueryFailed]] = {kind.code: kind for kind in (QueryFailed, BadSql, TooSlow, TooMuchMemory)}


def told_names(known: list[str], most: int = 30) -> str:
    """A sentence that lists tables, the first of them when there are many."""
    if not known:
        return "the folder gives no table at all"
    known = sorted(known)
    more = f" and {len(known) - most} more" if len(known) > most else ""
    return f"the tables are {', '.join(known[:most])}{more}"
