"""Markdown: lines, with the headings they stand under."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO

from library.document import Block, Document, Limits
from library.readers.text import decoded, head, lines_of

_HEADING = re.compile(r" {0,3}(#{1,6})[ \t]+(.*?)[ \t]*#*[ \t]*$")
_UNDERLINE = re.compile(r" {0,3}(=+|-+)[ \t]*$")
_FENCE = re.compile(r" {0,3}(```+|~~~+)")
_FRONT_TITLE = re.compile(r"title:[ \t]*[\"']?(.+?)[\"']?[ \t]*$")


def read_markdown(stream: BinaryIO, size: int, limits: Limits) -> Document:
    """One block a line; `heading` is the way down to it, as in `Contract › Notice`.

    The title is that of the front matter, else the first heading.
    """
    notes: list[str] = []
    lines = lines_of(decoded(head(stream, size, limits, notes)))
    headings = dict(_headings(lines))
    title = _front_title(lines) or next((text for _, text in headings.values()), "")
    return Document("line", _blocks(lines, headings), title, notes)


def _headings(lines: list[str]) -> Iterator[tuple[int, tuple[int, str]]]:
    """Index of the line → (level, text). What looks like a heading inside a block of code is none."""
    fence = ""
    for index, line in enumerate(lines):
        if match := _FENCE.match(line):
            fence = _after_fence(fence, match[1])
        elif fence:
            continue
        elif match := _HEADING.match(line):
            yield index, (len(match[1]), match[2])
        elif _underlines(lines, index):
            yield index - 1, (1 if "=" in line else 2, lines[index - 1].strip())


def _after_fence(fence: str, found: str) -> str:
    if not fence:
        return found
    return "" if found.startswith(fence) else fence


def _underlines(lines: list[str], index: int) -> bool:
    """Whether this line underlines the one above, which must be a paragraph of that one line."""
    if index == 0 or not _UNDERLINE.match(lines[index]) or not re.match(r" {0,3}\w", lines[index - 1]):
        return False
    return index == 1 or not lines[index - 2].strip()


def _front_title(lines: list[str]) -> str:
    if not lines or lines[0].strip() != "---":
        return ""
    for line in lines[1:50]:
        if line.strip() == "---":
            break
        if match := _FRONT_TITLE.match(line):
            return match[1]
    return ""


def _blocks(lines: list[str], headings: dict[int, tuple[int, str]]) -> Iterator[Block]:
    way: list[tuple[int, str]] = []
    for index, line in enumerate(lines):
        if found := headings.get(index):
            way = [step for step in way if step[0] < found[0]] + [found]
        yield Block(index + 1, line, " › ".join(text for _, text in way))
