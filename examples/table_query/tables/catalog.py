"""The tables of one folder: kept up to date with its files, described and asked.

The folder is listed before every answer. A file that is new or changed is read once, in a process of its own, into
Parquet files in the cache; queries see those. A query waits only for the files it names.
"""

from __future__ import annotations

import asyncio
import re
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tables import process
from tables.cache import Cache
from tables.errors import BadSql, UnknownTable, Unreadable, told_names
from tables.folder import Entry, scan
from tables.jobs import Ask, Convert, Describe
from tables.limits import Limits
from tables.names import SHEET_MARK, name_sheets
from tables.table import Answer, Described, Import, Part, Skipped

_READERS = 2
"""Files that are read at the same time."""

Tell = Callable[[int, int], Awaitable[None]]
"""Told how many files are ready, and how many there are."""


@dataclass(frozen=True, slots=True)
class Table:
    """One table: its name in SQL, the file it comes from and what that file gave."""

    name: str
    entry: Entry
    part: Part
    parquet: Path


@dataclass(frozen=True, slots=True)
class Listing:
    """All tables of the folder, and what gives none."""

    tables: list[Table]
    skipped: list[Skipped]


class Catalog:
    """Use it on one event loop. `open` first."""

    def __init__(self, folder: Path, cache: Path) -> None:
        self._folder = folder
        self._cache = Cache(cache)
        self._limits = Limits()
        self._known: dict[str, Import] = {}
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._readers = asyncio.Semaphore(_READERS)
        self._in_use = 0
        self._current: set[str] = set()
        self._swept: set[str] | None = None

    def open(self, limits: Limits | None = None) -> None:
        """Checks the folder and makes the cache. Raises FolderMissing and OSError."""
        self._limits = limits or Limits()
        scan(self._folder, most=0)
        self._cache.open()

    async def tables(self, tell: Tell | None = None) -> Listing:
        """Every table, after reading what is new. Raises FolderMissing."""
        async with self._listed() as (entries, skipped):
            return await self._read(entries, skipped, tell)

    async def describe(self, name: str) -> tuple[Table, list[Described]]:
        """A table and its columns. Raises UnknownTable, QueryFailed and FolderMissing."""
        async with self._listed() as (entries, skipped):
            wanted = name.lower()
            found = await self._read(_named_in(wanted, entries), skipped)
            table = next((table for table in found.tables if table.name == wanted), None)
            if table is None:
                known = await self._read(entries, skipped)
                raise UnknownTable(name, [table.name for table in known.tables])
            return table, await process.describe(Describe(table.parquet), self._limits)

    async def query(self, sql: str, limit: int) -> Answer:
        """The first rows that a SELECT gives. Raises QueryFailed (see errors.py) and FolderMissing."""
        async with self._listed() as (entries, skipped):
            named = await self._read(_named_in(sql, entries), skipped)
            views = {table.name: table.parquet for table in named.tables}
            try:
                return await process.ask(Ask(views, sql, limit), self._limits)
            except BadSql as error:
                if _UNKNOWN not in str(error):
                    raise
                hint = await self._hint(sql, entries, skipped)
                raise BadSql(f"{error}\n{hint}") from None

    @asynccontextmanager
    async def _listed(self) -> AsyncIterator[tuple[list[Entry], list[Skipped]]]:
        """The files as they are now; what was made of them stays in the cache until the block ends."""
        entries, skipped = await asyncio.to_thread(scan, self._folder)
        self._in_use += 1
        self._current = {entry.key for entry in entries}
        try:
            yield entries, skipped
        finally:
            self._in_use -= 1
            if not self._in_use and self._swept != self._current:
                self._forget()

    def _forget(self) -> None:
        for old in self._known.keys() - self._current:
            del self._known[old]
        for old in self._turns.keys() - self._current:
            del self._turns[old]
        self._cache.sweep(self._current)
        self._swept = self._current

    async def _read(self, entries: list[Entry], skipped: list[Skipped], tell: Tell | None = None) -> Listing:
        ready = 0

        async def one(entry: Entry) -> None:
            nonlocal ready
            await self._import(entry)
            ready += 1
            if tell is not None:
                await tell(ready, len(entries))

        async with asyncio.TaskGroup() as tasks:
            for entry in entries:
                tasks.create_task(one(entry))
        left_out = [line for entry in entries for line in _left_out(entry, self._known[entry.key])]
        return Listing(
            [table for entry in entries for table in self._tables(entry)],
            sorted([*skipped, *left_out], key=lambda line: line.file),
        )

    async def _import(self, entry: Entry) -> None:
        """Sees to it that `_known` has the file."""
        async with self._turns[entry.key]:
            if entry.key in self._known:
                return
            made = await asyncio.to_thread(self._cache.load, entry.key)
            if made is None:
                async with self._readers:
                    made = await self._converted(entry)
            self._known[entry.key] = made

    async def _converted(self, entry: Entry) -> Import:
        job = Convert(entry.file, entry.kind, self._cache.target(entry.key))
        try:
            made = await process.convert(job, self._limits)
        except Unreadable as error:
            made = Import(reason=error.reason)
            if error.passing:
                return made
        try:
            await asyncio.to_thread(self._cache.save, entry.key, made)
        except OSError:
            pass  # known until the agent ends, and read again then
        return made

    def _tables(self, entry: Entry) -> list[Table]:
        parts = self._known[entry.key].parts
        names = name_sheets(entry.name, [part.sheet for part in parts])
        return [
            Table(name, entry, part, self._cache.folder / part.parquet if part.parquet else entry.file)
            for name, part in zip(names, parts, strict=True)
        ]

    async def _hint(self, sql: str, entries: list[Entry], skipped: list[Skipped]) -> str:
        listing = await self._read(entries, skipped)
        files = {entry.path for entry in _named_in(sql, entries)}
        unread = [f"{line.file} {line.reason}" for line in listing.skipped if line.file in files]
        return "; ".join([*unread[:5], told_names([table.name for table in listing.tables])])


_WORD = re.compile(r"\w+")
_UNKNOWN = "Table with name"
"""In what DuckDB says when a table is not known."""


def _named_in(sql: str, entries: Iterable[Entry]) -> list[Entry]:
    """The files whose tables the SQL can mean. A name in a comment or a text costs a look at that file, no more."""
    words = {word.partition(SHEET_MARK)[0] for word in _WORD.findall(sql.lower())}
    return [entry for entry in entries if entry.name in words]


def _left_out(entry: Entry, made: Import) -> list[Skipped]:
    sheets = [Skipped(f"{entry.path}, sheet {sheet}", reason) for sheet, reason in made.skipped]
    return [Skipped(entry.path, made.reason), *sheets] if made.reason else sheets
