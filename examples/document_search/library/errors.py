"""Everything this package raises on purpose.

LibraryError
├── Unreadable      one file cannot be read; the others are not touched
├── EmptyQuery      a query without a single word
├── FolderMissing   the folder of documents is not there
├── NotAnIndex      the file named for the index is something else
└── Closed          the library was closed while something was being read
"""

from __future__ import annotations

from pathlib import Path


class LibraryError(Exception):
    """Base of every error of this package."""


class Unreadable(LibraryError):
    """One file cannot be read. `reason` is for a person and never holds a path or text of the file."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class EmptyQuery(LibraryError):
    """The query holds no letter and no digit, so nothing can match it."""

    def __str__(self) -> str:
        return "the query holds no word: write at least one letter or digit"


class FolderMissing(LibraryError):
    """The folder is not there (never made, or not mounted). What is indexed is kept."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.folder = folder

    def __str__(self) -> str:
        return f"there is no folder {self.folder}: make it, or set DOCUMENTS_FOLDER to a folder of yours"


class NotAnIndex(LibraryError):
    """The file named for the index was not made by this package, so it is neither used nor replaced."""

    def __init__(self, database: Path) -> None:
        super().__init__(database)
        self.database = database

    def __str__(self) -> str:
        return f"{self.database} is not an index of documents: move it away, or set DOCUMENTS_INDEX to another file"


class Closed(LibraryError):
    """The library was closed; the file being read at that moment is read again next time."""
