"""Markdown, as the generated parts need it."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Sequence

WIDTH = 120


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; cells are put on one line."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines)


def code(text: object) -> str:
    """Return a text as code; nothing for nothing."""
    return f"`{text}`" if str(text) else ""


def fence(language: str, text: str) -> str:
    """Return a fenced block."""
    return f"```{language}\n{text.rstrip()}\n```"


def paragraphs(*parts: str) -> str:
    """Join what is not empty, with an empty line between."""
    return "\n\n".join(part.strip("\n") for part in parts if part.strip())


def anchor(heading: str) -> str:
    """Return the anchor that a heading gets."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")


def wrapped(text: str) -> str:
    """Return prose with its paragraphs filled."""
    parts = [" ".join(part.split()) for part in text.split("\n\n") if part.strip()]
    return "\n\n".join(textwrap.fill(part, WIDTH, break_long_words=False, break_on_hyphens=False) for part in parts)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
