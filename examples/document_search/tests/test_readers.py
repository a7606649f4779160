"""Each format is read as a person would see it, with positions that can be checked in the file."""

from __future__ import annotations

import io

import document_samples as samples
import pytest
from library.document import Block, Document, Limits, ReadFunction
from library.errors import Unreadable
from library.readers import reader_for
from library.readers.html import read_html
from library.readers.markdown import read_markdown
from library.readers.office import read_docx, read_odt, read_pptx
from library.readers.pdf import read_pdf
from library.readers.sheets import read_xlsx
from library.readers.text import read_text

LIMITS = Limits()
BOMB = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]><x>&b;</x>'


def read(function: ReadFunction, data: bytes, limits: Limits = LIMITS) -> tuple[Document, list[Block]]:
    document = function(io.BytesIO(data), len(data), limits)
    return document, [block for block in document.blocks if block.text.strip()]


def reason(function: ReadFunction, data: bytes, limits: Limits = LIMITS) -> str:
    with pytest.raises(Unreadable) as refused:
        read(function, data, limits)
    return refused.value.reason


def test_lines_of_a_text_are_numbered_as_an_editor_does() -> None:
    _, blocks = read(read_text, b"one\r\ntwo\n\nfour\x0cstill four\rfive")
    assert [(block.number, block.text) for block in blocks] == [
        (1, "one"),
        (2, "two"),
        (4, "four\x0cstill four"),
        (5, "five"),
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "cp1252"])
def test_a_text_is_read_in_any_usual_encoding(encoding: str) -> None:
    text = "Die Kündigungsfrist beträgt drei Monate, schreibt der Vermieter dem Mieter."
    _, blocks = read(read_text, text.encode(encoding))
    assert blocks[0].text == text


def test_one_damaged_byte_does_not_cost_the_umlauts_of_a_text() -> None:
    _, blocks = read(read_text, "Größe, Länge".encode() + b" \xff")
    assert blocks[0].text == "Größe, Länge \ufffd"


@pytest.mark.parametrize(
    "data",
    [b"MZ\x90\x00\x03\x00\x00", bytes(range(1, 32)) * 4, bytes(range(128, 256)) * 4],
    ids=["nul", "controls", "foreign"],
)
def test_a_binary_with_the_name_of_a_text_is_refused(data: bytes) -> None:
    assert reason(read_text, data).startswith("is not text")


def test_a_text_is_read_up_to_the_limit_even_when_that_cuts_a_character_in_two() -> None:
    document, blocks = read(read_text, "aé".encode(), Limits(text_bytes=2))
    assert blocks[0].text == "a"
    assert document.notes == ["read the first 0.0 MB of 0.0 MB"]


def test_a_line_of_markdown_knows_the_headings_above_it() -> None:
    source = b"# Lease\nintro\n## Notice ##\nthree months\n```\n# no heading\n```\n\nRent\n----\nmonthly\n# End\nlast"
    document, blocks = read(read_markdown, source)
    under = {block.text: block.heading for block in blocks}
    assert document.title == "Lease"
    assert under["three months"] == under["# no heading"] == "Lease › Notice"
    assert under["monthly"] == "Lease › Rent"
    assert under["last"] == "End"


def test_the_title_of_markdown_is_that_of_its_front_matter() -> None:
    document, _ = read(read_markdown, b'---\ntitle: "House rules"\ntags: []\n---\n# Other\ntext')
    assert document.title == "House rules"


def test_html_gives_the_visible_paragraphs_with_their_lines() -> None:
    body = "<h1>Garden</h1>\n<p>Water the <b>tom</b>atoes &amp;\n herbs</p><ul><li>daily<li>at night</ul>"
    document, blocks = read(read_html, samples.html("Plants", body).encode())
    assert document.title == "Plants"
    assert [(block.number, block.text, block.heading) for block in blocks] == [
        (5, "Garden", "Garden"),
        (6, "Water the tomatoes & herbs", "Garden"),
        (7, "daily", "Garden"),
        (7, "at night", "Garden"),
    ]


@pytest.mark.parametrize("named", ["iso-8859-1", "no-such-encoding", "base64"])
def test_html_is_decoded_as_it_says_when_that_is_an_encoding(named: str) -> None:
    _, blocks = read(read_html, f"<meta charset='{named}'><p>caf\xe9 au lait".encode("latin-1"))
    assert blocks[0].text == "café au lait"


def test_a_pdf_gives_its_pages_and_title() -> None:
    data = samples.pdf(["Rental agreement\nbetween the parties", "Notice: three (3) months. Unter-\nschrift"], "Lease")
    document, blocks = read(read_pdf, data)
    assert document.title == "Lease"
    assert [block.number for block in blocks] == [1, 2]
    assert blocks[0].text.splitlines() == ["Rental agreement", "between the parties"]
    assert "three (3) months. Unterschrift" in blocks[1].text


def test_a_pdf_is_read_up_to_the_limit_of_pages() -> None:
    document, blocks = read(read_pdf, samples.pdf(["one", "two", "three"]), Limits(pages=2))
    assert [block.number for block in blocks] == [1, 2]
    assert document.notes == ["read the first 2 of 3 pages"]


@pytest.mark.parametrize("data", [b"", b"%PDF-1.7\n%broken", b"no PDF at all" * 50, samples.pdf(["x"])[:200]])
def test_a_broken_pdf_is_refused_with_a_reason(data: bytes) -> None:
    assert "damaged" in reason(read_pdf, data)


