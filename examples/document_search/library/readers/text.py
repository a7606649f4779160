"""Plain text: what counts as text, in which encoding, and its lines."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from typing import BinaryIO

from library.document import Block, Document, Limits
from library.errors import Unreadable

# UTF-32 comes first: its little-endian mark begins with the one of UTF-16.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_CONTROLS = bytes({*range(32)} - {*b"\t\n\r\f\x1b"})
_MOST_CONTROLS = 0.02
_MOST_FOREIGN = 0.3
"""Share of bytes above 127 at which text that is not UTF-8 can no longer be taken for a Western encoding."""


def read_text(stream: BinaryIO, size: int, limits: Limits) -> Document:
    """One block a line, numbered as an editor numbers them."""
    notes: list[str] = []
    text = decoded(head(stream, size, limits, notes))
    return Document("line", _lines(text), notes=notes)


def head(stream: BinaryIO, size: int, limits: Limits, notes: list[str]) -> bytes:
    """The bytes of a text file up to the limit; a note says when that is not all."""
    if size > limits.text_bytes:
        notes.append(f"read the first {_megabytes(limits.text_bytes)} of {_megabytes(size)}")
    return stream.read(limits.text_bytes)


def decoded(data: bytes) -> str:
    """Text of bytes in UTF-8, in anything with a byte order mark, or in Windows-1252 as old files are.

    Raises Unreadable for what is no text: NUL bytes, many control bytes, or mostly bytes of an unknown encoding.
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding, "replace")
    if b"\0" in data:
        raise Unreadable("is not text: holds NUL bytes")
    if len(data) - len(data.translate(None, _CONTROLS)) > _MOST_CONTROLS * len(data):
        raise Unreadable("is not text: holds control bytes")
    # Not final: a character cut in two by the limit is left out instead of spoiling the rest.
    text = codecs.getincrementaldecoder("utf-8")("replace").decode(data)
    return text if "\ufffd" not in text else _mended(data, text)


def _mended(data: bytes, as_utf8: str) -> str:
    """Text with bytes that are not UTF-8: a damaged UTF-8 file, or one in an older encoding."""
    broken = as_utf8.count("\ufffd")
    beyond_ascii = sum(character > "\x7f" for character in as_utf8) - broken
    if beyond_ascii >= broken:
        return as_utf8
    foreign = len(data) - len(data.translate(None, bytes(range(128, 256))))
    if foreign > _MOST_FOREIGN * len(data):
        raise Unreadable("is not text, or in an encoding that is not UTF-8")
    return data.decode("cp1252", "replace")


def lines_of(text: str) -> list[str]:
    """Lines as editors count them: ended by LF, CR LF or CR, and by nothing else."""
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def _lines(text: str) -> Iterator[Block]:
    for number, line in enumerate(lines_of(text), start=1):
        yield Block(number, line)


def _megabytes(size: int) -> str:
    return f"{size / 1_000_000:,.1f} MB"
