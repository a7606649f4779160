"""Sheets of Excel (.xlsx): one block a row."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import BinaryIO

from library.document import Block, Document, Limits
from library.errors import Unreadable
from library.readers.archive import Archive

_BOOK = "xl/workbook.xml"
_LONGEST_CELL = 2_000
_LONGEST_ROW = 20_000
# Numbers of the formats every Excel has for dates and times (ECMA-376, 18.8.30).
_DATE_FORMATS = frozenset({*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)})
_DATE_CODE = re.compile(r"[yd]", re.IGNORECASE)
_NOT_CODE = re.compile(r'"[^"]*"|\[[^\]]*\]|\\.')
_EPOCH = datetime(1899, 12, 30)  # noqa: DTZ001 - a sheet knows no time zone
_LAST_DAY = 2_958_465
"""31 December 9999, where Excel's calendar ends."""


def read_xlsx(stream: BinaryIO, size: int, limits: Limits) -> Document:
    """Rows numbered as Excel numbers them, headed by the name of their sheet; dates as `2026-03-31`."""
    archive = Archive(stream, size, limits)
    if _BOOK not in archive:
        raise Unreadable("is not an Excel workbook")
    return Document("row", _rows(archive, limits), archive.title())


def _rows(archive: Archive, limits: Limits) -> Iterator[Block]:
    relations = archive.relations(_BOOK)
    sheets = [
        (event.get("name"), relations.get(event.relationship, ""))
        for event in archive.events(_BOOK)
        if event.kind == "start" and event.name == "sheet"
    ]
    targets = list(relations.values())
    strings = _strings(archive, _named(targets, "sharedStrings"), limits)
    dates = _date_styles(archive, _named(targets, "styles"))
    for name, part in sheets[: limits.pages]:
        yield from _sheet(archive, part, name, strings, dates)


def _named(targets: list[str], name: str) -> str:
    return next((target for target in targets if target.endswith(f"/{name}.xml")), f"xl/{name}.xml")


def _strings(archive: Archive, part: str, limits: Limits) -> list[str]:
    """Texts that cells refer to by number. Reading aids (`rPh`) written over Japanese are left out."""
    found: list[str] = []
    pieces: list[str] = []
    in_text = aside = False
    for event in archive.events(part):
        if event.kind == "text":
            pieces.append(event.name if in_text and not aside else "")
        elif event.name == "t":
            in_text = event.kind == "start"
        elif event.name == "rPh":
            aside = event.kind == "start"
        elif event.name == "si" and event.kind == "end":
            found.append("".join(pieces)[:_LONGEST_CELL])
            pieces = []
        if len(found) >= limits.blocks:
            break
    return found


def _date_styles(archive: Archive, part: str) -> frozenset[int]:
    """Styles that show a number as a date."""
    formats = set(_DATE_FORMATS)
    styles: set[int] = set()
    in_cells = False
    count = 0
    for event in archive.events(part):
        if event.name == "cellXfs":
            in_cells = event.kind == "start"
        elif event.kind != "start":
            continue
        elif event.name == "numFmt" and _DATE_CODE.search(_NOT_CODE.sub("", event.get("formatCode"))):
            formats.add(_number(event.get("numFmtId")))
        elif event.name == "xf" and in_cells:
            if _number(event.get("numFmtId")) in formats:
                styles.add(count)
            count += 1
    return frozenset(styles)


def _sheet(archive: Archive, part: str, name: str, strings: list[str], dates: frozenset[int]) -> Iterator[Block]:
    cells: list[str] = []
    number = length = 0
    value: list[str] = []
    kind = style = ""
    in_value = False
    for event in archive.events(part):
        if event.kind == "text":
            value.append(event.name if in_value else "")
        elif event.name in {"v", "t"}:
            in_value = event.kind == "start"
        elif event.name == "c" and event.kind == "start":
            kind, style, value = event.get("t"), event.get("s"), []
        elif event.name == "c" and length < _LONGEST_ROW:
            cells.append(_shown("".join(value), kind, strings, is_date=_number(style) in dates))
            length += len(cells[-1])
        elif event.name == "row" and event.kind == "start":
            number = max(_number(event.get("r")), number + 1)
            cells, length = [], 0
        elif event.name == "row":
            yield Block(number, " | ".join(cell for cell in cells if cell), name)


def _shown(value: str, kind: str, strings: list[str], *, is_date: bool) -> str:
    if kind == "s":
        index = _number(value)
        return strings[index] if 0 <= index < len(strings) else ""
    if kind == "e":
        return ""
    if kind in {"", "n"} and is_date:
        return _date(value)
    return value[:_LONGEST_CELL]


def _date(value: str) -> str:
    try:
        days = float(value)
    except ValueError:
        return value[:_LONGEST_CELL]
    if not 1 <= days < _LAST_DAY:
        return value[:_LONGEST_CELL]
    moment = _EPOCH + timedelta(days=days)
    return moment.strftime("%Y-%m-%d") if days == int(days) else moment.strftime("%Y-%m-%d %H:%M")


def _number(value: str) -> int:
    """The whole number written here, -1 when there is none; a longer one than Excel writes is none."""
    return int(value) if value.isdecimal() and len(value) <= 9 else -1
