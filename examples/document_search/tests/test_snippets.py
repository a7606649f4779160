"""Snippets are short, show the best part of a passage, and can be found in the file."""

from __future__ import annotations

import pytest
from document_catalogs import Filled
from hypothesis import given, settings
from hypothesis import strategies as st
from library.catalog import Catalog
from library.errors import EmptyQuery
from library.search import Hit, Position
from library.snippets import SNIPPET

_LONG = "and so on it goes for a while longer, " * 8
_LINES = [f"line number {number}" for number in range(1, 400)]
_LINES[250] = "here the treasure lies"
FILES = {
    "forms.txt": "Renting a CAFÉ: rents are paid monthly.",
    "dense.txt": f"key {_LONG} the green key and its lock {_LONG}",
    "map.txt": "\n".join(_LINES),
    "holiday_plan.txt": "First the train.\n" + "Then more. " * 100,
    "rules.md": "# Rules\nThe **last** one locks the **door**.",
    "天気.txt": "明日の東京都の天気は晴れです。",
}


@pytest.fixture(scope="module")
def catalog(filled: Filled) -> Catalog:
    return filled(FILES)


def best(catalog: Catalog, query: str) -> Hit:
    return catalog.search(query, 5)[0]


def test_found_words_are_marked_in_whatever_form_they_stand(catalog: Catalog) -> None:
    assert best(catalog, "the rent of cafes").snippet == "**Renting** a **CAFÉ**: **rents** are paid monthly."


def test_a_snippet_is_bounded_and_lies_around_the_densest_part(catalog: Catalog) -> None:
    snippet = best(catalog, "green key lock").snippet
    assert snippet.startswith("… ") and snippet.endswith(" …")
    assert "**green** **key** and its **lock**" in snippet
    assert len(snippet.replace("**", "").strip("… ")) <= SNIPPET


def test_the_line_is_that_of_the_first_marked_word_shown(catalog: Catalog) -> None:
    hit = best(catalog, "treasure")
    assert (hit.file, hit.position) == ("map.txt", Position("line", 251))
    assert "here the **treasure** lies" in hit.snippet


def test_a_match_in_the_name_alone_shows_how_the_text_begins(catalog: Catalog) -> None:
    hit = best(catalog, "holiday")
    assert hit.snippet.startswith("First the train. Then more.") and hit.position.number == 1


def test_emphasis_of_the_source_is_not_taken_for_marks(catalog: Catalog) -> None:
    hit = best(catalog, "door")
    assert hit.snippet == "# Rules The last one locks the **door**."
    assert hit.heading == "Rules"


def test_unspaced_scripts_are_found_and_shown_as_written(catalog: Catalog) -> None:
    hit = best(catalog, "東京都の天気")
    assert hit.file == "天気.txt"
    assert "東京都の天気" in hit.snippet.replace("**", "") and "\u200b" not in hit.snippet


_SYNTAX = st.sampled_from(
    ['"', "*", "(", ")", "-", "^", ":", " AND ", " OR ", " NOT ", "NEAR(", "name:", "\x00", "key", "天"]
)


@settings(max_examples=100, deadline=None)
@given(st.lists(_SYNTAX | st.text(max_size=8), max_size=12).map("".join))
def test_whatever_is_typed_is_answered_or_refused_for_having_no_word(catalog: Catalog, query: str) -> None:
    try:
        hits = catalog.search(query, 5)
    except EmptyQuery:
        return
    assert all(hit.position.number >= 1 and hit.snippet for hit in hits)
