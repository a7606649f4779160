"""What a skill may give back: plain values, Pydantic models, or content parts; and how it becomes JSON within limits.

Parts are those of A2A in spirit: a `kind` tells them apart. A skill may return one part, a list of them, any value
that has a JSON form (`sdk.forms`: dataclasses, dates, paths, sets, bytes, …) or None.
"""

import mimetypes
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Literal, TypeAlias

from msgspec import Raw
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, WithJsonSchema
from pydantic import ValidationError as PydanticValidationError

from agentic_atlas.errors import AtlasError, PayloadTooLarge
from agentic_atlas.protocol.codec import ProtocolError, check_nesting
from agentic_atlas.protocol.messages import Limits
from agentic_atlas.sdk.forms.base64_text import from_text, to_text
from agentic_atlas.sdk.forms.plain import NoJsonForm
from agentic_atlas.sdk.forms.typed import TypeForm
from agentic_atlas.sdk.skills.validation import faults, sentence
from agentic_atlas.sdk.text import describe

INLINE_BYTES: Final = 2 * 1024 * 1024
"""Most bytes of a file that travels inside an output: in base64 it still fits an ordinary `payload_bytes`."""

_ENVELOPE_DEPTH: Final = 2
"""Levels of nesting that a message needs around a payload."""
_CHUNK_BYTES: Final = 16
"""Bytes that a chunk's event needs around the chunk."""

MediaType: TypeAlias = Annotated[str, Field(max_length=127, pattern=r"^[\w.+-]+/[\w.+-]+(;.*)?$")]
FileName: TypeAlias = Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[^/\\\x00]+$")]


class InvalidOutput(AtlasError):
    """What a skill returned cannot be sent: not JSON, not of its return annotation, or nested too deeply."""

    default_code: ClassVar[str] = "invalid_output"


Base64: TypeAlias = Annotated[
    bytes,
    Field(max_length=INLINE_BYTES),
    BeforeValidator(from_text),
    PlainSerializer(to_text, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "contentEncoding": "base64"}),
]
"""Bytes in Python, base64 in JSON."""


class _Part(BaseModel):
    # Built when first used: most agents never use one, and all of them import this.
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class TextPart(_Part):
    """Text for a person or a model."""

    kind: Literal["text"] = "text"
    text: str


class DataPart(_Part):
    """A JSON value for a program."""

    kind: Literal["data"] = "data"
    data: Any


class FilePart(_Part):
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


class LinkPart(_Part):
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


def encode_output(value: object, form: TypeForm, limits: Limits) -> Raw:
    """Return a skill's output as JSON that the wire takes.

    Raises:
        InvalidOutput: it does not fit its annotation, has no JSON form, or is nested too deeply.
        PayloadTooLarge: it has more than `limits.payload_bytes`.
    """
    return _encode(value, form, limits, limits.payload_bytes, _ENVELOPE_DEPTH)


def encode_chunk(value: object, form: TypeForm, limits: Limits) -> Raw:
    """Do the same for one item that a streaming skill yields, which has to fit `limits.event_bytes`."""
    return _encode(value, form, limits, limits.event_bytes - _CHUNK_BYTES, _ENVELOPE_DEPTH + 1)


def _encode(value: object, form: TypeForm, limits: Limits, most: int, envelope: int) -> Raw:
    try:
        encoded = form.text(form.check(value))
    except PydanticValidationError as error:
        found = faults(error, value)
        raise InvalidOutput(f"what it returned is not what it declares: {sentence(found)}", detail=found) from None
    except NoJsonForm as error:
        detail = [{"path": error.pointer, "message": error.reason}]
        raise InvalidOutput(f"what it returned cannot be sent: {error}", detail=detail) from error.__cause__
    except Exception as error:  # serialisers of the user's models run here and may raise anything
        raise InvalidOutput(f"what it returned has no JSON form: {describe(error)}") from error
    if len(encoded) > most:
        raise PayloadTooLarge(f"{len(encoded)} bytes are more than the {most} allowed: return less, or a link to it")
    try:
        check_nesting(encoded, limits.depth - envelope)
    except ProtocolError as error:
        raise InvalidOutput(f"what it returned can't be sent: {error.message}") from None
    return Raw(encoded)
