"""The files of a task: parts of its output, and those that its skill told of and kept."""

from __future__ import annotations

from base64 import b64encode
from datetime import UTC, datetime

import msgspec
import pytest

from agentic_atlas.platform.task.artifacts import (
    MOST_FILES,
    OutputFile,
    artifact_rows,
    attachment,
    content_of,
    output_files,
)
from agentic_atlas.protocol.caller.traces import ArtifactInfo, TraceAttempt, TraceStep

AT = datetime(2026, 11, 30, tzinfo=UTC)
FILE = {"kind": "file", "name": "a.txt", "media_type": "text/plain", "content": b64encode(b"hello").decode()}


def encoded(value: object) -> bytes:
    return msgspec.json.encode(value)


def test_files_are_parts_of_an_output_that_is_one_or_a_list_of_them() -> None:
    (file,) = output_files(encoded(FILE))
    assert (file.name, file.media_type, content_of(file)) == ("a.txt", "text/plain", b"hello")
    several = output_files(encoded([FILE, {"kind": "text", "text": "file"}, FILE | {"more": [1]}]))
    assert [one.name for one in several] == ["a.txt", "a.txt"]
    assert len(output_files(encoded([FILE] * 200))) == MOST_FILES


@pytest.mark.parametrize(
    "output", [None, b"", b'"file"', b"[1]", encoded({"a": FILE}), encoded([FILE | {"name": 1}]), b'[{"kind":"file"']
)
def test_what_is_none_has_no_files(output: bytes | None) -> None:
    assert output_files(output) == []


def test_a_file_whose_content_is_not_base64_cannot_be_had() -> None:
    assert content_of(OutputFile("file", "a", "", "no base64!")) is None


def test_a_name_is_saved_as_it_is_whatever_is_in_it() -> None:
    assert attachment('a"\r\nb/ü') == "attachment; filename=\"file\"; filename*=UTF-8''a%22%0D%0Ab%2F%C3%BC"


def test_files_that_stay_with_their_agent_are_told_with_where_that_is() -> None:
    attempt = TraceAttempt(
        number=1, instance_id="ins_1", host="box", began_at=AT, accepted_at=AT, ended_at=None, end=None, error=None
    )
    info = ArtifactInfo(name="big\u0007.bin", media_type="x/y", size=3_400_000, sha256="ab")
    steps = [
        TraceStep(seq=3, at=AT, kind="artifact", attempt=1, artifact=info),
        TraceStep(seq=4, at=AT, kind="artifact", attempt=2, artifact=info),
        TraceStep(seq=5, at=AT, kind="artifact", attempt=1),
    ]
    here, there, nobody_knows = artifact_rows("tsk_1", encoded(FILE), steps, [attempt])
    assert (here.name, here.size, here.where, here.path) == (
        "a.txt",
        "5 bytes",
        "in the output",
        "/tasks/tsk_1/files/1",
    )
    assert (there.name, there.size, there.where, there.path) == ("big\\u0007.bin", "3.4 MB", "stays on box", "")
    assert nobody_knows.where == "stays with its agent"
