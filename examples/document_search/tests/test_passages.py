"""Passages have a bounded size, and each of their lines keeps the position it has in the file."""

from __future__ import annotations

from collections.abc import Iterable

from library.document import Block, Document, Limits, Reading
from library.passages import LONGEST, ROOMY, reading, tidy


def grouped(blocks: Iterable[Block], limits: Limits | None = None) -> Reading:
    return reading(Document("line", blocks), limits or Limits())


def test_lines_are_joined_until_there_is_enough_and_keep_their_numbers() -> None:
    found = grouped(Block(number, f"line {number} " + "x" * 90) for number in range(1, 31))
    assert all(len(passage.text) <= ROOMY for passage in found.passages)
    lines = [
        (number, line.split()[1])
        for passage in found.passages
        for number, line in zip(passage.positions, passage.text.split("\n"), strict=True)
    ]
    assert lines == [(number, str(number)) for number in range(1, 31)]


def test_a_heading_begins_a_new_passage() -> None:
    found = grouped([Block(1, "a", "One"), Block(2, "b", "One"), Block(3, "c", "Two")])
    assert [(passage.heading, passage.text) for passage in found.passages] == [("One", "a\nb"), ("Two", "c")]


def test_a_passage_of_some_size_ends_with_its_paragraph() -> None:
    found = grouped([Block(1, "a" * 500), Block(2, ""), Block(3, "b"), Block(4, ""), Block(5, "c")])
    assert [passage.positions for passage in found.passages] == [(1,), (3, 5)]


def test_a_title_line_stays_with_the_long_paragraph_below_it() -> None:
    found = grouped([Block(1, "Deposit"), Block(2, "x" * 1_000)])
    assert [passage.positions for passage in found.passages] == [(1, 2)]


def test_a_long_line_is_cut_after_a_sentence_and_nothing_is_lost() -> None:
    text = " ".join(f"Sentence number {number} ends here." for number in range(200))
    found = grouped([Block(7, text)])
    assert " ".join(passage.text for passage in found.passages) == text
    assert all(passage.text.endswith(".") and len(passage.text) <= LONGEST for passage in found.passages)
    assert {passage.positions for passage in found.passages} == {(7,)}


def test_a_line_without_a_space_is_cut_all_the_same() -> None:
    found = grouped([Block(1, "x" * 1_000_000)])
    assert "".join(passage.text for passage in found.passages) == "x" * 1_000_000
    assert max(len(passage.text) for passage in found.passages) == LONGEST


def test_a_document_is_read_up_to_the_limit_and_says_so() -> None:
    found = grouped((Block(number, "word") for number in range(1_000_000)), Limits(characters=400))
    assert found.characters < 600
    assert found.notes == ("read up to 400 characters; the rest is left out",)


def test_a_document_without_text_says_so() -> None:
    assert grouped([Block(1, " \t")]).notes == ("holds no text",)


def test_text_is_tidied_for_search_and_show() -> None:
    assert tidy("ﬁle  \t na\u00adme\x02\x03 \ud800 ＡＢＣ") == "file name \ufffd ABC"
