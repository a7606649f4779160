"""A row of numbers as a curve of block characters, for a terminal. Pure."""

from __future__ import annotations

from collections.abc import Sequence

_BLOCKS = "▁▂▃▄▅▆▇█"
_NOTHING = " "


def sparkline(values: Sequence[float | None], room: int, *, most: float | None = None) -> str:
    """Return the curve in at most so many cells, from left to right; a gap for None.

    Where there are more numbers than cells, each cell shows the highest of its own. `most` is the top of the scale; the
    highest of all without it, so that a curve of zeros is flat.
    """
    cells = [_highest(values[begin:end]) for begin, end in _spans(len(values), room)]
    top = max([most or 0.0, *(one for one in cells if one is not None)])
    return "".join(_NOTHING if one is None else _block(one / top if top else 0.0) for one in cells)


def _spans(count: int, room: int) -> list[tuple[int, int]]:
    cells = min(count, room)
    return [(place * count // cells, (place + 1) * count // cells) for place in range(cells)]


def _highest(values: Sequence[float | None]) -> float | None:
    return max((one for one in values if one is not None), default=None)


def _block(part: float) -> str:
    return _BLOCKS[min(len(_BLOCKS) - 1, int(part * len(_BLOCKS)))]
