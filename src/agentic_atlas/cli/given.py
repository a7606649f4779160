"""What is given as `JSON|@FILE|-`: on the line itself, in a file, or on stdin."""

from __future__ import annotations

import sys
from pathlib import Path

from agentic_atlas.errors import InvalidInput, PayloadTooLarge

MAX_INPUT = 4 * 1024 * 1024
"""Longest input that is read from a file or from stdin, in characters."""


def read(source: str) -> str:
    """Return the text.

    Raises:
        InvalidInput: a file is not text. PayloadTooLarge: it is longer than 4 Mi characters.
    """
    if source == "-":
        text = sys.stdin.read(MAX_INPUT + 1)
    elif source.startswith("@"):
        try:
            with Path(source[1:]).open(encoding="utf-8") as file:
                text = file.read(MAX_INPUT + 1)
        except UnicodeDecodeError:
            raise InvalidInput(f"{source[1:]} is not text in UTF-8") from None
    else:
        text = source
    if len(text) > MAX_INPUT:
        raise PayloadTooLarge(f"the input is longer than {MAX_INPUT} characters")
    return text
