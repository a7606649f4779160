"""Spans of time as people write them: `90d`, `12h`, `30m`, `45s`, `2w`."""

import re

from agentic_atlas.errors import InvalidInput

_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_SPAN = re.compile(r"([1-9][0-9]{0,8})([smhdw])")


def seconds(text: str) -> int:
    """Return a span of time in seconds.

    Raises:
        InvalidInput: it is not a whole number with a unit.
    """
    match = _SPAN.fullmatch(text.strip().lower())
    if match is None:
        raise InvalidInput(f"`{text}` is not a span of time: write 90d, 12h, 30m or 45s")
    return int(match[1]) * _UNITS[match[2]]
