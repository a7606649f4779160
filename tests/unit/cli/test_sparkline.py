"""Curves of block characters."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentic_atlas.cli.sparkline import sparkline


@pytest.mark.parametrize(
    ("values", "room", "most", "curve"),
    [
        ([], 5, None, ""),
        ([0, 0], 5, None, "▁▁"),
        ([0, 1, 2, 3, 4, 5, 6, 7], 20, None, "▁▂▃▄▅▆▇█"),
        ([None, 1, None, 1], 20, None, " █ █"),
        ([50, 100], 20, 100.0, "▅█"),
        ([25], 20, 100.0, "▃"),
        ([200], 20, 100.0, "█"),
        ([1, 9, 1, 1, None, None], 3, None, "█▁ "),
    ],
)
def test_a_curve_is_so_high(values: list[float | None], room: int, most: float | None, curve: str) -> None:
    assert sparkline(values, room, most=most) == curve


@given(st.lists(st.none() | st.floats(0, 1e12), max_size=100), st.integers(1, 40))
def test_a_curve_fits_and_shows_its_peak(values: list[float | None], room: int) -> None:
    curve = sparkline(values, room)
    assert len(curve) == min(len(values), room)
    assert ("█" in curve) == any(values)
