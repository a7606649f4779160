"""The index follows the folder, and nothing that happens to either is more than a line of the report."""

from __future__ import annotations

import os
import sqlite3
import stat
from pathlib import Path

import pytest
from document_catalogs import OpenCatalog, reading_processes
from library.catalog import Catalog, Step
from library.document import Limits
from library.errors import Closed, FolderMissing, NotAnIndex, Unreadable
from library.reading import FileReader


def refreshed(catalog: Catalog, *, everything: bool = False) -> Step:
    *_, last = catalog.refresh(everything=everything)
    return last


def found(catalog: Catalog, query: str) -> list[str]:
    return sorted(hit.file for hit in catalog.search(query, 10))


def skipped(catalog: Catalog) -> dict[str, str]:
    return {line.file: line.reason for line in catalog.status().skipped}


def test_only_what_changed_is_read_again(folder: Path, opened: OpenCatalog) -> None:
    for name in ("a.txt", "b.txt", "c.txt"):
        (folder / name).write_text(f"apples from {name}")
    catalog = opened()
    assert refreshed(catalog) == Step(done=3, total=3, removed=0)
    assert refreshed(catalog) == Step(done=0, total=0, removed=0)
    (folder / "a.txt").write_text("pears")
    (folder / "b.txt").unlink()
    (folder / "c.txt").rename(folder / "d.txt")
    assert refreshed(catalog) == Step(done=2, total=2, removed=2)
    assert found(catalog, "apples") == ["d.txt"]
    assert found(catalog, "pears") == ["a.txt"]
    assert refreshed(catalog, everything=True) == Step(done=2, total=2, removed=0)
    assert catalog.status().totals.files == 2


def test_what_is_indexed_is_still_there_after_a_restart(folder: Path, opened: OpenCatalog) -> None:
    (folder / "a.txt").write_text("apples")
    refreshed(opened())
    again = opened()
    assert found(again, "apples") == ["a.txt"]
    assert refreshed(again).total == 0


def test_a_file_that_can_no_longer_be_read_is_no_longer_found(folder: Path, opened: OpenCatalog) -> None:
    (folder / "a.txt").write_text("apples")
    catalog = opened()
    refreshed(catalog)
    (folder / "a.txt").write_bytes(b"apples\0\1\2")
    refreshed(catalog)
    assert found(catalog, "apples") == []
    assert skipped(catalog) == {"a.txt": "is not text: holds NUL bytes"}
    assert refreshed(catalog).total == 0, "a file that cannot be read is not tried again until it changes"


def test_questions_are_answered_while_files_are_being_read(folder: Path, opened: OpenCatalog) -> None:
    for number in range(60):
        (folder / f"{number:02}.txt").write_text("apples")
    catalog = opened()
    steps = catalog.refresh()
    assert next(steps) == Step(done=0, total=60, removed=0)
    assert next(steps).done == 50
    assert len(catalog.search("apples", 100)) == 20
    assert catalog.status().totals.files == 50


def test_a_folder_that_is_gone_leaves_the_index_as_it_is(folder: Path, opened: OpenCatalog) -> None:
    (folder / "a.txt").write_text("apples")
    catalog = opened()
    refreshed(catalog)
    folder.rename(folder.with_name("unmounted"))
    with pytest.raises(FolderMissing):
        refreshed(catalog)
    assert found(catalog, "apples") == ["a.txt"]


def test_an_index_of_another_folder_is_emptied(folder: Path, tmp_path: Path, opened: OpenCatalog) -> None:
    (folder / "a.txt").write_text("apples")
    refreshed(opened())
    other = tmp_path / "other"
    other.mkdir()
    assert found(opened(of=other), "apples") == []


