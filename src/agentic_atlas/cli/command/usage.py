"""What is typed wrongly."""

from __future__ import annotations

from collections.abc import Iterable

from agentic_atlas.errors import InvalidInput


class Usage(InvalidInput):
    """A command that cannot be read; the message says why, and where to read how it is right."""

    default_code = "usage"


class Stopped(Exception):
    """Whoever was asked at the terminal does not go on: nothing was done."""


def nearest(word: str, known: Iterable[str]) -> str:
    """Return a question that names what may have been meant; nothing when nothing is near."""
    import difflib

    close = difflib.get_close_matches(word, list(known), n=1)
    return f" (did you mean {close[0]}?)" if close else ""
