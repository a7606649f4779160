"""The pages of the documentation and the fenced blocks in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
README = ROOT / "README.md"

_FENCE = re.compile(r"(?P<indent> *)```(?P<info>[^`]*)")
_TITLE = re.compile(r'title="(?P<title>[^"]*)"')


@dataclass(frozen=True)
class Block:
    """A fenced block.

    Attributes:
        line: of its fence, counted from 1.
        title: a file's path for code, a terminal's name for a console; empty when it has none.
    """

    page: Path
    line: int
    language: str
    title: str
    text: str

    @property
    def place(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def pages() -> list[Path]:
    """Return every page a reader of the documentation meets."""
    return [README, ROOT / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md"))]


def blocks(page: Path) -> Iterator[Block]:
    """Yield the fenced blocks of a page, in order."""
    start: tuple[int, re.Match[str]] | None = None
    lines: list[str] = []
    for number, line in enumerate(page.read_text().splitlines(), 1):
        fence = _FENCE.fullmatch(line)
        if start is None:
            if fence is not None:
                start, lines = (number, fence), []
        elif line.strip() == "```":
            yield _block(page, *start, lines)
            start = None
        else:
            lines.append(line.removeprefix(start[1]["indent"]))
    assert start is None, f"{page}: a block is not closed"


def _block(page: Path, number: int, fence: re.Match[str], lines: list[str]) -> Block:
    title = _TITLE.search(fence["info"])
    language = fence["info"].split()[0] if fence["info"].split() else ""
    return Block(page, number, language, title["title"] if title else "", "".join(f"{line}\n" for line in lines))


def prose(page: Path) -> str:
    """Return a page without its fenced blocks."""
    return re.sub(r"^ *```.*?^ *```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)


def without_code(text: str) -> str:
    """Return a text without what stands in it as code."""
    return re.sub(r"`[^`\n]*`", "", text)
