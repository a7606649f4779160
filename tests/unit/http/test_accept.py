"""Which of two forms a client likes better."""

from __future__ import annotations

import pytest

from agentic_atlas.http.accept import prefers


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        ([], False),
        (["*/*"], False),
        (["application/*"], False),
        (["application/json"], True),
        (["Application/JSON"], True),
        (["text/event-stream", "application/json"], True),
        (["application/json, text/event-stream"], True),
        (["application/json;q=0.5"], True),
        (["application/json ; charset=utf-8 ; Q=0.5"], True),
        (["application/json;q=0"], False),
        (["application/json;q=0.000, */*"], False),
        (["application/json;q=0.4, text/event-stream;q=0.5"], False),
        (["text/event-stream"], False),
        (["application/json;q=nan"], False),
        (["application/json;q=-1"], False),
        (["application/json;q=2"], False),
        (["application/jsonx"], False),
        ([",;,;=,"], False),
        ([",".join(["a/b"] * 1000) + ",application/json"], False),
    ],
)
def test_a_form_is_chosen_when_it_is_named_and_not_liked_less(accept: list[str], wanted: bool) -> None:
    assert prefers(accept, "application/json", "text/event-stream") is wanted
