"""The file on the agent's machine: bounded, its owner's alone, and never in the way."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agentic_atlas.protocol.messages import LogLine
from agentic_atlas.sdk.lines.file import LogFile


def line(message: str) -> LogLine:
    return LogLine(1_767_225_600.25, "info", message, "task", "tsk_1", 1)


def opened(path: Path, failed: list[str] | None = None, *, size: int = 1_000, files: int = 3) -> LogFile:
    complaints = [] if failed is None else failed
    return LogFile(path, size=size, files=files, failed=complaints.append)


def messages(path: Path) -> list[str]:
    return [json.loads(text)["message"] for text in path.read_text().splitlines()]


def test_lines_are_json_and_nobody_else_reads_them(tmp_path: Path) -> None:
    path = tmp_path / "new" / "agent.log"
    file = opened(path)
    file.write(line("hello"))
    file.close()
    file.write(line("after the end"))
    (told,) = map(json.loads, path.read_text().splitlines())
    assert told == {
        "timestamp": "2026-01-01T00:00:00.250Z",
        "level": "info",
        "message": "hello",
        "source": "task",
        "task": "tsk_1",
        "attempt": 1,
        "fields": {},
    }
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_a_full_file_makes_room_for_a_new_one_and_the_oldest_goes(tmp_path: Path) -> None:
    path = tmp_path / "agent.log"
    file = opened(path)
    for number in range(40):
        file.write(line(f"{number}"))
    file.close()
    paths = [path, tmp_path / "agent.log.1", tmp_path / "agent.log.2"]
    assert sorted(tmp_path.iterdir()) == paths
    assert all(one.stat().st_size <= 1_000 for one in paths)
    kept = [message for one in reversed(paths) for message in messages(one)]
    assert kept == [str(number) for number in range(40 - len(kept), 40)]


def test_one_file_alone_is_begun_anew(tmp_path: Path) -> None:
    file = opened(tmp_path / "agent.log", files=1)
    for number in range(40):
        file.write(line(f"{number}"))
    assert [one.name for one in tmp_path.iterdir()] == ["agent.log"]
    assert messages(tmp_path / "agent.log")[-1] == "39"


def test_a_process_goes_on_where_the_one_before_ended(tmp_path: Path) -> None:
    path = tmp_path / "agent.log"
    for message in ("first", "second"):
        file = opened(path)
        file.write(line(message))
        file.close()
    assert messages(path) == ["first", "second"]


def test_two_processes_do_not_write_into_one_file(tmp_path: Path) -> None:
    path = tmp_path / "agent.log"
    first, second = opened(path), opened(path)
    first.write(line("first"))
    second.write(line("second"))
    assert (first.path, second.path) == (path, tmp_path / "agent-2.log")
    assert messages(path) == ["first"]
    assert messages(second.path) == ["second"]


@pytest.mark.parametrize("kind", ["a folder", "a link", "no folder"])
def test_what_cannot_be_written_is_said_once_and_left_out(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "agent.log"
    if kind == "a folder":
        path.mkdir()
    elif kind == "a link":
        path.symlink_to(tmp_path / "elsewhere")
    else:
        (tmp_path / "file").touch()
        path = tmp_path / "file" / "agent.log"
    failed: list[str] = []
    file = opened(path, failed)
    file.write(line("one"))
    file.write(line("two"))
    assert len(failed) == 1
    assert str(path) in failed[0]
    assert not (tmp_path / "elsewhere").exists()
