"""Cursors come back as they went out; anything else is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentic_atlas.backend.store.cursors import cursor_after, id_in
from agentic_atlas.errors import InvalidInput


@given(st.text("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.:-", min_size=1, max_size=64))
def test_the_id_in_a_cursor_is_the_one_it_was_made_of(last_id: str) -> None:
    cursor = cursor_after(last_id)
    assert id_in(cursor) == last_id
    assert cursor.isascii()
    assert not set(cursor) & set("+/=&?")


@given(st.text(max_size=300))
def test_any_other_text_is_refused_or_the_cursor_of_what_it_gives(text: str) -> None:
    try:
        last_id = id_in(text)
    except InvalidInput:
        return
    assert cursor_after(last_id) == text


@pytest.mark.parametrize(
    "cursor", ["", "task_1", cursor_after("task_1") + "=", cursor_after(""), cursor_after("x" * 500)]
)
def test_a_cursor_that_was_made_up_is_refused(cursor: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        id_in(cursor)
    assert refused.value.code == "invalid_cursor"
