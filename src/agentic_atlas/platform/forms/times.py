"""Dates and times that a browser lets people pick, and how they are written. Pure.

A browser leaves out seconds that are nought, and knows no zone: that is chosen beside it. Whatever was written in
another way stays as text.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Final

from agentic_atlas.errors import InvalidInput

PICKED: Final[Mapping[str, str]] = {"date": "date", "date-time": "datetime-local", "time": "time"}
"""Formats that browsers have something for, each with the type of its input."""

ZONES: Final[Sequence[str]] = (
    "Z", "", "-12:00", "-11:00", "-10:00", "-09:30", "-09:00", "-08:00", "-07:00", "-06:00", "-05:00", "-04:00",
    "-03:30", "-03:00", "-02:00", "-01:00", "+00:00", "+01:00", "+02:00", "+03:00", "+03:30", "+04:00", "+04:30",
    "+05:00", "+05:30", "+05:45", "+06:00", "+06:30", "+07:00", "+08:00", "+08:45", "+09:00", "+09:30", "+10:00",
    "+10:30", "+11:00", "+12:00", "+12:45", "+13:00", "+14:00",
)  # fmt: skip
"""Zones to choose from, the usual one first; the empty one is none."""

_CLOCK: Final = r"([01]\d|2[0-3]):[0-5]\d:[0-5]\d"
_ZONE: Final = r"(?P<zone>Z|[+-]\d\d:\d\d)?"
_WHOLE: Final = {
    "date-time": re.compile(rf"(?P<local>(?P<day>\d{{4}}-\d\d-\d\d)T{_CLOCK}){_ZONE}", re.ASCII),
    "time": re.compile(rf"(?P<local>{_CLOCK}){_ZONE}", re.ASCII),
}
_OF_CLOCK: Final = re.compile(r"(.*T)?\d\d:\d\d", re.ASCII)


def picked(form: str, text: str) -> tuple[str, str] | None:
    """Return what a browser shows of a text in this format, and its zone; None when it would not come back the same."""
    if form == "date":
        return (text, "") if _is_day(text) else None
    found = _WHOLE[form].fullmatch(text) if form in _WHOLE else None
    if found is None or (form == "date-time" and not _is_day(found["day"])):
        return None
    zone = found["zone"] or ""
    return (found["local"], zone) if zone in ZONES else None


def of_picked(text: str, zone: str) -> str:
    """Return a date with a time, or a time, as a browser says it, with its seconds and its zone."""
    whole = f"{text}:00" if _OF_CLOCK.fullmatch(text) else text
    return whole + (zone if zone in ZONES else "")


def instant(text: str) -> datetime | None:
    """Return the time that a browser says, in UTC where it says no zone; None for none. Raises InvalidInput."""
    if not text.strip():
        return None
    try:
        said = datetime.fromisoformat(text.strip())
        return said.replace(tzinfo=UTC) if said.tzinfo is None else said.astimezone(UTC)
    except (ValueError, OverflowError):
        raise InvalidInput(f"{text[:40]!r} is no time: write it as 2026-11-30T18:00") from None


def _is_day(text: str) -> bool:
    if re.fullmatch(r"[1-9]\d{3}-\d\d-\d\d", text, re.ASCII) is None:
        return False
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True
