"""How wide text is on a terminal, and how columns share a line. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

NARROWEST = 6
"""Columns that are left of one that shrinks."""


def wide(text: str) -> int:
    """Return how many cells of a terminal the text takes: two for wide characters, none for marks on others."""
    if text.isascii():
        return len(text)
    return sum(map(_cells, text))


def padded(text: str, width: int) -> str:
    """Return the text in exactly so many cells; what does not fit is cut, and `…` says so."""
    if wide(text) > width:
        kept, left = "", width - 1
        for character in text:
            left -= _cells(character)
            if left < 0:
                break
            kept += character
        text = kept + "…"
    return text + " " * (width - wide(text))


def fitted(
    widths: Mapping[str, int], shrinks: Collection[str], drops: Sequence[str], room: int, gap: int
) -> dict[str, int]:
    """Return the columns that fit into so many cells, and their widths.

    Those that shrink give way, the widest of them first; when none can any more, one after the other of `drops` goes.
    """
    found, dropping = dict(widths), list(drops)
    while sum(found.values()) + gap * (len(found) - 1) > room:
        able = [name for name in found if name in shrinks and found[name] > NARROWEST]
        if able:
            found[max(able, key=found.__getitem__)] -= 1
        elif dropping:
            found.pop(dropping.pop(0), None)
        else:
            break
    return found


def _cells(character: str) -> int:
    import unicodedata

    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1
