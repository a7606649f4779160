"""The order of answers is the one a person would choose."""

from __future__ import annotations

import pytest
from document_catalogs import Filled
from library.catalog import Catalog
from library.ranking import rarity

FILLER = "Bread, water and salt are on the list for the week. "
FILES = {f"filler{number}.txt": FILLER * 3 for number in range(30)} | {
    "deposit/often.txt": "deposit " * 30,
    "deposit/all.txt": f"The deposit is returned after the lease. {FILLER}",
    "notice/apart.txt": f"The period began in May. {FILLER * 8} He took notice.",
    "notice/together.txt": f"{FILLER * 8} The notice period is short.",
    "cat/a.txt": "the house cat sleeps",
    "cat/b.txt": "the cat house sleeps",
    "cover/a.md": f"{FILLER} Insurance was mentioned. {FILLER}",
    "cover/b.md": f"# Insurance\n{FILLER}\n\nNumber 7781. {FILLER}",
    "question/how.txt": "How is it that they are what they are?",
    "question/garage.txt": f"The garage costs 40 euros. {FILLER}",
    "warm/long.txt": "\n\n".join(f"Paragraph {number} about heating. {FILLER * 12}" for number in range(10)),
    "warm/short.txt": f"{FILLER * 5} heating costs {FILLER * 5}",
    "quoted/a.txt": "permission of entry",
    "quoted/b.txt": "an entry-permission",
    "deutsch.txt": "Die Kündigungsfrist beträgt drei Monate.",
}


@pytest.fixture(scope="module")
def catalog(filled: Filled) -> Catalog:
    return filled(FILES)


def files(catalog: Catalog, query: str) -> list[str]:
    return [hit.file for hit in catalog.search(query, 10)]


def test_all_words_once_beat_one_word_often(catalog: Catalog) -> None:
    assert files(catalog, "deposit returned lease") == ["deposit/all.txt", "deposit/often.txt"]


def test_words_side_by_side_beat_the_same_words_far_apart(catalog: Catalog) -> None:
    assert files(catalog, "notice period") == ["notice/together.txt", "notice/apart.txt"]


def test_the_order_typed_beats_the_other_order(catalog: Catalog) -> None:
    assert files(catalog, "cat house")[0] == "cat/b.txt"
    assert files(catalog, "house cat")[0] == "cat/a.txt"


def test_a_word_in_a_heading_beats_one_in_passing(catalog: Catalog) -> None:
    assert files(catalog, "insurance") == ["cover/b.md", "cover/a.md"]


def test_words_of_the_question_itself_hardly_count(catalog: Catalog) -> None:
    assert files(catalog, "how much is it for the garage, and what are they?")[0] == "question/garage.txt"


def test_one_long_file_does_not_hide_the_others(catalog: Catalog) -> None:
    found = files(catalog, "heating")
    assert found[:3].count("warm/long.txt") == 2 and "warm/short.txt" in found[:3]
    assert len(found) == 10


def test_a_phrase_in_quotes_must_be_there(catalog: Catalog) -> None:
    assert files(catalog, '"entry permission"') == ["quoted/b.txt"]
    assert files(catalog, '"permission entry" lease') == []


def test_a_word_nobody_wrote_is_taken_for_the_beginning_of_one(catalog: Catalog) -> None:
    assert files(catalog, "kundig frist") == ["deutsch.txt"]
    assert files(catalog, "zzz") == []


def test_a_rare_word_weighs_more_and_no_word_less_than_nothing() -> None:
    assert rarity(0, 100) > rarity(1, 100) > rarity(50, 100) > rarity(100, 100) > 0
