"""The description of a file that a skill made. The file itself stays on its machine."""

import hashlib
from pathlib import Path

import msgspec

from agentic_atlas.sdk.skills.content import guess_media_type
from agentic_atlas.sdk.text import presentable

_BLOCK = 1024 * 1024


class Artifact(msgspec.Struct, frozen=True):
    """What is told of a file: no content, and no path, which is nobody else's business."""

    name: str
    media_type: str
    size: int
    """Bytes."""
    sha256: str
    """Hexadecimal digest of the content."""


def describe_file(path: str | Path, *, name: str | None = None, media_type: str | None = None) -> Artifact:
    """Read a file once and describe it (blocking); name and media type are taken from the path unless given.

    Raises:
        OSError: the file cannot be read.
    """
    file = Path(path)
    digest, size = hashlib.sha256(), 0
    with file.open("rb") as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
            size += len(block)
    shown = presentable(name or file.name, 255)
    return Artifact(shown, presentable(media_type or guess_media_type(shown), 127), size, digest.hexdigest())
