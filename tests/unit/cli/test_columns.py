from __future__ import annotations

import pytest

from agentic_atlas.cli.columns import fitted, padded, wide


@pytest.mark.parametrize(("text", "cells"), [("abc", 3), ("é", 1), ("e\u0301", 1), ("東京", 4), ("", 0)])
def test_text_is_as_wide_as_a_terminal_shows_it(text: str, cells: int) -> None:
    assert wide(text) == cells


@pytest.mark.parametrize("text", ["", "abc", "abcdef", "東京都", "e\u0301e\u0301e\u0301e\u0301e\u0301"])
def test_a_cell_has_its_width_whatever_is_in_it(text: str) -> None:
    assert wide(padded(text, 4)) == 4


def test_what_is_cut_says_so() -> None:
    assert padded("abcdef", 4) == "abc…"


def test_the_widest_column_that_may_gives_way() -> None:
    assert fitted({"a": 20, "b": 10, "c": 9}, {"a", "b"}, (), 31, 2) == {"a": 9, "b": 9, "c": 9}


def test_where_shrinking_is_not_enough_a_column_is_left_out() -> None:
    assert fitted({"a": 20, "b": 10, "c": 9}, {"a"}, ("c",), 20, 2) == {"a": 6, "b": 10}


def test_what_fits_in_no_way_is_broken_by_the_terminal() -> None:
    assert fitted({"a": 20}, (), (), 10, 2) == {"a": 20}
