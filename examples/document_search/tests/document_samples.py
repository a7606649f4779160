"""Small real documents of every format, made of nothing but bytes."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from xml.sax.saxutils import escape, quoteattr

_XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_SLIDE = "http://schemas.openxmlformats.org/presentationml/2006/main"
_DRAWING = "http://schemas.openxmlformats.org/drawingml/2006/main"
_OPEN = "urn:oasis:names:tc:opendocument:xmlns"
_SHEET = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"


def pdf(pages: Sequence[str], title: str = "", damaged: int = -1) -> bytes:
    """A PDF with one line of text for each line of each page (Helvetica, Latin letters).

    The page of index `damaged` is packed in a way no reader knows.
    """
    kids = " ".join(f"{4 + 2 * number} 0 R" for number in range(len(pages)))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Count {len(pages)} /Kids [{kids}] >>".encode(),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    ]
    for number, page in enumerate(pages):
        lines = "".join(f"({_pdf_text(line)}) Tj T*\n" for line in page.splitlines())
        stream = f"BT /F1 11 Tf 14 TL 60 780 Td\n{lines}ET".encode("cp1252")
        objects += [
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents {5 + 2 * number} 0 R"
            " /Resources << /Font << /F1 3 0 R >> >> >>".encode(),
            b"<< /Length %d %s>>\nstream\n%s\nendstream"
            % (len(stream), b"/Filter /Unknown " if number == damaged else b"", stream),
        ]
    objects.append(f"<< /Title ({_pdf_text(title)}) >>".encode("cp1252"))
    return _pdf_file(objects)


def _pdf_text(text: str) -> str:
    return text.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")


def _pdf_file(objects: Sequence[bytes]) -> bytes:
    data = b"%PDF-1.4\n"
    offsets = []
    for number, body in enumerate(objects, start=1):
        offsets.append(len(data))
        data += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    size = len(objects) + 1
    trailer = b"trailer\n<< /Size %d /Root 1 0 R /Info %d 0 R >>\nstartxref\n%d\n%%%%EOF\n"
    return data + b"xref\n0 %d\n0000000000 65535 f \n" % size + table + trailer % (size, size - 1, len(data))


def archive(parts: Mapping[str, str | bytes]) -> bytes:
    """A zip file with these parts."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in parts.items():
            made.writestr(name, content)
    return target.getvalue()


def _relations(targets: Mapping[str, str]) -> str:
    rows = "".join(f'<Relationship Id="{key}" Type="x" Target="{target}"/>' for key, target in targets.items())
    return f'{_XML}<Relationships xmlns="{_RELATIONS}">{rows}</Relationships>'


def docx(paragraphs: Iterable[tuple[str, str]], title: str = "", body: str = "") -> bytes:
    """A Word document of (style id, text) paragraphs; `berschrift1` is what German Word calls its first heading."""
    text = "".join(
        f'<w:p><w:pPr><w:pStyle w:val="{style}"/></w:pPr><w:r><w:t>{escape(words)}</w:t></w:r></w:p>'
        for style, words in paragraphs
    )
    styles = "".join(
        f'<w:style w:styleId="{key}"><w:name w:val="{name}"/></w:style>'
        for key, name in {"berschrift1": "heading 1", "berschrift2": "heading 2", "Standard": "Normal"}.items()
    )
    return archive(
        {
            "word/document.xml": f'{_XML}<w:document xmlns:w="{_WORD}"><w:body>{text}{body}</w:body></w:document>',
            "word/styles.xml": f'{_XML}<w:styles xmlns:w="{_WORD}">{styles}</w:styles>',
            "docProps/core.xml": f'{_XML}<p xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>{title}</dc:title></p>',
        }
    )


def odt(paragraphs: Iterable[tuple[int, str]]) -> bytes:
    """An OpenDocument text of (level of heading or 0, text) paragraphs."""
    text = "".join(
        f'<t:h t:outline-level="{level}">{escape(words)}</t:h>' if level else f"<t:p>{escape(words)}</t:p>"
        for level, words in paragraphs
    )
    spaces = f'xmlns:o="{_OPEN}:office:1.0" xmlns:t="{_OPEN}:text:1.0"'
    return archive({"content.xml": f"{_XML}<o:document-content {spaces}>{text}</o:document-content>"})


