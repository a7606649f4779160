"""Snippets are short, show the best part of a passage, and can be found in the file."""

from __future__ import annotations

from pathlib import Path

from conftest import OpenCatalog
from library.catalog import Catalog
from library.search import Hit
from library.snippets import SNIPPET


def only(folder: Path, opened: OpenCatalog, name: str, text: str, query: str) -> Hit:
    (folder / name).write_text(text)
    catalog: Catalog = opened()
    list(catalog.refresh())
    hits = catalog.search(query, 5)
    assert hits
    return hits[0]


def test_found_words_are_marked_in_whatever_form_they_stand(folder: Path, opened: OpenCatalog) -> None:
    hit = only(folder, opened, "a.txt", "Renting a CAFÉ: rents are paid monthly.", "the rent of cafes")
    assert hit.snippet == "**Renting** a **CAFÉ**: **rents** are paid monthly."


def test_a_snippet_is_bounded_and_lies_around_the_densest_part(folder: Path, opened: OpenCatalog) -> None:
    filler = "and so on it goes for a while longer, "
    text = f"key {filler * 8} the green key and its lock {filler * 8}"
    hit = only(folder, opened, "a.txt", text, "green key lock")
    assert hit.snippet.startswith("… ") and hit.snippet.endswith(" …")
    assert "**green** **key** and its **lock**" in hit.snippet
    assert len(hit.snippet.replace("**", "").strip("… ")) <= SNIPPET


def test_the_line_is_that_of_the_first_marked_word_shown(folder: Path, opened: OpenCatalog) -> None:
    lines = [f"line number {number}" for number in range(1, 400)]
    lines[250] = "here the treasure lies"
    hit = only(folder, opened, "map.txt", "\n".join(lines), "treasure")
    assert (hit.unit, hit.number) == ("line", 251)
    assert "here the **treasure** lies" in hit.snippet


def test_a_match_in_the_name_alone_shows_how_the_text_begins(folder: Path, opened: OpenCatalog) -> None:
    hit = only(folder, opened, "holiday_plan.txt", "First the train.\n" + "Then more. " * 100, "holiday")
    assert hit.snippet.startswith("First the train. Then more.") and hit.number == 1


def test_emphasis_of_the_source_is_not_taken_for_marks(folder: Path, opened: OpenCatalog) -> None:
    hit = only(folder, opened, "a.md", "# Rules\nThe **last** one locks the **door**.", "door")
    assert hit.snippet == "# Rules The last one locks the **door**."
    assert hit.heading == "Rules"


def test_unspaced_scripts_are_found_and_shown_as_written(folder: Path, opened: OpenCatalog) -> None:
    hit = only(folder, opened, "天気.txt", "明日の東京都の天気は晴れです。", "東京都の天気")
    assert "\u200b" not in hit.snippet
    assert "東京都の天気" in hit.snippet.replace("**", "")
    assert hit.file == "天気.txt"
