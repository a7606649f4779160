"""Spans of time as people write them: `90d`, `12h`, `30m`, `45s`, `2w`."""

import re
from datetime import UTC, datetime

from agentic_atlas.errors import InvalidInput

_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_SPAN = re.compile(r"([1-9][0-9]{0,8})([smhdw])")


def seconds(text: str, *, most: int | None = None) -> int:
    """Return a span of time in seconds, at most so many.

    Raises:
        InvalidInput: it is not a whole number with a unit, or longer.
    """
    match = _SPAN.fullmatch(text.strip().lower())
    if match is None:
        raise InvalidInput(f"`{text}` is not a span of time: write 90d, 12h, 30m or 45s")
    found = int(match[1]) * _UNITS[match[2]]
    if most is not None and found > most:
        raise InvalidInput(f"`{text}` is too long: at most {most // _UNITS['d']}d")
    return found


def moment(text: str, now: float) -> datetime:
    """Return the moment that a span of time before now, or a time in ISO 8601, stands for.

    Raises:
        InvalidInput: it is neither.
    """
    try:
        # A time without a zone is meant as the clock on this machine's wall shows it.
        return datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError):
        pass
    try:
        return datetime.fromtimestamp(now - seconds(text), UTC)
    except InvalidInput:
        raise InvalidInput(f"`{text}` is no time: write 30m, 12h or 7d, or one like 2026-11-30T12:00") from None
