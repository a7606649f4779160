"""What a skill may give back: plain values, Pydantic models, or content parts.

Parts are those of A2A in spirit: a `kind` tells them apart. A skill may return one part, a list of them, any value
that has a JSON form (`sdk.forms`: dataclasses, dates, paths, sets, bytes, …) or None.
"""

import mimetypes
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import BaseModel, BeforeValidator, Field, PlainSerializer, WithJsonSchema

from agentic_atlas.errors import PayloadTooLarge
from agentic_atlas.sdk.forms.base64_text import from_text, to_text

INLINE_BYTES: Final = 2 * 1024 * 1024
"""Most bytes of a file that travels inside an output: in base64 it still fits an ordinary `payload_bytes`."""


MediaType: TypeAlias = Annotated[str, Field(max_length=127, pattern=r"^[\w.+-]+/[\w.+-]+(;.*)?$")]
FileName: TypeAlias = Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[^/\\\x00]+$")]


Base64: TypeAlias = Annotated[
    bytes,
    Field(max_length=INLINE_BYTES),
    BeforeValidator(from_text),
    PlainSerializer(to_text, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "contentEncoding": "base64"}),
]
"""Bytes in Python, base64 in JSON."""


# Built when first used (`defer_build`): most agents never use one, and all of them import this.


class TextPart(BaseModel, frozen=True, extra="forbid", defer_build=True):
    """Text for a person or a model."""

    kind: Literal["text"] = "text"
    text: str


class DataPart(BaseModel, frozen=True, extra="forbid", defer_build=True):
    """A JSON value for a program."""

    kind: Literal["data"] = "data"
    data: Any


class FilePart(BaseModel, frozen=True, extra="forbid", defer_build=True):
    """A small file inside the output: at most 2 MiB. `ctx.artifact` describes a larger one that stays where it is."""

    kind: Literal["file"] = "file"
    name: FileName
    media_type: MediaType = "application/octet-stream"
    content: Base64
    """The bytes; a `str` is read as base64."""

    @classmethod
    def read(cls, path: str | Path, media_type: str | None = None) -> "FilePart":
        """Read a file of this machine (blocking); the media type is guessed from the name when not given.

        Raises:
            OSError: the file cannot be read.
            PayloadTooLarge: it has more than 2 MiB.
        """
        file = Path(path)
        with file.open("rb") as stream:
            content = stream.read(INLINE_BYTES + 1)
        if len(content) > INLINE_BYTES:
            raise PayloadTooLarge(f"{file.name} is larger than the {INLINE_BYTES} bytes of an inline file: link to it")
        return cls(name=file.name, media_type=media_type or guess_media_type(file.name), content=content)


class LinkPart(BaseModel, frozen=True, extra="forbid", defer_build=True):
    """A file or page that is somewhere else."""

    kind: Literal["link"] = "link"
    url: Annotated[str, Field(max_length=2_048, pattern=r"^https?://\S+$")]
    name: str | None = None
    media_type: MediaType | None = None


Part: TypeAlias = Annotated[TextPart | DataPart | FilePart | LinkPart, Field(discriminator="kind")]
"""Any content part; as an annotation, a JSON Schema with one branch for each kind."""


def guess_media_type(name: str) -> str:
    """Return the media type (RFC 2046) that the name of a file suggests."""
    return mimetypes.guess_type(name)[0] or "application/octet-stream"
