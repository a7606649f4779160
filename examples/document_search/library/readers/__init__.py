"""One reader for each format, chosen by the end of the file's name.

Only names on the list are opened: a key or a database that happens to lie in the folder is never read.
"""

from __future__ import annotations

from pathlib import PurePath

from library.document import ReadFunction
from library.readers.html import read_html
from library.readers.markdown import read_markdown
from library.readers.office import read_docx, read_odt, read_pptx
from library.readers.pdf import read_pdf
from library.readers.sheets import read_xlsx
from library.readers.text import read_text

_PLAIN = "txt text log rst adoc org tex csv tsv json jsonl yaml yml toml ini cfg conf xml srt vtt"
_CODE = "py js ts java c h cpp hpp rs go rb php sh sql css swift kt r"

READERS: dict[str, ReadFunction] = {
    **{f".{ending}": read_text for ending in f"{_PLAIN} {_CODE}".split()},
    ".md": read_markdown,
    ".markdown": read_markdown,
    ".html": read_html,
    ".htm": read_html,
    ".xhtml": read_html,
    ".pdf": read_pdf,
    ".docx": read_docx,
    ".pptx": read_pptx,
    ".xlsx": read_xlsx,
    ".odt": read_odt,
}
"""Ending of the name, in small letters → reader."""


def reader_for(name: str) -> ReadFunction | None:
    """The reader for a file of this name, or None when its kind is not read."""
    return READERS.get(PurePath(name).suffix.lower())
