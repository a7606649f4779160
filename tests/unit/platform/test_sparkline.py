"""A curve fits its picture, whatever it shows."""

from __future__ import annotations

from agentic_atlas.platform.sparkline import sparkline


def test_a_curve_goes_from_edge_to_edge_and_from_nothing_to_the_most() -> None:
    made = sparkline([0, 5, 10])
    assert made.line == "0.0,38.0 120.0,20.0 240.0,2.0"
    assert made.area == "0,40 0.0,38.0 120.0,20.0 240.0,2.0 240,40"
    assert made.most == 10


def test_nothing_is_a_flat_line() -> None:
    assert sparkline([]).line == sparkline([0]).line == "0.0,38.0 240.0,38.0"
    assert sparkline([0, 0, 0]).most == 0
