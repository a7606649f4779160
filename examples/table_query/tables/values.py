"""Values of DuckDB as JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Final

_SAFE_INTEGER: Final = 2**53
_SAFE_DIGITS: Final = 15
_DEEPEST: Final = 16
"""Nested deeper than this, a value is told as text."""


class Values:
    """Makes values JSON, with texts of at most so many characters, and knows how many were longer."""

    def __init__(self, longest: int) -> None:
        self._longest = longest
        self.cut = 0

    def json(self, value: object, depth: int = 0) -> object:
        """The value as JSON: see `table.Answer` for the rules."""
        match value:
            case None | bool():
                return value
            case int():
                return value if abs(value) <= _SAFE_INTEGER else str(value)
            case float():
                return value if math.isfinite(value) else None
            case Decimal():
                return _number(value)
            case list() | tuple() | Mapping() if depth >= _DEEPEST:
                return self._text(str(value))
            case list() | tuple():
                return [self.json(item, depth + 1) for item in value]
            case Mapping():
                return {self._text(str(key)): self.json(item, depth + 1) for key, item in value.items()}
            case _:
                return self._text(_written(value))

    def _text(self, text: str) -> str:
        if len(text) <= self._longest:
            return text
        self.cut += 1
        return text[: self._longest] + "…"


def _number(value: Decimal) -> float | str | None:
    if not value.is_finite():
        return None
    return float(value) if len(value.as_tuple().digits) <= _SAFE_DIGITS else str(value)


def _written(value: object) -> str:
    match value:
        case datetime() | date() | time():
            return value.isoformat()
        case timedelta():
            return _interval(value)
        case bytes() | bytearray() | memoryview():
            return bytes(value).hex()
        case _:
            return str(value)


def _interval(value: timedelta) -> str:
    """As ISO 8601 writes a duration, in days and seconds: `P3DT0.5S`."""
    seconds = Decimal(value.seconds) + Decimal(value.microseconds) / 1_000_000
    return f"P{value.days}D" + (f"T{seconds.normalize():f}S" if seconds else "")