@pytest.mark.parametrize("damage", ["cut", "overwritten"])
def test_a_damaged_index_is_made_anew(folder: Path, database: Path, opened: OpenCatalog, damage: str) -> None:
    (folder / "a.txt").write_text("apples " * 5_000)
    first = opened()
    refreshed(first)
    first.close()
    data = database.read_bytes()
    database.write_bytes(data[:5_000] if damage == "cut" else data[:100] + b"\xff" * (len(data) - 100))
    catalog = opened()
    assert refreshed(catalog).total == 1
    assert found(catalog, "apples")[0] == "a.txt"


def test_a_file_that_is_no_index_of_ours_is_not_touched(folder: Path, tmp_path: Path) -> None:
    letters = tmp_path / "letters.txt"
    letters.write_text("Dear Ana")
    others = tmp_path / "other.sqlite3"
    connection = sqlite3.connect(others)
    connection.execute("CREATE TABLE accounts (id)")
    connection.close()
    for file in (letters, others, tmp_path):
        before = file.read_bytes() if file.is_file() else b""
        with pytest.raises(NotAnIndex, match="set DOCUMENTS_INDEX"):
            Catalog(folder, file)
        assert not before or file.read_bytes() == before


@pytest.mark.skipif(os.name != "posix", reason="modes are of POSIX")
def test_the_index_is_for_its_owner_alone(database: Path, opened: OpenCatalog) -> None:
    opened()
    assert stat.S_IMODE(database.stat().st_mode) == 0o600
    assert stat.S_IMODE(database.parent.stat().st_mode) == 0o700


def test_a_file_that_takes_too_long_costs_only_itself(folder: Path, opened: OpenCatalog) -> None:
    (folder / "a.txt").write_text("apples")
    (folder / "endless.txt").write_text("a new word every time\n" * 500_000)
    (folder / "z.txt").write_text("apples")
    catalog = opened(Limits(seconds=0.05))
    assert refreshed(catalog).done == 3
    assert found(catalog, "apples") == ["a.txt", "z.txt"]
    assert skipped(catalog) == {"endless.txt": "takes longer than 0.05 seconds to read"}


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_read_once_it_is_given(folder: Path, opened: OpenCatalog) -> None:
    (folder / "a.txt").write_text("apples")
    (folder / "a.txt").chmod(0)
    catalog = opened()
    refreshed(catalog)
    assert skipped(catalog) == {"a.txt": "cannot be opened: Permission denied"}
    (folder / "a.txt").chmod(0o600)
    refreshed(catalog)
    assert found(catalog, "apples") == ["a.txt"]


def test_the_process_that_reads_is_replaced_when_it_dies_and_never_sees_the_token(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AGENT_JWT_TOKEN", "secret")
    (folder / "a.txt").write_text("apples")
    reader = FileReader(Limits())
    try:
        assert reader.read(folder / "a.txt", "a.txt").characters == len("apples")
        (process,) = reading_processes()
        assert "AGENT_JWT_TOKEN" not in process.environ()
        process.kill()
        process.wait(10)
        assert reader.read(folder / "a.txt", "a.txt").characters == len("apples")
    finally:
        reader.close()
    assert reading_processes() == []
    with pytest.raises(Closed):
        reader.read(folder / "a.txt", "a.txt")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no FIFOs")
def test_what_took_the_place_of_a_file_since_it_was_listed_is_not_read(folder: Path, tmp_path: Path) -> None:
    os.mkfifo(folder / "pipe.txt")
    (tmp_path / "secret.txt").write_text("secret")
    (folder / "link.txt").symlink_to(tmp_path / "secret.txt")
    (folder / "sub").symlink_to(tmp_path)
    reader = FileReader(Limits())
    try:
        for name, reason in {
            "pipe.txt": "is no ordinary file",
            "link.txt": "is reached through a symbolic link",
            "sub/secret.txt": "is reached through a symbolic link",
            "gone.txt": "cannot be opened: No such file or directory",
            "kind.png": "is of a kind that is not read",
        }.items():
            with pytest.raises(Unreadable) as refused:
                reader.read(folder / name, name)
            assert refused.value.reason == reason
    finally:
        reader.close()
