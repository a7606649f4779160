"""Patterns and letters beyond ASCII.

To JSON Schema `\\d` is one of ten digits and `\\w` a letter of ASCII; to the patterns of Pydantic, and so to the check
of the agent itself, they are any digit and any letter. Where the two differ the agent decides: here a pattern with such
a class takes a text that holds a letter beyond ASCII.
"""

import re
from collections.abc import Mapping
from typing import Final

from agentic_atlas.protocol.schemas.keywords import changed

_BEYOND: Final = r"|[^\x00-\x7F]"
_CLASSES: Final = re.compile(r"(?:[^\\]|^)(?:\\\\)*\\[dwsbDWSB]")


def lenient(node: object) -> object:
    """Return a schema with its patterns as they are checked here."""
    if not isinstance(node, Mapping):
        return node
    made = changed(node, lenient)
    if isinstance(made.get("pattern"), str):
        made["pattern"] = _lenient(str(made["pattern"]))
    named = made.get("patternProperties")
    if isinstance(named, Mapping):
        made["patternProperties"] = {_lenient(pattern): part for pattern, part in named.items()}
    return made


def declared(pattern: str) -> str:
    """Return a pattern as the agent wrote it."""
    return pattern.removesuffix(_BEYOND)


def _lenient(pattern: str) -> str:
    return pattern + _BEYOND if _CLASSES.search(pattern) else pattern
