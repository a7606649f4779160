"""A row of numbers as a small curve, in the units of its own picture."""

from collections.abc import Sequence
from typing import Final

import msgspec

_WIDTH: Final = 240
_HEIGHT: Final = 40
_ROOM: Final = 2
"""Above and below, so that the line is not cut."""


class Sparkline(msgspec.Struct, frozen=True, kw_only=True):
    """The curve.

    Attributes:
        line: its points, as SVG has them.
        area: what is below it.
        most: the greatest number.
    """

    line: str
    area: str
    most: int


def sparkline(values: Sequence[int]) -> Sparkline:
    """Return the curve of these numbers, from left to right, 0 at the bottom; of none, and of zeros, a flat one."""
    known = list(values) or [0]
    most = max(known)
    step = _WIDTH / max(len(known) - 1, 1)
    low = _HEIGHT - _ROOM
    points = [
        f"{place * step:.1f},{low - (low - _ROOM) * value / (most or 1):.1f}" for place, value in enumerate(known)
    ]
    if len(points) == 1:
        points.append(f"{_WIDTH}.0,{points[0].partition(',')[2]}")
    line = " ".join(points)
    return Sparkline(line=line, area=f"0,{_HEIGHT} {line} {_WIDTH},{_HEIGHT}", most=most)
