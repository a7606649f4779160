"""PDF: the text of each page."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO

from library.document import Block, Document, Limits
from library.errors import Unreadable

if TYPE_CHECKING:
    from pypdf import PdfReader

_BROKEN_WORD = re.compile(r"(?<=[^\W\d_])-\n(?=[^\W\d_])")


def read_pdf(stream: BinaryIO, size: int, limits: Limits) -> Document:
    """One block a page. A page that cannot be read is left out with a note, the others stay.

    Raises Unreadable when the file is too large, damaged or locked with a password.
    """
    if size > limits.file_bytes:
        raise Unreadable("is too large")
    reader = _opened(stream)
    count = len(reader.pages)
    notes = [f"read the first {limits.pages} of {count} pages"] if count > limits.pages else []
    return Document("page", _pages(reader, min(count, limits.pages), notes), _title(reader), notes)


def _opened(stream: BinaryIO) -> PdfReader:
    # Imported here because it is slow, and a folder without PDF files never needs it.
    from pypdf import PdfReader
    from pypdf.errors import PyPdfError

    logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # its warnings quote the file
    try:
        reader = PdfReader(stream, strict=False)
        if reader.is_encrypted and not reader.decrypt(""):
            raise Unreadable("is locked with a password")
        len(reader.pages)
    except PyPdfError as error:
        raise Unreadable("is not a PDF file, or damaged") from error
    return reader


def _title(reader: PdfReader) -> str:
    try:
        return (reader.metadata and reader.metadata.title) or ""
    except Exception:  # noqa: BLE001 - damaged metadata raises anything; the pages matter more
        return ""


def _pages(reader: PdfReader, count: int, notes: list[str]) -> Iterator[Block]:
    failed = 0
    for index in range(count):
        try:
            text = reader.pages[index].extract_text()
        except Exception:  # noqa: BLE001 - a damaged page raises anything; the other pages are still good
            failed += 1
            continue
        yield Block(index + 1, _BROKEN_WORD.sub("", text))
        yield Block(index + 1, "")
    if failed == count:
        raise Unreadable("is damaged: no page can be read")
    if failed:
        notes.append(f"{failed} of {count} pages cannot be read")
