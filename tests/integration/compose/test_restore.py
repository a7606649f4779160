"""A restore into a data folder: all of the backup or all of what was there, whenever the process is killed."""

from __future__ import annotations

import random
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from agentic_atlas.backend.archive import placing
from agentic_atlas.backend.store.lock import owned
from agentic_atlas.compose.restore import finish_restore, restore
from agentic_atlas.errors import AtlasError, ConfigurationError, Unavailable
from agentic_atlas.protocol.caller.backups import BackupInfo
from tests.integration.compose.data_folders import backed_up, held, made, rewritten
from tests.killing import killed_within

KILLS = 20


@pytest.fixture(scope="module")
def new(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a network with 300 tasks."""
    return made(tmp_path_factory.mktemp("new") / "data", 300, size=10_000)


@pytest.fixture(scope="module")
def backup(new: Path) -> BackupInfo:
    return backed_up(new)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with another network, of three tasks."""
    return made(tmp_path / "data", 3)


def names(folder: Path) -> set[str]:
    return {entry.name for entry in folder.iterdir()}


def test_a_restored_network_is_the_one_that_was_backed_up(new: Path, backup: BackupInfo, tmp_path: Path) -> None:
    manifest, aside = restore(Path(backup.path), tmp_path / "data", force=False)
    assert held(tmp_path / "data") == held(new)
    assert held(new).tasks == 300
    assert (manifest.network, aside) == (held(new).network, None)
    assert names(tmp_path / "data") == {"atlas.sqlite3", "atlas.sqlite3.lock", "keys"}
    assert {entry.stat().st_mode & 0o077 for entry in (tmp_path / "data").rglob("*")} == {0}


def test_what_is_there_is_not_replaced_without_force_and_not_deleted_with_it(
    new: Path, backup: BackupInfo, folder: Path
) -> None:
    before = held(folder)
    with pytest.raises(ConfigurationError, match="--force") as refused:
        restore(Path(backup.path), folder, force=False)
    assert refused.value.code == "data_exists"
    assert held(folder) == before
    _, aside = restore(Path(backup.path), folder, force=True)
    assert aside is not None
    assert aside.parent == folder
    assert aside.name.startswith("before-restore-2")
    assert held(folder) == held(new)
    assert held(aside) == before


def test_a_folder_that_a_server_uses_is_left_alone(backup: BackupInfo, folder: Path) -> None:
    before = held(folder)
    with owned(folder / "atlas.sqlite3"), pytest.raises(ConfigurationError) as refused:
        restore(Path(backup.path), folder, force=True)
    assert refused.value.code == "store_in_use"
    assert held(folder) == before


def test_a_folder_that_others_can_write_in_gets_nothing(backup: BackupInfo, tmp_path: Path) -> None:
    open_to_all = tmp_path / "shared"
    open_to_all.mkdir()
    open_to_all.chmod(0o777)
    with pytest.raises(ConfigurationError, match="other users"):
        restore(Path(backup.path), open_to_all, force=False)
    assert names(open_to_all) == set()


@pytest.mark.timeout(180)
def test_a_kill_at_any_moment_leaves_the_old_network_or_the_new(
    new: Path, backup: BackupInfo, folder: Path, tmp_path: Path
) -> None:
    old, whole = held(folder), held(new)
    began = time.monotonic()
    restore(Path(backup.path), tmp_path / "measured", force=False)
    took = time.monotonic() - began
    chance = random.Random()
    kills, outcomes = 0, set()
    while kills < KILLS:
        if not killed_within(chance.uniform(0, 1.2) * took, lambda: restore(Path(backup.path), folder, force=True)):
            aside = max(folder.glob("before-restore-*"), key=lambda path: path.stat().st_mtime_ns)
            assert held(aside) in (old, whole)
            continue
        kills += 1
        finish_restore(folder)
        outcomes.add(held(folder))
        assert outcomes <= {old, whole}
        assert not placing.unfinished(folder)
    restore(Path(backup.path), folder, force=True)
    assert held(folder) == whole
    assert old in [held(aside) for aside in folder.glob("before-restore-*")]


def test_a_decided_restore_is_finished_by_whoever_opens_the_folder_next(
    new: Path, backup: BackupInfo, folder: Path, tmp_path: Path
) -> None:
    restore(Path(backup.path), tmp_path / "staged", force=False)
    stage = placing.stage(folder)
    for name in ("atlas.sqlite3", "keys"):
        (tmp_path / "staged" / name).rename(stage / name)
    placing.decide(folder, "T")
    assert Path(backed_up(folder).path).parent == folder / "backups"
    assert held(folder) == held(new)
    assert (folder / "before-restore-T").is_dir()


def test_a_restore_that_goes_on_elsewhere_is_not_finished_here(folder: Path) -> None:
    placing.stage(folder)
    with owned(folder / "atlas.sqlite3"), pytest.raises(ConfigurationError) as refused:
        finish_restore(folder)
    assert refused.value.code == "store_in_use"
    assert placing.unfinished(folder)


def test_data_of_a_later_schema_is_refused_with_the_version_to_install(
    backup: BackupInfo, folder: Path, tmp_path: Path
) -> None:
    before = held(folder)
    later = rewritten(backup, tmp_path / "later.tar", schema="9999", version="9.0.0")
    with pytest.raises(ConfigurationError, match=r"made by Agentic Atlas 9\.0\.0 \(schema 9999") as refused:
        restore(later, folder, force=True)
    assert refused.value.code == "backup_newer"
    assert held(folder) == before


def test_a_backup_that_does_not_hold_what_it_says_changes_nothing(
    backup: BackupInfo, folder: Path, tmp_path: Path
) -> None:
    before = held(folder)
    other = backed_up(made(tmp_path / "other", 1))
    odd = {
        "of another network": rewritten(backup, tmp_path / "1.tar", network="net_other"),
        "no database": rewritten(backup, tmp_path / "2.tar", {"atlas.sqlite3": b"none" * 1_000}),
        "a damaged database": rewritten(backup, tmp_path / "3.tar", {"atlas.sqlite3": damaged(Path(other.path))}),
        "a trigger": rewritten(backup, tmp_path / "5.tar", {"atlas.sqlite3": changed(Path(other.path), TRIGGER)}),
        "a table less": rewritten(backup, tmp_path / "6.tar", {"atlas.sqlite3": changed(Path(other.path), TABLE_LESS)}),
        "no keys": rewritten(backup, tmp_path / "4.tar", {"keys/ring.json": b"{}"}),
    }
    for what, path in odd.items():
        with pytest.raises(AtlasError) as refused:
            restore(path, folder, force=True)
        assert refused.value.code in ("key_file_refused", "backup_damaged"), what
        assert held(folder) == before, what
        assert not placing.unfinished(folder)
    assert not list(folder.glob("before-restore-*"))


TRIGGER = "CREATE TRIGGER t AFTER INSERT ON api_keys BEGIN UPDATE users SET role = 'admin'; END"
TABLE_LESS = "DROP TABLE events"


def changed(backup: Path, statement: str) -> bytes:
    """Return the database of a backup after a statement."""
    folder = backup.parent / f"unpacked-{statement[:4]}"
    restore(backup, folder, force=False)
    path = folder / "atlas.sqlite3"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(statement)
        connection.execute("PRAGMA journal_mode = DELETE")
    return path.read_bytes()


def damaged(backup: Path) -> bytes:
    """Return the database of a backup with a page of an index overwritten."""
    folder = backup.parent / "unpacked"
    restore(backup, folder, force=False)
    path = folder / "atlas.sqlite3"
    with closing(sqlite3.connect(f"{path.as_uri()}?immutable=1", uri=True)) as connection:
        (root,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'tasks_of_owner'").fetchone()
    data = bytearray(path.read_bytes())
    data[(root - 1) * 4096 : root * 4096] = bytes(4096)
    return bytes(data)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("this user may not mount a file system")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_restore_without_room_leaves_what_was_there(backup: BackupInfo, small_disk: Path) -> None:
    folder = made(small_disk / "data", 3)
    before = held(folder)
    with pytest.raises(Unavailable) as refused:
        restore(Path(backup.path), folder, force=True)
    assert refused.value.code == "storage_full"
    assert held(folder) == before
    assert names(folder) == {"atlas.sqlite3", "atlas.sqlite3.lock", "keys"}
