"""Files that a task made: those that are parts of its output, and those that its skill told of and kept. Pure."""

import re
from base64 import b64decode
from collections.abc import Iterable, Sequence
from typing import Final
from urllib.parse import quote

import msgspec

from agentic_atlas.platform.page import View
from agentic_atlas.platform.wording import size, visible
from agentic_atlas.protocol.caller.traces import TraceAttempt, TraceStep

MOST_FILES: Final = 100
"""Files of a task that are listed."""
_MOST_NAME: Final = 255
_MOST_PARTS: Final = 10_000
"""Objects in an output that is looked through: more are no list of files."""
_PART: Final = re.compile(rb"\s*(?:\[\s*)?\{")
"""How an output begins that is a part, or a list of parts."""


class OutputFile(msgspec.Struct, frozen=True):
    """A part of an output, as far as it is a file.

    Attributes:
        kind: `file` for one.
        name: of the file.
        media_type: its own, as it was told.
        content: in base64.
    """

    kind: str = ""
    name: str = ""
    media_type: str = ""
    content: str = ""


class ArtifactRow(View, frozen=True):
    """A file.

    Attributes:
        name: its own.
        media_type: as it was told.
        size: in words.
        sha256: of its content; empty: nobody has told.
        where: it is.
        path: to download it from; empty: it is not here.
    """

    name: str
    media_type: str
    size: str
    sha256: str
    where: str
    path: str


def output_files(output: bytes | None) -> Sequence[OutputFile]:
    """Return the files that are parts of an output, which is one part or a list of them."""
    if output is None or _PART.match(output) is None or b'"file"' not in output or output.count(b"{") > _MOST_PARTS:
        return []
    try:
        parts = msgspec.json.decode(output, type=list[OutputFile] | OutputFile)
    except msgspec.MsgspecError:
        return []
    listed = parts if isinstance(parts, list) else [parts]
    return [one for one in listed if one.kind == "file" and one.name][:MOST_FILES]


def content_of(file: OutputFile) -> bytes | None:
    """Return what is in a file; None where that is not base64."""
    try:
        return b64decode(file.content, validate=True)
    except ValueError:
        return None


def attachment(name: str) -> str:
    """Return the `Content-Disposition` of a file that is saved under this name (RFC 6266)."""
    return f"attachment; filename=\"file\"; filename*=UTF-8''{quote(name[:_MOST_NAME], safe='')}"


def artifact_rows(
    task_id: str, output: bytes | None, steps: Iterable[TraceStep], attempts: Sequence[TraceAttempt]
) -> list[ArtifactRow]:
    """Return the files of a task: first those that can be had here."""
    rows = [
        ArtifactRow(
            name=visible(one.name[:_MOST_NAME]),
            media_type=visible(one.media_type[:_MOST_NAME]),
            size=size(len(one.content.rstrip("=")) * 3 // 4),
            sha256="",
            where="in the output",
            path=f"/tasks/{task_id}/files/{number}",
        )
        for number, one in enumerate(output_files(output), 1)
    ]
    hosts = {one.number: one.host for one in attempts}
    for step in steps:
        if step.artifact is not None and len(rows) < MOST_FILES:
            host = visible(hosts.get(step.attempt, ""))
            rows.append(
                ArtifactRow(
                    name=visible(step.artifact.name[:_MOST_NAME]),
                    media_type=visible(step.artifact.media_type[:_MOST_NAME]),
                    size=size(max(0, step.artifact.size)),
                    sha256=visible(step.artifact.sha256[:64]),
                    where=f"stays on {host}" if host else "stays with its agent",
                    path="",
                )
            )
    return rows
