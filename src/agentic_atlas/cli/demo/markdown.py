"""Markdown as a terminal shows it: without its marks. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import groupby

from agentic_atlas.cli.columns import padded, wide

_ESCAPED = re.compile(r"\\([!-/:-@\[-`{-~])")
_BOLD = re.compile(r"(?<!\\)\*\*(.+?)(?<!\\)\*\*")
_CODE = re.compile(r"(?<![\\`])(`+)(?!`) ?(.+?) ?(?<!`)\1(?!`)")
_BORDER = re.compile(r"(?<!\\)\|")
_RULE = re.compile(r":?-+:?")


def shown(text: str) -> list[str]:
    """Return the lines of a text, its tables with their columns below each other."""
    lines: list[str] = []
    for is_table, group in groupby(text.splitlines(), key=lambda line: line.startswith("|")):
        together = list(group)
        lines += _table(together) if is_table else map(plain, together)
    return lines


def plain(line: str) -> str:
    """Return a line without what makes it bold or code, and what is escaped as itself."""
    parts = _CODE.split(_BOLD.sub(r"\1", line))
    # Every third part is what stands between two fences, where nothing is escaped; the fences are left out.
    return "".join(
        part if place % 3 == 2 else _ESCAPED.sub(r"\1", part) for place, part in enumerate(parts) if place % 3 != 1
    )


def _table(lines: Sequence[str]) -> Iterator[str]:
    rows = [[plain(cell.strip()) for cell in _BORDER.split(line)[1:-1]] for line in lines]
    rows = [row for row in rows if not all(_RULE.fullmatch(cell) for cell in row)]
    widths = [max((wide(row[place]) for row in rows if place < len(row)), default=0) for place in range(len(rows[0]))]
    for row in rows:
        yield "  ".join(padded(cell, width) for cell, width in zip(row, widths, strict=False)).rstrip()
