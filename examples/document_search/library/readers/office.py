"""Documents of Word (.docx) and LibreOffice (.odt), and slides of PowerPoint (.pptx)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from library.document import Block, Document, Limits
from library.errors import Unreadable
from library.readers.archive import Archive, Event, text_in

_WORD_BODY = "word/document.xml"
_WORD_NOTES = ("word/footnotes.xml", "word/endnotes.xml")
_SLIDES = "ppt/presentation.xml"
_HEADING_STYLE = re.compile(r"heading ([1-9])$")
_SPACES = {"tab": " ", "br": " ", "cr": " ", "s": " ", "line-break": " ", "noBreakHyphen": "-"}
_TITLES = frozenset({"title", "ctrTitle"})
_ON_EVERY_SLIDE = frozenset({"sldNum", "dt", "ftr"})
# What Word repeats for older programs, and what LibreOffice keeps of text already deleted.
_NOT_SHOWN = frozenset({"Fallback", "tracked-changes", "annotation"})


def read_docx(stream: BinaryIO, size: int, limits: Limits) -> Document:
    """One block a paragraph, counted through the text, its tables and then its notes."""
    archive = Archive(stream, size, limits)
    if _WORD_BODY not in archive:
        raise Unreadable("is not a Word document")
    levels = _heading_levels(archive)
    return Document("paragraph", _word(archive, levels), archive.title())


def read_odt(stream: BinaryIO, size: int, limits: Limits) -> Document:
    """One block a paragraph, counted through the text and its tables."""
    archive = Archive(stream, size, limits)
    if "content.xml" not in archive:
        raise Unreadable("is not an OpenDocument text")
    title = text_in(archive.events("meta.xml"), "title")
    return Document("paragraph", _placed(_odt(archive)), title)


def read_pptx(stream: BinaryIO, size: int, limits: Limits) -> Document:
    """One block a paragraph of a slide or of its notes, numbered and headed as the slide."""
    archive = Archive(stream, size, limits)
    if _SLIDES not in archive:
        raise Unreadable("is not a PowerPoint presentation")
    return Document("slide", _slides(archive, limits), archive.title())


def _heading_levels(archive: Archive) -> dict[str, int]:
    """Style id → level. Ids are in the language of the program that wrote them, names are always English."""
    levels: dict[str, int] = {}
    style = ""
    for event in archive.events("word/styles.xml"):
        if event.kind != "start":
            continue
        if event.name == "style":
            style = event.get("styleId")
        elif event.name == "name" and (match := _HEADING_STYLE.match(event.get("val").lower())):
            levels[style] = int(match[1])
        elif event.name == "name" and event.get("val").lower() == "title":
            levels[style] = 1
    return levels


Paragraph = tuple[str, int]
"""Text, and the level when it is a heading (0 when it is not)."""


def _word(archive: Archive, levels: dict[str, int]) -> Iterator[Block]:
    def everything() -> Iterator[Paragraph]:
        for part in (_WORD_BODY, *_WORD_NOTES):
            yield from _paragraphs(archive.events(part), levels)

    return _placed(everything())


def _odt(archive: Archive) -> Iterator[Paragraph]:
    return _paragraphs(archive.events("content.xml"), {}, run=None)


def _placed(paragraphs: Iterable[Paragraph]) -> Iterator[Block]:
    way: list[tuple[int, str]] = []
    for number, (text, level) in enumerate(paragraphs, start=1):
        if level and text.strip():
            way = [step for step in way if step[0] < level] + [(level, text.strip()[:200])]
        yield Block(number, text, " › ".join(step for _, step in way))


def _paragraphs(events: Iterable[Event], levels: dict[str, int], run: str | None = "t") -> Iterator[Paragraph]:
    """Paragraphs (`p`, `h`) in order. With `run`, only text inside elements of that name counts."""
    pieces: list[str] = []
    level = 0
    in_run = run is None
    for event in _shown(events):
        if event.kind == "text":
            pieces.append(event.name if in_run else "")
        elif event.name in {"p", "h"}:
            # A paragraph in a paragraph is a text box: what came before it is a paragraph of its own.
            if event.kind == "end" or "".join(pieces).strip():
                yield "".join(pieces), level
            pieces, level = [], _outline(event)
        elif event.name == run:
            in_run = event.kind == "start"
        elif event.kind == "start":
            pieces.append(_SPACES.get(event.name, ""))
            level = levels.get(event.get("val"), 0) if event.name == "pStyle" else level


def _shown(events: Iterable[Event]) -> Iterator[Event]:
    """Leaves out the elements that nobody sees, with all that is in them."""
    depth = 0
    for event in events:
        if event.kind != "text" and event.name in _NOT_SHOWN:
            depth += 1 if event.kind == "start" else -1
        elif not depth:
            yield event


def _outline(event: Event) -> int:
    if event.name != "h" or event.kind != "start":
        return 0
    written = event.get("outline-level")
    return int(written) if written.isdecimal() and len(written) == 1 else 1


def _slides(archive: Archive, limits: Limits) -> Iterator[Block]:
    relations = archive.relations(_SLIDES)
    order = [
        relations.get(event.relationship, "")
        for event in archive.events(_SLIDES)
        if event.kind == "start" and event.name == "sldId"
    ]
    for number, part in enumerate(order[: limits.pages], start=1):
        paragraphs = list(_slide_paragraphs(archive.events(part)))
        title = " ".join(text for text, is_title in paragraphs if is_title).strip()[:200]
        for text, _ in paragraphs:
            yield Block(number, text, title)
        for target in archive.relations(part).values():
            if "/notesSlides/" in target:
                yield from (Block(number, text, title) for text, _ in _slide_paragraphs(archive.events(target)))


def _slide_paragraphs(events: Iterable[Event]) -> Iterator[tuple[str, bool]]:
    """Text of each paragraph, and whether it stands in the title of the slide."""
    pieces: list[str] = []
    holder = ""
    in_run = False
    for event in _shown(events):
        holder = _placeholder(event, holder)
        if event.kind == "text":
            pieces.append(event.name if in_run and holder not in _ON_EVERY_SLIDE else "")
        elif event.name == "t":
            in_run = event.kind == "start"
        elif event.name == "br":
            pieces.append(" ")
        elif event.name == "p":
            if event.kind == "end":
                yield "".join(pieces), holder in _TITLES
            pieces = []


def _placeholder(event: Event, current: str) -> str:
    """What the shape is for that the walk is in after this event; empty when it is nothing special."""
    if event.name == "sp" and event.kind != "text":
        return ""
    return event.get("type") if event.name == "ph" and event.kind == "start" else current
