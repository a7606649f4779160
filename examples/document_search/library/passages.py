"""Blocks of a document become passages: the unit that is ranked, shown and cited.

Passages are small so that words found together in one belong together, and so that a citation is exact. They never
cross a heading, they prefer to end where a paragraph ends, and each line keeps the number it has in the file.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator

from library.document import Block, Document, Limits, Passage, Reading

ROOMY = 900
"""Characters after which a passage is closed at the next block."""
LONGEST = 1_200
"""No line of a passage is longer; a longer block (a page, a minified file) is cut between sentences or words."""

# Control characters go because two of them mark found words later on; soft hyphens and zero-width spaces
# because they split a word in two for the index, though no reader ever sees them.
_UNSEEN = dict.fromkeys((*range(9), *range(14, 32), *range(127, 160), 0xAD, 0x200B, 0xFEFF))
_SURROGATES = re.compile("[\ud800-\udfff]")
_SENTENCE_END = re.compile(r"[.!?。!?]\s")


def tidy(text: str) -> str:
    """One line, single spaces, compatible forms made equal (the ligature in `ﬁle` becomes `fi`), valid Unicode."""
    plain = unicodedata.normalize("NFKC", text).translate(_UNSEEN)
    return _SURROGATES.sub("\ufffd", " ".join(plain.split()))


def reading(document: Document, limits: Limits) -> Reading:
    """Reads the whole document, up to the limits, into passages.

    Raises whatever the document's reader raises while it reads.
    """
    notes = document.notes
    passages = tuple(_grouped(_bounded(document.blocks, limits, notes)))
    if not passages:
        notes.append("holds no text")
    return Reading(document.unit, tidy(document.title)[:200], passages, tuple(notes))


def _bounded(blocks: Iterable[Block], limits: Limits, notes: list[str]) -> Iterator[Block]:
    characters = 0
    for count, block in enumerate(blocks):
        if count >= limits.blocks or characters >= limits.characters:
            notes.append(f"read up to {characters:,} characters; the rest is left out")
            return
        text = tidy(block.text)[: limits.characters - characters]
        characters += len(text)
        heading = tidy(block.heading)[:200]
        if not text:
            yield Block(block.number, "", heading)
        for piece in _pieces(text):
            yield Block(block.number, piece, heading)


def _pieces(text: str) -> Iterator[str]:
    start = 0
    while len(text) - start > LONGEST:
        end = _cut(text, start)
        yield text[start:end].strip()
        start = end
    if start < len(text):
        yield text[start:].strip()


def _cut(text: str, start: int) -> int:
    """Where to cut after `start`: behind the last sentence that fits, else the last word, else anywhere."""
    ends = [match.end() for match in _SENTENCE_END.finditer(text, start + ROOMY // 2, start + LONGEST)]
    if ends:
        return ends[-1]
    space = text.rfind(" ", start + ROOMY // 2, start + LONGEST)
    return space + 1 if space >= 0 else start + LONGEST


def _grouped(blocks: Iterable[Block]) -> Iterator[Passage]:
    group: list[Block] = []
    size = 0
    for block in blocks:
        if group and _closes(group, size, block):
            yield _joined(group)
            group, size = [], 0
        if block.text:
            group.append(block)
            size += len(block.text) + 1
    if group:
        yield _joined(group)


def _closes(group: list[Block], size: int, following: Block) -> bool:
    # A short beginning, as a title line is, stays with the long paragraph after it.
    most = LONGEST if size < ROOMY // 3 else ROOMY
    paragraph_ends = not following.text and size > ROOMY // 2
    return paragraph_ends or following.heading != group[-1].heading or size + len(following.text) > most


def _joined(group: list[Block]) -> Passage:
    text = "\n".join(block.text for block in group)
    return Passage(group[0].heading, text, tuple(block.number for block in group))
