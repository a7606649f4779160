from __future__ import annotations

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentic_atlas.cli.visible import escaped, indented, one_line, visible

MARK = "\N{REPLACEMENT CHARACTER}"
UNSEEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}
JOINERS = "\u200c\u200d"


def test_no_character_that_controls_formats_or_breaks_lines_is_printed() -> None:
    every = (chr(number) for number in range(0x110000))
    passed = [one for one in every if unicodedata.category(one) in UNSEEN and visible(f"a{one}b") != f"a{MARK}b"]
    assert passed == ["\t", "\n"]


@pytest.mark.parametrize(
    "text",
    ["Zürich", "東京", "שלום", "العربية", "می\u200cخواهم", "👩\u200d👩\u200d👧", "❤\ufe0f", "a\tb\nc", "क्\u200dष", ""],
)
def test_what_people_write_stays_as_it_is(text: str) -> None:
    assert visible(text) == text


@pytest.mark.parametrize("joiner", JOINERS)
def test_a_joiner_that_joins_nothing_is_shown(joiner: str) -> None:
    assert visible(f"ad{joiner}min{joiner}") == f"ad{MARK}min{MARK}"


@pytest.mark.parametrize("mark", ["\u00ad", "\u034f", "\u115f", "\u3164", "\uffa0", "\ufeff", "\U000e0100"])
def test_what_is_ignored_or_blank_is_shown(mark: str) -> None:
    assert visible(f"a{mark}b") == f"a{MARK}b"


@given(st.text())
def test_a_line_stays_one_line(text: str) -> None:
    assert len(one_line(text).splitlines()) <= 1


@given(st.text())
def test_every_further_line_is_indented(text: str) -> None:
    first, *more = indented(text, "  ").split("\n")
    assert len(first.splitlines()) <= 1
    assert all(line == "" or (line.startswith("  ") and len(line.splitlines()) == 1) for line in more)


@given(st.text())
def test_json_says_the_same_with_what_is_unseen_escaped(text: str) -> None:
    written = json.dumps({text: [text]}, ensure_ascii=False)
    shown = escaped(written)
    assert json.loads(shown) == {text: [text]}
    assert visible(shown) == shown
