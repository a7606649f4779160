"""The file with the index: made, opened, and made anew when it is of no use.

Everything in it can be read again from the folder, so a damaged or outdated file is no reason to stop.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from library.errors import NotAnIndex

TOKENIZER = "porter unicode61 remove_diacritics 2"
"""Letters and digits of every language, without accents, English endings removed: `cafés` finds `café`."""

WEIGHTS = (2.0, 4.0, 3.0, 1.0)
"""How much a word counts in the file's name, the title, the heading and the text: a word in a title says what all of
it is about. Powers of two and three, not more, so that a good paragraph still beats a mere title."""

_VERSION = 1
_APPLICATION = 0x41446F63
_NOT_DAMAGE = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_FULL})
_SCHEMA = f"""
CREATE TABLE folder (path TEXT NOT NULL);
CREATE TABLE files (
    id         INTEGER PRIMARY KEY,
    name       TEXT NOT NULL UNIQUE,
    signature  TEXT NOT NULL,
    unit       TEXT NOT NULL,
    passages   INTEGER NOT NULL,
    characters INTEGER NOT NULL,
    notes      TEXT NOT NULL,
    skipped    TEXT NOT NULL
);
CREATE VIRTUAL TABLE passages USING fts5 (
    name, title, heading, body, positions UNINDEXED, tokenize = '{TOKENIZER}', prefix = '3'
);
CREATE VIRTUAL TABLE words USING fts5vocab (passages, 'row');
INSERT INTO passages (passages, rank) VALUES ('rank', 'bm25({", ".join(map(str, WEIGHTS))})');
PRAGMA application_id = {_APPLICATION};
PRAGMA user_version = {_VERSION};
"""  # noqa: S608 - only constants of this module


def prepare(database: Path, folder: Path) -> None:
    """Makes the file ready for this folder.

    An index that is damaged, of another version or of another folder is emptied first: what it holds of another
    folder must not be found any more. Raises NotAnIndex for a file that is something else, and sqlite3.Error when
    it cannot be written.
    """
    database.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if _fits(database, folder):
        return
    for ending in ("", "-wal", "-shm"):
        database.with_name(database.name + ending).unlink(missing_ok=True)
    database.touch(mode=0o600)  # it holds the text of the documents
    with closing(connect(database)) as connection:
        connection.executescript(_SCHEMA)
        connection.execute("INSERT INTO folder VALUES (?)", (ascii(str(folder)),))


def connect(database: Path) -> sqlite3.Connection:
    """A connection that may move between threads (but is used by one at a time) and begins no transaction itself."""
    connection = sqlite3.connect(database, timeout=10, isolation_level=None, check_same_thread=False)
    # WAL: searches go on while files are being indexed. What a power cut takes is read again from the folder.
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    return connection


def _fits(database: Path, folder: Path) -> bool:
    """Whether the file can be used as it is. Raises NotAnIndex when it must not be touched."""
    if not database.exists():
        return False
    if not _ours(database):
        raise NotAnIndex(database)
    try:
        with closing(connect(database)) as connection:
            if connection.execute("PRAGMA user_version").fetchone() != (_VERSION,):
                return False
            if connection.execute("PRAGMA quick_check (1)").fetchone() != ("ok",):
                return False
            return bool(connection.execute("SELECT path FROM folder").fetchone() == (ascii(str(folder)),))
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", None) in _NOT_DAMAGE:
            raise
        return False


def _ours(database: Path) -> bool:
    """By the application id in the header (SQLite's file format, offset 68), which survives damage further on."""
    if not database.is_file():
        return False
    with database.open("rb") as stream:
        header = stream.read(72)
    return not header or header[68:] == _APPLICATION.to_bytes(4, "big")
