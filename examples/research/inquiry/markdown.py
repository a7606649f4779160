"""Text of others inside Markdown: it stays text, whatever it holds."""

from __future__ import annotations

import re
from collections.abc import Sequence

LONGEST_CELL = 80
MOST_COLUMNS = 12
_SPECIAL = re.compile(r"[\\`*\[\]<>|]")
_FOUND = re.compile(r"\*\*(.+?)\*\*")


def plain(text: str, longest: int = 300) -> str:
    """One line of text that is nothing but text, cut when it is long."""
    line = " ".join("".join(character if character.isprintable() else " " for character in text).split())
    if len(line) > longest:
        line = f"{line[: longest - 2].rstrip()} …"
    return _SPECIAL.sub(r"\\\g<0>", line)


def quoted(snippet: str, longest: int = 600) -> str:
    """A quotation in which the words that were found stay bold."""
    pieces = _FOUND.split(snippet)
    return "> " + "".join(
        f"**{plain(piece)}**" if number % 2 else _around(piece, longest) for number, piece in enumerate(pieces)
    )


def code(text: str, longest: int = 2_000) -> str:
    """A line of code; what it holds cannot end it."""
    line = " ".join(text.split())[:longest]
    fence = "`" * (max((len(run) for run in re.findall("`+", line)), default=0) + 1)
    room = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{fence}{room}{line}{room}{fence}"


def table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table; numbers stand to the right."""
    names = [plain(name, LONGEST_CELL) or " " for name in columns[:MOST_COLUMNS]]
    right = [all(_is_number(row[place]) for row in rows if place < len(row)) for place in range(len(names))]
    lines = [names, ["---:" if number else "---" for number in right]]
    lines += [[cell(value) for value in row[:MOST_COLUMNS]] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def cell(value: object) -> str:
    """A value as it stands in a table or a sentence."""
    match value:
        case None:
            return "–"
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:.4f}".rstrip("0").rstrip(".") if abs(value) < 1e15 else f"{value:g}"
        case _:
            return plain(str(value), LONGEST_CELL)


def _is_number(value: object) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def _around(piece: str, longest: int) -> str:
    """Text between two bold words, with the room at its ends."""
    before, after = piece[:1].isspace(), piece[-1:].isspace()
    text = plain(piece, longest)
    return f"{' ' if before else ''}{text}{' ' if after and text else ''}"
