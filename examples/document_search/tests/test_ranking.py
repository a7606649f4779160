"""The order of answers is the one a person would choose."""

from __future__ import annotations

from pathlib import Path

from conftest import OpenCatalog
from library.catalog import Catalog
from library.ranking import rarity

FILLER = "Bread, water and salt are on the list for the week. "


def filled(folder: Path, opened: OpenCatalog, files: dict[str, str]) -> Catalog:
    for number in range(30):
        (folder / f"filler{number}.txt").write_text(FILLER * 3)
    for name, text in files.items():
        (folder / name).write_text(text)
    catalog = opened()
    list(catalog.refresh())
    return catalog


def files(catalog: Catalog, query: str) -> list[str]:
    return [hit.file for hit in catalog.search(query, 10)]


def test_all_words_once_beat_one_word_often(folder: Path, opened: OpenCatalog) -> None:
    catalog = filled(
        folder, opened, {"often.txt": "deposit " * 30, "all.txt": f"The deposit is returned after the lease. {FILLER}"}
    )
    assert files(catalog, "deposit returned lease") == ["all.txt", "often.txt"]


def test_words_side_by_side_beat_the_same_words_far_apart(folder: Path, opened: OpenCatalog) -> None:
    apart = f"The period began in May. {FILLER * 8} He took notice."
    catalog = filled(folder, opened, {"apart.txt": apart, "together.txt": f"{FILLER * 8} The notice period is short."})
    assert files(catalog, "notice period") == ["together.txt", "apart.txt"]


def test_the_order_typed_beats_the_other_order(folder: Path, opened: OpenCatalog) -> None:
    catalog = filled(folder, opened, {"a.txt": "the house cat sleeps", "b.txt": "the cat house sleeps"})
    assert files(catalog, "cat house")[0] == "b.txt"
    assert files(catalog, "house cat")[0] == "a.txt"


def test_a_word_in_a_heading_beats_one_in_passing(folder: Path, opened: OpenCatalog) -> None:
    passing = f"{FILLER} Insurance was mentioned. {FILLER}"
    catalog = filled(folder, opened, {"a.md": passing, "b.md": f"# Insurance\n{FILLER}\n\nNumber 7781. {FILLER}"})
    assert files(catalog, "insurance") == ["b.md", "a.md"]


def test_words_of_the_question_itself_hardly_count(folder: Path, opened: OpenCatalog) -> None:
    catalog = filled(
        folder,
        opened,
        {"how.txt": "How is it that they are what they are?", "garage.txt": f"The garage costs 40 euros. {FILLER}"},
    )
    assert files(catalog, "how much is it for the garage, and what are they?")[0] == "garage.txt"


def test_one_long_file_does_not_hide_the_others(folder: Path, opened: OpenCatalog) -> None:
    long = "\n\n".join(f"Paragraph {number} about heating. {FILLER * 12}" for number in range(10))
    catalog = filled(folder, opened, {"long.txt": long, "short.txt": f"{FILLER * 5} heating costs {FILLER * 5}"})
    found = files(catalog, "heating")
    assert found[:3].count("long.txt") == 2 and "short.txt" in found[:3]
    assert len(found) == 10


def test_a_phrase_in_quotes_must_be_there(folder: Path, opened: OpenCatalog) -> None:
    catalog = filled(folder, opened, {"a.txt": "period of notice", "b.txt": "a notice-period"})
    assert files(catalog, '"notice period"') == ["b.txt"]
    assert files(catalog, '"period notice" lease') == []


def test_a_word_nobody_wrote_is_taken_for_the_beginning_of_one(folder: Path, opened: OpenCatalog) -> None:
    catalog = filled(folder, opened, {"a.txt": "Die Kündigungsfrist beträgt drei Monate."})
    assert files(catalog, "kundig frist") == ["a.txt"]
    assert files(catalog, "zzz") == []


def test_a_rare_word_weighs_more_and_no_word_less_than_nothing() -> None:
    assert rarity(0, 100) > rarity(1, 100) > rarity(50, 100) > rarity(100, 100) > 0
