"""Items come and go in a form, and all else that is filled in stays what it was."""

from __future__ import annotations

import pytest

from agentic_atlas.platform.forms.editing import edited

FIELDS = {
    "input/a:n": "3",
    "input/a/0": "x",
    "input/a/1": "y",
    "input/a/1/b:as": "0",
    "input/a/2": "z",
    "input/a/2/b:as": "1",
    "input/a~2f;10": "other",
    "input/c": "kept",
}


def test_an_item_that_is_removed_takes_what_is_in_it_along_and_those_behind_move_up() -> None:
    assert edited(FIELDS, "remove input/a/1") == {
        "input/a:n": "2",
        "input/a/0": "x",
        "input/a/1": "z",
        "input/a/1/b:as": "1",
        "input/a~2f;10": "other",
        "input/c": "kept",
    }


def test_a_part_with_a_name_of_its_own_goes_with_its_name() -> None:
    fields = {"input:n": "2", "input*0:key": "a", "input*0": "1", "input*1:key": "b", "input*1": "2"}
    assert edited(fields, "remove input*0") == {"input:n": "1", "input*0:key": "b", "input*0": "2"}


def test_an_item_is_added_at_the_end() -> None:
    assert edited(FIELDS, "add input/a") == {**FIELDS, "input/a:n": "4"}
    assert edited({}, "add input/new") == {"input/new:n": "1"}


@pytest.mark.parametrize("do", ["", "show", "remove input/a/3", "remove input/a/99999999", "remove input/c", "remove "])
def test_what_is_not_there_is_not_removed(do: str) -> None:
    assert edited(FIELDS, do) == FIELDS
