"""How text and durations of others are written for people: bounded, with nothing in them that cannot be seen."""

import unicodedata
from typing import Final

_UNSEEN: Final = frozenset(("Cc", "Cf", "Co", "Cs", "Cn", "Zl", "Zp"))
"""Categories of characters that show nothing, or change how others are shown."""
_BREAKS: Final = "\n\t"
_MINUTE: Final = 60.0
_HOUR: Final = 3600.0
_DAY: Final = 86_400.0


def visible(text: str, *, lines: bool = False) -> str:
    """Write characters that nobody sees as what they are; with `lines`, ends of lines and tabs stay."""
    if text.isascii() and text.isprintable():
        return text
    kept = _BREAKS if lines else ""
    return "".join(one if one in kept or unicodedata.category(one) not in _UNSEEN else _named(one) for one in text)


def _named(character: str) -> str:
    return f"\\u{ord(character):04x}"


def duration(seconds: float) -> str:
    """Write how long something took: 3 ms, 1.25 s, 12 s, 3 min 5 s, 2 h 10 min, 3 d 4 h."""
    seconds = max(0.0, seconds)
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms" if seconds >= 0.0095 or seconds == 0.0 else f"{seconds * 1000:.1f} ms"
    if seconds < 59.5:
        return f"{seconds:.3g} s"
    if seconds < _HOUR - 0.5:
        minutes, rest = divmod(round(seconds), 60)
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    if seconds < _DAY - _MINUTE / 2:
        hours, rest = divmod(round(seconds / _MINUTE), 60)
        return f"{hours} h {rest} min" if rest else f"{hours} h"
    days, rest = divmod(round(seconds / _HOUR), 24)
    return f"{days} d {rest} h" if rest else f"{days} d"


def size(count: int) -> str:
    """Write how many bytes there are: 812 bytes, 3.4 KB, 1.2 MB."""
    if count == 1:
        return "1 byte"
    if count < 1_000:
        return f"{count} bytes"
    thousands = count / 1_000
    return f"{thousands:.3g} KB" if thousands < 999.5 else f"{thousands / 1_000:,.3g} MB"
