"""HTML: the text a person would see, by paragraph, with the line of the source it begins on."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import BinaryIO

from library.document import Block, Document, Limits
from library.errors import Unreadable
from library.readers.text import decoded, head

_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_UNSEEN = frozenset({"script", "style", "template"})
_STYLES = (
    "a abbr b bdi bdo big cite code del dfn em font i ins kbd label mark q s samp small span strike strong sub sup"
)
_IN_LINE = frozenset([*_STYLES.split(), "time", "tt", "u", "var", "wbr"])
"""Elements that do not end a paragraph."""
_CHARSET = re.compile(rb"charset\s*=\s*[\"']?\s*([\w:-]{2,40})", re.IGNORECASE)


def read_html(stream: BinaryIO, size: int, limits: Limits) -> Document:
    """One block for each paragraph, list item, table row or heading; scripts and styles are left out."""
    notes: list[str] = []
    page = _Page()
    page.feed(_text(head(stream, size, limits, notes)))
    page.close()
    page.flush()
    return Document("line", page.blocks, page.title, notes)


def _text(data: bytes) -> str:
    """Decoded as the page itself says, when it says so in its first bytes and Python knows the encoding."""
    named = _CHARSET.search(data[:2_048])
    if named is None or b"\0" in data:
        return decoded(data)
    try:
        return data.decode(named[1].decode("ascii"), "replace")
    except (LookupError, UnicodeError):
        return decoded(data)
    except ValueError as error:
        raise Unreadable("is not text in the encoding it names") from error


class _Page(HTMLParser):
    """Collects blocks while the parser walks through the page."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.blocks: list[Block] = []
        self.title = ""
        self._way: list[tuple[int, str]] = []
        self._pieces: list[str] = []
        self._line = 0
        self._heading = 0
        self._unseen = 0
        self._in_title = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _UNSEEN:
            self._unseen += 1
        if tag in _IN_LINE:
            return
        if tag in {"td", "th"}:
            self._pieces.append(" ")
            return
        self.flush()
        self._heading = _HEADINGS.get(tag, 0)
        self._in_title = tag == "title" and not self.title

    def handle_endtag(self, tag: str) -> None:
        if tag in _UNSEEN:
            self._unseen = max(0, self._unseen - 1)
        if tag not in _IN_LINE and tag not in {"td", "th"}:
            self.flush()

    def handle_data(self, data: str) -> None:
        text = data.lstrip()
        if self._unseen or not text:
            self._pieces.append(" ")
            return
        if not self._line:
            self._line = self.getpos()[0] + data[: len(data) - len(text)].count("\n")
        self._pieces.append(data)

    def flush(self) -> None:
        """Ends the block being collected, and files it as title, heading or text."""
        text = " ".join("".join(self._pieces).split())
        if text and self._in_title:
            self.title = text
        elif text:
            self._file(text)
        self._pieces, self._line, self._heading, self._in_title = [], 0, 0, False

    def _file(self, text: str) -> None:
        if self._heading:
            self._way = [step for step in self._way if step[0] < self._heading] + [(self._heading, text[:200])]
        self.blocks.append(Block(self._line, text, " › ".join(step for _, step in self._way)))
