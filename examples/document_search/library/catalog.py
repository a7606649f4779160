"""The whole library: a folder, the index of it, and the questions asked.

Everything here blocks, so an agent calls it in a thread. Work that takes long is cut into steps, so that between two
of them progress can be told and the work given up.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from library.document import Limits, Reading
from library.errors import Unreadable
from library.folder import Entry, scan
from library.index import Index, Line, Totals, incomplete, skipped, totals
from library.reading import FileReader
from library.search import Hit, search
from library.words import Stemmer

MOST_LINES = 200
"""Lines of a report for each kind; the counts are always of all."""
_BATCH_FILES = 50
_BATCH_CHARACTERS = 2_000_000
_BATCH_SECONDS = 1.0
_CHEAP_SCAN = 0.05
"""Seconds; a look at the folder that is no longer may be repeated for every question."""
_SCAN_SHARE = 0.1
"""Share of the time that may go into longer ones, however many questions are asked."""


@dataclass(frozen=True, slots=True)
class Step:
    """How far a refresh has come: files done of files to read."""

    done: int
    total: int
    removed: int


@dataclass(frozen=True, slots=True)
class Status:
    """What is in the library, and what is not."""

    totals: Totals
    skipped: list[Line]
    incomplete: list[Line]


class Catalog:
    """A folder and its index. Safe to use from several threads."""

    def __init__(
        self,
        folder: Path,
        database: Path,
        limits: Limits | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Opens the index, or makes it; reads nothing yet.

        Raises NotAnIndex when `database` is another kind of file, sqlite3.Error when it cannot be used.
        """
        self._folder = folder.resolve()
        self._database = database
        self._clock = clock
        self._index = Index(database, self._folder)
        self._reader = FileReader(limits or Limits())
        self._stemmer = Stemmer()
        self._writing = threading.Lock()
        self._next_scan = clock()

    def due(self) -> bool:
        """Whether it is time to look for changes again: a scan that took long is not repeated soon."""
        return self._clock() >= self._next_scan

    def refresh(self, *, everything: bool = False) -> Iterator[Step]:
        """Brings the index up to date with the folder: one step for each batch of files, the last when all is done.

        Only changed files are read, unless `everything`. Files that are gone are taken out first. Raises FolderMissing
        (the index stays as it is), Closed, and sqlite3.Error when the index cannot be written (a full disk).
        """
        began = self._clock()
        entries = scan(self._folder)
        spent = self._clock() - began
        changed, gone = self._compared(entries, everything=everything)
        yield Step(0, len(changed), len(gone))
        waiting = iter(changed)
        done = 0
        while batch := self._next_batch(waiting):
            done += batch
            yield Step(done, len(changed), len(gone))
        self._next_scan = self._clock() + (spent / _SCAN_SHARE if spent > _CHEAP_SCAN else 0.0)

    def search(self, query: str, limit: int) -> list[Hit]:
        """The best passages for a query. Raises EmptyQuery when it holds no word."""
        return search(self._database, self._stemmer, query, limit)

    def status(self) -> Status:
        """What is in the index now."""
        return Status(
            totals(self._database),
            skipped(self._database, MOST_LINES),
            incomplete(self._database, MOST_LINES),
        )

    def close(self) -> None:
        """Ends the process that reads, and closes the index once what is being written is written."""
        self._reader.close()
        with self._writing:
            self._reader.close()  # again: one may have been started while the first was ended
            self._index.close()
        self._stemmer.close()

    def _compared(self, entries: Sequence[Entry], *, everything: bool) -> tuple[list[Entry], list[str]]:
        with self._writing:
            known = self._index.signatures()
            changed = [entry for entry in entries if everything or known.get(entry.name) != entry.signature]
            gone = sorted(known.keys() - {entry.name for entry in entries})
            with self._index.transaction():
                self._index.remove(gone)
        return changed, gone

    def _next_batch(self, waiting: Iterator[Entry]) -> int:
        """Reads some files and writes them in one transaction; how many."""
        with self._writing:
            batch = list(self._read(waiting))
            if batch:
                with self._index.transaction():
                    for entry, found in batch:
                        self._write(entry, found)
        return len(batch)

    def _read(self, waiting: Iterator[Entry]) -> Iterator[tuple[Entry, Reading | str]]:
        """Files with what is in them, or the reason why they are skipped, until a batch is full."""
        until = self._clock() + _BATCH_SECONDS
        characters = 0
        for entry in islice(waiting, _BATCH_FILES):
            found = self._found(entry)
            characters += found.characters if isinstance(found, Reading) else 0
            yield entry, found
            if characters >= _BATCH_CHARACTERS or self._clock() >= until:
                return

    def _found(self, entry: Entry) -> Reading | str:
        if entry.skipped:
            return entry.skipped
        try:
            return self._reader.read(self._folder / entry.path, entry.name)
        except Unreadable as error:
            return error.reason

    def _write(self, entry: Entry, found: Reading | str) -> None:
        if isinstance(found, Reading):
            self._index.put(entry, found)
        else:
            self._index.skip(entry, found)
