"""What a token may be, and whom its agent may call, as the page has it."""

from __future__ import annotations

import pytest

from agentic_atlas.errors import InvalidInput
from agentic_atlas.platform.pages.tokens import USUAL, TokenForm, calls_of, lineage_of, spans
from tests.unit.platform.test_arrival import TOKEN, replace

DAY = 86_400


def test_nothing_is_offered_that_the_network_does_not_allow() -> None:
    assert [one.label for one in spans(366 * DAY, USUAL) if one.chosen] == ["90 days"]
    assert [(one.label, one.chosen) for one in spans(8 * DAY, USUAL)] == [
        ("1 hour", False), ("1 day", False), ("7 days", True),
    ]  # fmt: skip
    assert [(one.value, one.chosen) for one in spans(60.0, USUAL)] == [("60", True)]
    assert [one for one in spans(366 * DAY, 0) if one.chosen] == []


def test_scopes_are_what_was_answered() -> None:
    assert TokenForm(agent="a").scopes_of("ada") is None
    assert TokenForm(agent="a", calls="none", only="ada/books").scopes_of("ada") == []
    some = TokenForm(agent="a", calls="some", only="books, eve/cook/bake")
    assert some.scopes_of("ada") == ["agent:call:ada/books", "agent:call:eve/cook/bake"]
    for only in ("", "a/b/c/d", "ada/Books!"):
        with pytest.raises(InvalidInput, match="call"):
            TokenForm(agent="a", calls="some", only=only).scopes_of("ada")


@pytest.mark.parametrize(
    ("scopes", "words"),
    [
        (("agent:connect",), "nobody"),
        (("agent:connect", "agent:call"), "every agent that its owner may"),
        (("agent:connect", "agent:call:ada/books", "agent:call:ada/cook/bake"), "ada/books, ada/cook/bake"),
    ],
)
def test_it_is_told_whom_an_agent_may_call(scopes: tuple[str, ...], words: str) -> None:
    assert calls_of(replace(TOKEN, scopes=scopes)) == words


def test_a_lineage_is_all_that_came_out_of_the_same_token() -> None:
    found = [replace(TOKEN, id="tok_2", lineage="tok_1"), TOKEN, replace(TOKEN, id="tok_3")]
    assert lineage_of(TOKEN, found) == lineage_of(found[0], found) == ["tok_2", "tok_1"]
