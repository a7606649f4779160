"""What a reader makes of a file, and the bounds it keeps to."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import BinaryIO, Literal

Unit = Literal["line", "page", "paragraph", "slide", "row"]
"""What the number of a position counts: lines of a text, pages of a PDF, rows of a sheet …"""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of one file is read. What lies beyond is left out, and the report says so."""

    text_bytes: int = 20_000_000
    """Text, Markdown and HTML files are read up to here."""
    file_bytes: int = 200_000_000
    """PDF and Office files above this are skipped: their directory is at the end, so a part is of no use."""
    unpacked_bytes: int = 100_000_000
    """All that may come out of one Office file (a zip archive) while it is read."""
    pages: int = 2_000
    blocks: int = 500_000
    characters: int = 20_000_000
    seconds: float = 30.0
    """Time for one file; then the process that reads it is ended."""


@dataclass(frozen=True, slots=True)
class Block:
    """The smallest thing with a position of its own: a line, a paragraph, a row, a page.

    `number` counts from 1 in the document's unit. A block without text marks the end of a paragraph.
    """

    number: int
    text: str
    heading: str = ""


@dataclass(frozen=True, slots=True)
class Document:
    """A file as its reader sees it. `blocks` may be read once, and `notes` is complete only after that."""

    unit: Unit
    blocks: Iterable[Block]
    title: str = ""
    notes: list[str] = field(default_factory=list)


ReadFunction = Callable[[BinaryIO, int, Limits], Document]
"""Reads an open file of so many bytes. Raises Unreadable, or anything else on input nobody foresaw."""


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of a document of a size worth showing; `positions` has one number for each line of `text`."""

    heading: str
    text: str
    positions: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Reading:
    """All that is kept of one file."""

    unit: Unit
    title: str
    passages: tuple[Passage, ...]
    notes: tuple[str, ...] = ()

    @property
    def characters(self) -> int:
        """Characters of text in all passages."""
        return sum(len(passage.text) for passage in self.passages)