def pptx(slides: Sequence[tuple[str, str]], notes: Mapping[int, str] | None = None) -> bytes:
    """Slides of (title, text). Their files are numbered backwards, as happens when slides have been moved."""
    names = [f"slide{len(slides) - number}.xml" for number in range(len(slides))]
    shown = "".join(f'<p:sldId id="{256 + number}" r:id="rId{number}"/>' for number in range(len(slides)))
    spaces = f'xmlns:p="{_SLIDE}" xmlns:a="{_DRAWING}" xmlns:r="{_OFFICE}"'
    parts = {
        "ppt/presentation.xml": f"{_XML}<p:presentation {spaces}><p:sldIdLst>{shown}</p:sldIdLst></p:presentation>",
        "ppt/_rels/presentation.xml.rels": _relations({f"rId{n}": f"slides/{name}" for n, name in enumerate(names)}),
    }
    for number, (title, text) in enumerate(slides):
        shapes = _shape("title", title) + _shape("body", text) + _shape("sldNum", "999")
        parts[f"ppt/slides/{names[number]}"] = f"{_XML}<p:sld {spaces}>{shapes}</p:sld>"
    for number, text in (notes or {}).items():
        target = {"rId1": f"../notesSlides/notesSlide{number}.xml"}
        parts[f"ppt/slides/_rels/{names[number]}.rels"] = _relations(target)
        parts[f"ppt/notesSlides/notesSlide{number}.xml"] = f"{_XML}<p:notes {spaces}>{_shape('body', text)}</p:notes>"
    return archive(parts)


def _shape(kind: str, text: str) -> str:
    runs = f"<a:p><a:r><a:t>{escape(text)}</a:t></a:r></a:p>"
    return f'<p:sp><p:nvSpPr><p:nvPr><p:ph type="{kind}"/></p:nvPr></p:nvSpPr><p:txBody>{runs}</p:txBody></p:sp>'


def xlsx(sheets: Mapping[str, Sequence[Sequence[str | float]]]) -> bytes:
    """Sheets of rows. Texts are shared strings; numbers stand in a cell shown as a date when above 40,000."""
    strings: list[str] = []
    parts: dict[str, str] = {}
    for number, rows in enumerate(sheets.values(), start=1):
        body = "".join(f'<row r="{place}">{_cells(row, strings)}</row>' for place, row in enumerate(rows, start=1))
        parts[f"xl/worksheets/sheet{number}.xml"] = (
            f'{_XML}<worksheet xmlns="{_SHEET}"><sheetData>{body}</sheetData></worksheet>'
        )
    names = "".join(
        f'<sheet name={quoteattr(name)} sheetId="{number}" r:id="rId{number}"/>'
        for number, name in enumerate(sheets, start=1)
    )
    targets = {f"rId{number}": f"worksheets/sheet{number}.xml" for number in range(1, len(sheets) + 1)}
    shared = "".join(f"<si><t>{escape(text)}</t></si>" for text in strings)
    parts["xl/workbook.xml"] = (
        f'{_XML}<workbook xmlns="{_SHEET}" xmlns:r="{_OFFICE}"><sheets>{names}</sheets></workbook>'
    )
    parts["xl/_rels/workbook.xml.rels"] = _relations(targets | {"s": "sharedStrings.xml", "t": "styles.xml"})
    parts["xl/sharedStrings.xml"] = f'{_XML}<sst xmlns="{_SHEET}">{shared}</sst>'
    parts["xl/styles.xml"] = (
        f'{_XML}<styleSheet xmlns="{_SHEET}"><numFmts><numFmt numFmtId="164" formatCode="dd.mm.yyyy"/></numFmts>'
        '<cellXfs><xf numFmtId="0"/><xf numFmtId="164"/></cellXfs></styleSheet>'
    )
    return archive(parts)


def _cells(row: Sequence[str | float], strings: list[str]) -> str:
    cells = []
    for value in row:
        if isinstance(value, str):
            strings.append(value)
            cells.append(f'<c t="s"><v>{len(strings) - 1}</v></c>')
        else:
            cells.append(f'<c s="{int(value > 40_000)}"><v>{value}</v></c>')
    return "".join(cells)


def html(title: str, body: str) -> str:
    """A page as a browser would save it."""
    return (
        f"<!DOCTYPE html>\n<html><head><meta charset=utf-8><title>{title}</title>\n"
        f"<style>p {{ color: invisible }}</style></head>\n<body>\n{body}\n"
        "<script>var hidden = 'scripted';</script></body></html>"
    )
