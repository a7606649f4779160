"""The index of passages in SQLite: what is in it, what goes in, what goes out.

A passage's rowid is its file's id times ROOM plus its place in the file. So all passages of a file lie side by side,
and are removed and cited without a second index (FTS5 has none on its columns).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from library.database import connect, prepare
from library.document import Reading
from library.folder import Entry
from library.words import for_index

ROOM = 1_000_000
"""Rowids kept for one file; the limits on a file allow far fewer passages."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the report: a file that is not in the index, or not all of it."""

    file: str
    reason: str


@dataclass(frozen=True, slots=True)
class Totals:
    """What is in the index."""

    files: int
    passages: int
    characters: int
    skipped: int


class Index:
    """Writes are for one thread at a time; readers of the same file are never in their way."""

    def __init__(self, database: Path, folder: Path) -> None:
        """Raises NotAnIndex, and sqlite3.Error when the file cannot be used."""
        prepare(database, folder)
        self._connection = connect(database)

    def close(self) -> None:
        """Closes the file."""
        self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All that is written inside is written at once, or, after an error, not at all."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    def signatures(self) -> dict[str, str]:
        """Name of each file known → its signature when it was read."""
        return dict(self._connection.execute("SELECT name, signature FROM files"))

    def put(self, entry: Entry, reading: Reading) -> None:
        """Puts a file in, in the place of what was known of it. Inside a transaction."""
        file = self._file(entry, reading.unit, (len(reading.passages), reading.characters), reading.notes)
        self._connection.executemany(
            "INSERT INTO passages (rowid, name, title, heading, body, positions) VALUES (?, ?, ?, ?, ?, ?)",
            (
                (
                    file * ROOM + place,
                    for_index(entry.name),
                    for_index(reading.title),
                    for_index(passage.heading),
                    for_index(passage.text),
                    " ".join(map(str, passage.positions)),
                )
                for place, passage in enumerate(reading.passages)
            ),
        )

    def skip(self, entry: Entry, reason: str) -> None:
        """Notes that a file is not read, and why; what was in of it goes out. Inside a transaction."""
        self._file(entry, "", (0, 0), (), reason)

    def remove(self, names: Iterable[str]) -> None:
        """Takes files out that are no longer in the folder. Inside a transaction."""
        for name in names:
            row = self._connection.execute("DELETE FROM files WHERE name = ? RETURNING id", (name,)).fetchone()
            if row is not None:
                self._take_out(row[0])

    def _file(self, entry: Entry, unit: str, size: tuple[int, int], notes: tuple[str, ...], skipped: str = "") -> int:
        self.remove([entry.name])
        cursor = self._connection.execute(
            "INSERT INTO files (name, signature, unit, passages, characters, notes, skipped)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (entry.name, entry.signature, unit, *size, "; ".join(notes), skipped),
        )
        assert cursor.lastrowid is not None
        return cursor.lastrowid

    def _take_out(self, file: int) -> None:
        first = file * ROOM
        self._connection.execute("DELETE FROM passages WHERE rowid BETWEEN ? AND ?", (first, first + ROOM - 1))


def totals(database: Path) -> Totals:
    """Counts of what is in the index."""
    with closing(connect(database)) as connection:
        row = connection.execute(
            "SELECT count(*) FILTER (WHERE skipped = ''), coalesce(sum(passages), 0),"
            " coalesce(sum(characters), 0), count(*) FILTER (WHERE skipped <> '') FROM files"
        ).fetchone()
    return Totals(*row)


def skipped(database: Path, most: int) -> list[Line]:
    """The first files by name that are not in the index, with the reason."""
    return _lines(database, "SELECT name, skipped FROM files WHERE skipped <> '' ORDER BY name LIMIT ?", most)


def incomplete(database: Path, most: int) -> list[Line]:
    """The first files by name of which something was left out, with what."""
    return _lines(database, "SELECT name, notes FROM files WHERE notes <> '' ORDER BY name LIMIT ?", most)


def _lines(database: Path, query: str, most: int) -> list[Line]:
    with closing(connect(database)) as connection:
        return [Line(*row) for row in connection.execute(query, (most,))]
