"""A folder as people have it: more than 500 files of every kind, some of them hostile, and right, cited answers."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import document_samples as samples
import pytest
from library.catalog import Catalog
from library.document import Limits
from library.search import Hit, Position

FILES = 504
TOWNS = ("Hamburg", "Lisboa", "Kraków", "Torino", "Örebro", "Nantes", "Gdynia")
FILLER = "The caretaker looks after the garden, the stairs and the heating of every house we own."


def fact(number: int) -> str:
    return f"The access code of house {number:03} in {TOWNS[number % len(TOWNS)]} is code-{number * 7919}."


def _text(number: int) -> bytes:
    return f"{FILLER}\n\n{FILLER}\n{fact(number)}\n".encode()


def _markdown(number: int) -> bytes:
    return f"# House {number:03}\n\n{FILLER}\n\n## Access\n\n{fact(number)}\n".encode()


def _html(number: int) -> bytes:
    return samples.html(f"House {number:03}", f"<p>{FILLER}</p>\n<p>{fact(number)}</p>").encode()


def _pdf(number: int) -> bytes:
    return samples.pdf([FILLER, FILLER, fact(number).replace("ó", "o")])


def _docx(number: int) -> bytes:
    return samples.docx([("Standard", FILLER), ("berschrift1", "Access"), ("Standard", fact(number))])


def _odt(number: int) -> bytes:
    return samples.odt([(0, FILLER), (0, FILLER), (1, "Access"), (0, fact(number))])


def _pptx(number: int) -> bytes:
    return samples.pptx([("Houses", FILLER), ("Access", fact(number))])


def _xlsx(number: int) -> bytes:
    return samples.xlsx({"Houses": [["Note"], [FILLER], [fact(number)]]})


KINDS: list[tuple[str, Callable[[int], bytes], str, int]] = [
    ("txt", _text, "line", 4),
    ("md", _markdown, "line", 7),
    ("html", _html, "line", 6),
    ("pdf", _pdf, "page", 3),
    ("docx", _docx, "paragraph", 3),
    ("odt", _odt, "paragraph", 4),
    ("pptx", _pptx, "slide", 2),
    ("xlsx", _xlsx, "row", 3),
]
"""Ending, how it is made, and where the fact of the file stands in it."""


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalog]:
    home = tmp_path_factory.mktemp("mixed")
    folder = home / "documents"
    for number in range(FILES):
        ending, make, _, _ = KINDS[number % len(KINDS)]
        file = folder / f"part{number % 5}" / f"{number:03}.{ending}"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(make(number))
    _hostile(folder, home)
    opened = Catalog(folder, home / "index.sqlite3", Limits(text_bytes=100_000, unpacked_bytes=3_000_000))
    list(opened.refresh())
    yield opened
    opened.close()


def _hostile(folder: Path, home: Path) -> None:
    (folder / "broken.pdf").write_bytes(samples.pdf(["code"])[:300] + os.urandom(500))
    (folder / "binary.txt").write_bytes(b"\x7fELF\x02\x01\x01\0access code")
    (folder / "bomb.docx").write_bytes(samples.archive({"word/document.xml": b"<x>" + b" " * 4_000_000}))
    (folder / "entities.xlsx").write_bytes(
        samples.archive({"xl/workbook.xml": '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/hostname">]><x>&a;</x>'})
    )
    (home / "outside.txt").write_text("The access code of the safe is outside.")
    (folder / "out.txt").symlink_to(home / "outside.txt")
    (folder / "nowhere.txt").symlink_to(home / "missing.txt")
    os.mkfifo(folder / "pipe.txt")
    log = folder / "server.log"
    log.write_text("served a request about nothing\n" * 4_000)
    os.truncate(log, 200_000_000)


def best(catalog: Catalog, query: str) -> Hit:
    return catalog.search(query, 5)[0]


@pytest.mark.parametrize("number", [*range(96, 104), *range(496, 504)])
def test_a_question_finds_the_one_file_that_answers_it_with_the_place(catalog: Catalog, number: int) -> None:
    ending, _, unit, place = KINDS[number % len(KINDS)]
    hit = best(catalog, f"What is the access code of house {number:03}?")
    assert hit.file == f"part{number % 5}/{number:03}.{ending}"
    assert hit.position == Position(unit, place)
    assert f"-{number * 7919}" in hit.snippet
    assert f"**house** **{number:03}**" in hit.snippet


def test_the_answer_is_found_by_its_value_and_without_accents(catalog: Catalog) -> None:
    assert best(catalog, f"code-{7919 * 97}").file == "part2/097.md"
    assert best(catalog, "house 044 krakow").file == "part4/044.docx"


def test_files_that_cannot_be_read_are_a_line_of_the_report_each(catalog: Catalog) -> None:
    status = catalog.status()
    assert {line.file: line.reason for line in status.skipped} == {
        "binary.txt": "is not text: holds NUL bytes",
        "bomb.docx": "unpacks to more than is read of one file",
        "broken.pdf": "is not a PDF file, or damaged",
        "entities.xlsx": "holds XML with a document type, which no Office program writes",
        "nowhere.txt": "is a symbolic link that leads nowhere",
        "out.txt": "is a symbolic link out of the folder",
        "pipe.txt": "is no ordinary file",
    }
    assert {line.file: line.reason for line in status.incomplete} == {"server.log": "read the first 0.1 MB of 200.0 MB"}
    assert (status.totals.files, status.totals.skipped) == (FILES + 1, 7)


def test_nothing_outside_the_folder_is_ever_found(catalog: Catalog) -> None:
    assert not any("outside" in hit.snippet for hit in catalog.search("access code safe outside", 20))