def test_one_damaged_page_of_a_pdf_does_not_cost_the_others() -> None:
    document, blocks = read(read_pdf, samples.pdf(["good", "bad", "also good"], damaged=1))
    assert [(block.number, block.text.strip()) for block in blocks] == [(1, "good"), (3, "also good")]
    assert document.notes == ["1 of 3 pages cannot be read"]


def test_word_paragraphs_are_counted_and_stand_under_headings_of_any_language() -> None:
    data = samples.docx(
        [("berschrift1", "Lease"), ("Standard", "Intro"), ("berschrift2", "Notice"), ("Standard", "Three months")],
        "Flat 4",
    )
    document, blocks = read(read_docx, data)
    assert document.title == "Flat 4"
    assert [(block.number, block.text, block.heading) for block in blocks] == [
        (1, "Lease", "Lease"),
        (2, "Intro", "Lease"),
        (3, "Notice", "Lease › Notice"),
        (4, "Three months", "Lease › Notice"),
    ]


def test_word_text_keeps_its_tabs_and_drops_what_is_deleted_or_repeated() -> None:
    body = (
        "<w:p><w:r><w:t>left</w:t><w:tab/><w:t>right</w:t></w:r><w:del><w:r><w:delText>gone</w:delText></w:r></w:del></w:p>"
        '<mc:AlternateContent xmlns:mc="m"><mc:Choice><w:p><w:r><w:t>box</w:t></w:r></w:p></mc:Choice>'
        "<mc:Fallback><w:p><w:r><w:t>box again</w:t></w:r></w:p></mc:Fallback></mc:AlternateContent>"
    )
    _, blocks = read(read_docx, samples.docx([], body=body))
    assert [block.text for block in blocks] == ["left right", "box"]


def test_opendocument_paragraphs_stand_under_their_headings() -> None:
    _, blocks = read(read_odt, samples.odt([(1, "Minutes"), (0, "All agreed"), (2, "Costs"), (0, "None")]))
    assert [(block.number, block.text, block.heading) for block in blocks][1::2] == [
        (2, "All agreed", "Minutes"),
        (4, "None", "Minutes › Costs"),
    ]


def test_slides_come_in_the_order_they_are_shown_with_their_notes() -> None:
    data = samples.pptx([("Goals", "Grow herbs"), ("Budget", "Ten euros")], {1: "Do not promise more"})
    _, blocks = read(read_pptx, data)
    assert [(block.number, block.heading, block.text) for block in blocks] == [
        (1, "Goals", "Goals"),
        (1, "Goals", "Grow herbs"),
        (2, "Budget", "Budget"),
        (2, "Budget", "Ten euros"),
        (2, "Budget", "Do not promise more"),
    ]


def test_sheets_give_rows_with_texts_numbers_and_dates() -> None:
    data = samples.xlsx({"Rent": [["Month", "Due"], ["March", 46112.0, 850.0]], "Notes & more": [["call Ana"]]})
    _, blocks = read(read_xlsx, data)
    assert [(block.heading, block.number, block.text) for block in blocks] == [
        ("Rent", 1, "Month | Due"),
        ("Rent", 2, "March | 2026-03-31 | 850.0"),
        ("Notes & more", 1, "call Ana"),
    ]


OFFICE: list[tuple[ReadFunction, str]] = [
    (read_docx, "word/document.xml"),
    (read_odt, "content.xml"),
    (read_pptx, "ppt/presentation.xml"),
    (read_xlsx, "xl/workbook.xml"),
]


@pytest.mark.parametrize(("function", "part"), OFFICE)
def test_an_office_file_with_entities_of_its_own_is_refused(function: ReadFunction, part: str) -> None:
    assert "document type" in reason(function, samples.archive({part: BOMB}))


@pytest.mark.parametrize(("function", "part"), OFFICE)
def test_an_office_file_that_unpacks_to_too_much_is_refused(function: ReadFunction, part: str) -> None:
    bomb = samples.archive({part: b"<x>" + b" " * 10_000_000 + b"</x>"})
    assert len(bomb) < 20_000
    assert "unpacks to more" in reason(function, bomb, Limits(unpacked_bytes=1_000_000))


@pytest.mark.parametrize(("function", "part"), OFFICE)
def test_a_broken_office_file_is_refused(function: ReadFunction, part: str) -> None:
    good = samples.archive({part: "<x>" + "words " * 2_000})
    assert "not well-formed" in reason(function, good)
    assert reason(function, good[:100]).startswith("is not an Office file")
    assert reason(function, samples.archive({"other": "x"})).startswith("is not a")
    assert reason(function, good.replace(part.encode(), b"x" * len(part), 1)).startswith("is damaged")


def test_a_row_of_long_texts_does_not_grow_without_bound() -> None:
    _, blocks = read(read_xlsx, samples.xlsx({"S": [["x" * 100_000] * 50]}))
    assert len(blocks[0].text) < 23_000


def test_a_file_too_large_to_be_read_in_part_is_refused() -> None:
    for function in (read_pdf, read_docx, read_xlsx):
        with pytest.raises(Unreadable, match="too large"):
            function(io.BytesIO(b"x"), LIMITS.file_bytes + 1, LIMITS)


def test_only_kinds_on_the_list_have_a_reader() -> None:
    assert reader_for("Notes.MD") is read_markdown
    for name in ("id_rsa", "key.pem", "photo.png", "wallet.dat", "a.pdf.exe"):
        assert reader_for(name) is None
