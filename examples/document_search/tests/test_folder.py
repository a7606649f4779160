"""The folder is listed without opening or following anything that does not belong to it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from library.errors import FolderMissing
from library.folder import scan


def listed(folder: Path, most: int = 1_000) -> dict[str, str]:
    """Name → why it is skipped, empty for what is read."""
    return {entry.name: entry.skipped for entry in scan(folder, most)}


def test_files_are_listed_by_name_at_any_depth(folder: Path) -> None:
    (folder / "a" / "b").mkdir(parents=True)
    for name in ("z.txt", "a/b/deep.md", "a/page.HTML"):
        (folder / name).write_text("x")
    assert listed(folder) == {"a/b/deep.md": "", "a/page.HTML": "", "z.txt": ""}


def test_hidden_files_and_folders_of_programs_are_left_out(folder: Path) -> None:
    for name in (".git", "node_modules", ".venv", "sub/__pycache__"):
        (folder / name).mkdir(parents=True)
        (folder / name / "inside.txt").write_text("x")
    for name in (".env", "~$draft.docx", ".hidden.md"):
        (folder / name).write_text("SECRET=1")
    assert listed(folder) == {}


def test_links_are_named_and_not_followed(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret.txt").write_text("secret")
    (folder / "inside.txt").write_text("x")
    (folder / "out.txt").symlink_to(tmp_path / "outside" / "secret.txt")
    (folder / "out_folder").symlink_to(tmp_path / "outside")
    (folder / "in.txt").symlink_to("inside.txt")
    (folder / "nowhere.txt").symlink_to("missing.txt")
    (folder / "circle.txt").symlink_to("circle.txt")
    assert listed(folder) == {
        "circle.txt": "is a symbolic link that leads nowhere",
        "in.txt": "is a symbolic link to a file of the folder",
        "inside.txt": "",
        "nowhere.txt": "is a symbolic link that leads nowhere",
        "out.txt": "is a symbolic link out of the folder",
        "out_folder": "is a symbolic link out of the folder",
    }


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no FIFOs")
def test_what_is_no_ordinary_file_is_named(folder: Path) -> None:
    os.mkfifo(folder / "pipe.txt")
    (folder / "folder.txt").mkdir()
    (folder / "photo.png").write_bytes(b"\x89PNG")
    (folder / "README").write_text("x")
    assert listed(folder) == {
        "README": "files of this kind (no ending) are not read",
        "photo.png": "files of this kind (.png) are not read",
        "pipe.txt": "is no ordinary file",
    }


@pytest.mark.skipif(os.name != "posix" or os.uname().sysname != "Linux", reason="names are bytes on Linux only")
def test_a_name_that_is_not_utf8_is_shown_with_its_bytes(folder: Path) -> None:
    Path(os.fsdecode(os.fsencode(folder) + b"/caf\xe9.txt")).write_text("x")
    assert listed(folder) == {"caf\\xe9.txt": ""}


def test_more_files_than_are_read_is_a_line_of_its_own(folder: Path) -> None:
    for number in range(5):
        (folder / f"{number}.txt").write_text("x")
    found = listed(folder, most=3)
    assert len(found) == 4
    assert found["…"] == "the folder holds more than 3 files; the others are not read"


def test_a_signature_changes_with_a_copy_of_the_same_size_and_time(folder: Path) -> None:
    file = folder / "a.txt"
    file.write_text("one")
    before = scan(folder)[0]
    other = folder / "b.txt"
    other.write_text("two")
    os.utime(other, ns=(file.stat().st_atime_ns, file.stat().st_mtime_ns))
    other.replace(file)
    assert scan(folder)[0].signature != before.signature


def test_a_folder_that_is_not_there_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(FolderMissing, match="set DOCUMENTS_FOLDER"):
        scan(tmp_path / "missing")
