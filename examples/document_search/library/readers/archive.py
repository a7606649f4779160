"""Office files are zip archives of XML. Both can be made to explode; this reads them so that they cannot.

Archives: only named parts are unpacked, as a stream, and all of them together up to `Limits.unpacked_bytes`.
XML: a part with a document type, and so any entity of its own, is refused; nothing is ever fetched; no tree is built.
"""

from __future__ import annotations

import posixpath
import zipfile
import zlib
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple
from xml.parsers import expat

from library.document import Limits
from library.errors import Unreadable

_MOST_PARTS = 10_000
_CHUNK = 64 * 1024
_RELATIONSHIP = "relationships id"
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError)


class Event(NamedTuple):
    """A step of the walk through a part: an element begins (`start`), ends (`end`), or text stands between."""

    kind: str
    name: str
    """Name of the element without its namespace; of text, the text itself."""
    attributes: dict[str, str]

    def get(self, name: str) -> str:
        """Value of the attribute of this name in whatever namespace; empty when there is none."""
        for key, value in self.attributes.items():
            if key.rpartition(" ")[2] == name:
                return value
        return ""

    @property
    def relationship(self) -> str:
        """Value of the attribute `r:id`, which points to another part."""
        for key, value in self.attributes.items():
            if key.endswith(_RELATIONSHIP):
                return value
        return ""


class Archive:
    """The parts of one Office file."""

    def __init__(self, stream: BinaryIO, size: int, limits: Limits) -> None:
        if size > limits.file_bytes:
            raise Unreadable("is too large")
        try:
            self._zip = zipfile.ZipFile(stream)
        except _BROKEN as error:
            raise Unreadable("is not an Office file, damaged, or locked with a password") from error
        if len(self._zip.infolist()) > _MOST_PARTS:
            raise Unreadable(f"holds more than {_MOST_PARTS:,} parts")
        self._names = frozenset(self._zip.namelist())
        self._left = limits.unpacked_bytes

    def __contains__(self, part: str) -> bool:
        return part in self._names

    def events(self, part: str) -> Iterator[Event]:
        """Walks through a part; one that is not there is empty.

        Raises Unreadable when the part is damaged, not well-formed, has a document type, or unpacks to too much.
        """
        if part not in self._names:
            return
        parser, found = _parser()
        try:
            with self._zip.open(part) as stream:
                while chunk := stream.read(_CHUNK):
                    self._spend(len(chunk))
                    parser.Parse(chunk, False)
                    yield from found
                    found.clear()
            parser.Parse(b"", True)
            yield from found
        except expat.ExpatError as error:
            raise Unreadable("holds XML that is not well-formed") from error
        except RuntimeError as error:
            # zipfile says so for an encrypted part, and for nothing else
            raise Unreadable("is locked with a password") from error
        except _BROKEN as error:
            raise Unreadable("is damaged") from error

    def relations(self, part: str) -> dict[str, str]:
        """The parts this part points to: relationship id → name of the part."""
        folder, name = posixpath.split(part)
        found = {}
        for event in self.events(f"{folder}/_rels/{name}.rels"):
            if event.name == "Relationship" and event.get("TargetMode") != "External":
                target = posixpath.normpath(posixpath.join("/", folder, event.get("Target")))
                found[event.get("Id")] = target.lstrip("/")
        return found

    def title(self) -> str:
        """The title in the properties of the document, if it has one."""
        return text_in(self.events("docProps/core.xml"), "title")

    def _spend(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise Unreadable("unpacks to more than is read of one file")


def text_in(events: Iterator[Event], element: str) -> str:
    """The text of the first element of this name; empty when there is none."""
    inside = False
    pieces: list[str] = []
    for event in events:
        if event.kind == "text" and inside:
            pieces.append(event.name)
        elif event.name == element:
            if event.kind == "end":
                break
            inside = True
    return "".join(pieces)


def _parser() -> tuple[expat.XMLParserType, list[Event]]:
    found: list[Event] = []
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartElementHandler = lambda name, attrs: found.append(Event("start", name.rpartition(" ")[2], attrs))
    parser.EndElementHandler = lambda name: found.append(Event("end", name.rpartition(" ")[2], {}))
    parser.CharacterDataHandler = lambda text: found.append(Event("text", text, {}))
    parser.StartDoctypeDeclHandler = _refuse_doctype
    return parser, found


def _refuse_doctype(*_declared: object) -> None:
    raise Unreadable("holds XML with a document type, which no Office program writes")
