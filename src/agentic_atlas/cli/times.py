"""Times and spans of time as people read them and write them. Pure: what time it is now is an argument.

In lists a time is how long ago it was; where there is room, the time of day with its zone stands beside it. A span is
written as `90d`, `12h`, `30m`, `45s` or `2w`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from agentic_atlas.errors import InvalidInput

SOON = 7 * 86_400
"""Seconds before a token ends when somebody is warned, if its agent does not renew it."""
_UNITS = ((86_400.0, "d"), (3_600.0, "h"), (60.0, "min"))
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_SPAN = re.compile(r"([1-9][0-9]{0,8})([smhdw])")
_NONE = re.compile(r"0+[smhdw]?")


@dataclass(frozen=True)
class TimeFormat:
    """How times are shown."""

    now: Callable[[], float]
    """Seconds since the epoch."""
    utc: bool = False
    """As ISO 8601 in UTC."""
    iso: bool = False
    """As ISO 8601 with this machine's zone."""

    def short(self, at: datetime | None) -> str:
        """Return a time in a few columns: how long ago, unless another form was asked for; nothing for None."""
        if at is None:
            return ""
        return self._exact(at) if self.utc or self.iso else ago(self.now() - at.timestamp())

    def full(self, at: datetime | None) -> str:
        """Return a time with its zone, and how long ago it was; nothing for None."""
        if at is None:
            return ""
        if self.utc or self.iso:
            return self._exact(at)
        return f"{at.astimezone():%Y-%m-%d %H:%M:%S %z} ({ago(self.now() - at.timestamp())})"

    def of_day(self, at: datetime) -> str:
        """Return the time of day where it stands, for what is seen as it happens."""
        return self._exact(at) if self.utc or self.iso else f"{at.astimezone():%H:%M:%S}"

    def _exact(self, at: datetime) -> str:
        there = at.astimezone(UTC) if self.utc else at.astimezone()
        return there.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def clock(*, utc: bool = False, iso: bool = False) -> TimeFormat:
    """Return this machine's clock, showing times as was asked for."""
    from agentic_atlas.compose.sources import wall

    return TimeFormat(wall, utc, iso)


def ago(seconds: float) -> str:
    """Return how long ago something was, or will be: `just now`, `2 min ago`, `in 3 h`."""
    if abs(seconds) < 1:
        return "just now"
    size, unit = next((one for one in _UNITS if abs(seconds) >= one[0]), (1.0, "s"))
    # What has just been given 90 days has 90 left, not 89; and what was 119 s ago was 1 min ago, as on a clock.
    return f"{seconds // size:.0f} {unit} ago" if seconds > 0 else f"in {-seconds / size:.0f} {unit}"


def took(seconds: float) -> str:
    """Return how long something took, with as many digits as tell something: `14 ms`, `2.35 s`, `3 min 20 s`."""
    # The bounds are those where rounding would show the next one.
    if seconds < 0.9995:
        return f"{max(seconds, 0.0) * 1_000:.0f} ms"
    if seconds < 99.95:
        return f"{seconds:.2f} s" if seconds < 9.995 else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def seconds(text: str, *, most: int | None = None) -> int:
    """Return a span of time in seconds, at most so many.

    Raises:
        InvalidInput: it is not a whole number with a unit, or longer.
    """
    match = _SPAN.fullmatch(text.strip().lower())
    if match is None:
        what = "is no time at all" if _NONE.fullmatch(text.strip()) else "is not a span of time"
        raise InvalidInput(f"`{text}` {what}: write 90d, 12h, 30m or 45s")
    found = int(match[1]) * _SECONDS[match[2]]
    if most is not None and found > most:
        raise InvalidInput(f"`{text}` is too long: at most {most // _SECONDS['d']}d")
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
