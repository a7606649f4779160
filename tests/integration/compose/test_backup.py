"""A backup of a network that does not run, and bringing it to where somebody wants it."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agentic_atlas.backend.archive import folder as folders
from agentic_atlas.backend.archive.tarball import read
from agentic_atlas.backend.store.lock import owned
from agentic_atlas.compose.backup import move
from agentic_atlas.compose.restore import restore
from agentic_atlas.errors import AtlasError, ConfigurationError
from tests.disks import mounted
from tests.integration.compose.data_folders import backed_up, held, made
from tests.killing import killed_within

KILLS = 10


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return made(tmp_path / "data", 200, size=10_000)


@pytest.fixture
def other_disk(tmp_path: Path) -> Iterator[Path]:
    with mounted(tmp_path / "disk", megabytes=16) as folder:
        yield folder


def names(folder: Path) -> set[str]:
    return {entry.name for entry in folder.iterdir()}


def test_it_is_made_in_the_folder_for_backups_and_leaves_the_data_as_it_was(folder: Path) -> None:
    before = held(folder)
    pieces: list[int] = []
    backup = backed_up(folder, pieces.append)
    assert Path(backup.path).parent == folder / "backups"
    assert read(Path(backup.path)).network == before.network
    assert sum(pieces) > 200 * 10_000
    assert held(folder) == before


def test_a_folder_that_a_server_uses_is_not_copied(folder: Path) -> None:
    with owned(folder / "atlas.sqlite3"), pytest.raises(ConfigurationError) as refused:
        backed_up(folder)
    assert refused.value.code == "store_in_use"


def test_a_folder_without_a_network_is_named_and_not_made(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="--data-dir") as refused:
        backed_up(tmp_path / "nothing")
    assert refused.value.code == "no_data"
    assert not (tmp_path / "nothing").exists()


@pytest.mark.timeout(120)
def test_a_kill_at_any_moment_leaves_no_file_that_looks_whole_and_is_not(folder: Path, tmp_path: Path) -> None:
    began = time.monotonic()
    first = backed_up(folder)
    took = time.monotonic() - began
    chance = random.Random()
    kills = 0
    while kills < KILLS:
        kills += killed_within(chance.uniform(0, 1.1) * took, lambda: backed_up(folder))
        for path in (folder / "backups").glob("atlas-*.tar"):
            assert read(path).network == held(folder).network
    last = backed_up(folder)
    left = names(folder / "backups")
    assert {first.name, last.name} <= left
    assert all(name.startswith("atlas-") for name in left), left
    for number, name in enumerate(sorted(left)):
        restore(folder / "backups" / name, tmp_path / str(number), force=False)
        assert held(tmp_path / str(number)) == held(folder)


def test_it_is_moved_where_it_is_wanted(folder: Path, tmp_path: Path) -> None:
    backup = backed_up(folder)
    moved = move(backup, tmp_path / "mine.tar")
    assert (moved.name, moved.path) == ("mine.tar", str(tmp_path / "mine.tar"))
    assert names(folder / "backups") == set()
    assert read(tmp_path / "mine.tar").network == held(folder).network


def test_it_is_moved_to_another_disk_too(folder: Path, other_disk: Path) -> None:
    backup = backed_up(folder)
    content = Path(backup.path).read_bytes()
    move(backup, other_disk / "mine.tar")
    assert (other_disk / "mine.tar").read_bytes() == content
    assert (other_disk / "mine.tar").stat().st_mode & 0o077 == 0
    assert names(folder / "backups") == set()


def test_a_full_disk_keeps_the_backup_where_it_was(folder: Path, other_disk: Path) -> None:
    backup = backed_up(folder)
    (other_disk / "filler").write_bytes(bytes(15 * 1024 * 1024))
    with pytest.raises(OSError, match="No space"):
        move(backup, other_disk / "mine.tar")
    assert names(other_disk) == {"filler"}
    assert read(Path(backup.path))


def test_it_never_takes_the_place_of_a_file(folder: Path, tmp_path: Path) -> None:
    backup = backed_up(folder)
    (tmp_path / "mine.tar").write_bytes(b"older")
    with pytest.raises(FileExistsError):
        move(backup, tmp_path / "mine.tar")
    assert (tmp_path / "mine.tar").read_bytes() == b"older"
    assert Path(backup.path).exists()


def test_a_disk_with_hardly_any_room_is_left_alone(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders, "ROOM", 1 << 60)
    with pytest.raises(AtlasError) as refused:
        backed_up(folder)
    assert refused.value.code == "storage_full"
    assert names(folder / "backups") == set()
