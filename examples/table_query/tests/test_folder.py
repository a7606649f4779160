"""The folder is listed with what is not read and why; nothing outside of it is."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import pytest
from tables.errors import FolderMissing
from tables.folder import scan


def skipped(folder: Path) -> dict[str, str]:
    return {line.file: line.reason for line in scan(folder)[1]}


def test_files_that_are_read_get_names_and_the_others_reasons(folder: Path) -> None:
    for name in (
        "a.csv",
        "b.TSV",
        "c.parquet",
        "d.xlsx",
        "e.csv.gz",
        "f.txt",
        "g.xls",
        "noending",
        ".hidden.csv",
        "~$d.xlsx",
    ):
        (folder / name).write_bytes(b"x")
    (folder / "sub" / ".git").mkdir(parents=True)
    (folder / "sub" / "h.csv").write_bytes(b"xyz")
    (folder / "sub" / ".git" / "i.csv").write_bytes(b"x")
    entries, _ = scan(folder)
    assert [(entry.path, entry.kind, entry.name) for entry in entries] == [
        ("a.csv", "csv", "a"),
        ("b.TSV", "csv", "b"),
        ("c.parquet", "parquet", "c"),
        ("d.xlsx", "xlsx", "d"),
        ("e.csv.gz", "csv", "e"),
        ("sub/h.csv", "csv", "sub_h"),
    ]
    assert entries[-1].size == 3
    assert skipped(folder) == {
        "f.txt": "files of this kind (.txt) are not read",
        "g.xls": "is of the old Excel format: save it as .xlsx",
        "noending": "files of this kind (no ending) are not read",
    }


@pytest.mark.skipif(platform.system() == "Windows", reason="links and pipes are made differently there")
def test_links_and_pipes_are_never_opened(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "private.csv").write_text("secret")
    (tmp_path / "private").mkdir()
    (tmp_path / "private" / "a.csv").write_text("secret")
    (folder / "out.csv").symlink_to(tmp_path / "private.csv")
    (folder / "out").symlink_to(tmp_path / "private")
    (folder / "nowhere.csv").symlink_to(tmp_path / "missing")
    os.mkfifo(folder / "pipe.csv")
    entries, _ = scan(folder)
    assert entries == []
    assert set(skipped(folder)) == {"out.csv", "out", "nowhere.csv", "pipe.csv"}
    assert "symbolic link" in skipped(folder)["out"]
    assert skipped(folder)["pipe.csv"] == "is no ordinary file"


@pytest.mark.skipif(platform.system() != "Linux", reason="names are bytes on Linux only")
def test_a_name_that_is_not_unicode_is_a_line_of_its_own(folder: Path) -> None:
    Path(os.fsdecode(os.fsencode(folder) + b"/caf\xe9.csv")).write_text("a\n1\n")
    assert scan(folder)[0] == []
    assert skipped(folder) == {"caf\\xe9.csv": "its name is not valid Unicode"}


def test_the_key_changes_with_the_file_and_with_nothing_else(folder: Path) -> None:
    file = folder / "a.csv"
    file.write_text("one")
    before = scan(folder)[0][0]
    assert scan(folder)[0] == [before]
    other = folder / "b.csv"
    other.write_text("two")
    os.utime(other, ns=(file.stat().st_atime_ns, file.stat().st_mtime_ns))
    other.replace(file)
    after = scan(folder)[0][0]
    assert (after.name, after.size, after.modified) == (before.name, before.size, before.modified)
    assert after.key != before.key


def test_more_files_than_are_read_is_a_line_of_its_own(folder: Path) -> None:
    for number in range(5):
        (folder / f"{number}.csv").write_text("x")
    entries, left_out = scan(folder, most=3)
    assert len(entries) == 3
    assert [(line.file, line.reason) for line in left_out] == [
        ("…", "the folder holds more than 3 files; the others are not read")
    ]


def test_a_folder_that_is_not_there_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(FolderMissing, match="set TABLES_FOLDER"):
        scan(tmp_path / "missing")
