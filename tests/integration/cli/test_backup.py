"""`atlas backup` with a platform that answers, here or elsewhere; real ones are in tests/e2e/test_backup.py."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agentic_atlas.backend.store.lock import owned
from tests.integration.cli.commands import atlas, complained, printed
from tests.integration.cli.platform_server import Platform
from tests.integration.client.client_server import error


@pytest.fixture
def here(platform: Platform, at_home: Path) -> Path:
    """A backup of the platform's on this machine."""
    platform.backup = at_home / "backups" / "atlas-1.tar"
    platform.backup.parent.mkdir()
    platform.backup.write_bytes(b"whole")
    return platform.backup


def asked(platform: Platform) -> list[str]:
    return [f"{one.method} {one.path}" for one in platform.server.asked]


def test_a_backup_without_a_name_stays_where_the_server_put_it(platform: Platform, here: Path) -> None:
    assert printed(atlas("backup")) == f"Backed up to {here} (0.0 MB).\n"
    assert here.exists()
    assert asked(platform) == ["POST /api/v1/backups"]


@pytest.mark.parametrize(("target", "name"), [("mine.tar", "mine.tar"), (".", "atlas-1.tar")])
def test_a_backup_on_this_machine_is_moved_to_a_file_or_into_a_folder(here: Path, target: str, name: str) -> None:
    told = json.loads(printed(atlas("backup", target, "--json")))
    assert told["path"] == str(Path.cwd() / name)
    assert told["made_at"].startswith("2026-11-22T19:29:08.123")
    assert Path(name).read_bytes() == b"whole"
    assert not here.exists()


def test_a_backup_on_another_machine_is_told_of(platform: Platform) -> None:
    done = atlas("backup", "mine.tar")
    assert printed(done) == "Backed up to /nowhere/backups/atlas-1.tar (1.0 MB).\n"
    assert "It is not moved: that path is on the server's machine" in done.stderr
    assert not Path("mine.tar").exists()


def test_no_backup_is_made_for_a_place_where_it_can_not_be(platform: Platform) -> None:
    Path("mine.tar").write_text("older")
    assert "is there already" in complained(atlas("backup", "mine.tar"), 2)
    assert "there is no folder missing" in complained(atlas("backup", "missing/mine.tar"), 2)
    assert asked(platform) == []


def test_a_backup_that_can_not_be_moved_is_still_told_of(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_path: Path, _target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "rename", full)
    said = complained(atlas("backup", "mine.tar"), 2)
    assert "the backup is made, and is whole" in said
    assert str(here) in said
    assert "No space left on device" in said


def test_who_may_not_is_told_so_and_nothing_is_copied_here(platform: Platform) -> None:
    platform.refuses = error(403, "forbidden", "only an administrator may do this")
    assert "only an administrator may do this" in complained(atlas("backup"))


def test_without_room_at_the_server_it_says_what_to_do(platform: Platform) -> None:
    platform.refuses = error(507, "storage_full", "no room is left for a backup in /data/backups: remove old ones")
    assert complained(atlas("backup")) == "no room is left for a backup in /data/backups: remove old ones"


@pytest.mark.usefixtures("here")
def test_the_backup_of_another_network_than_the_folders_is_not_taken_for_it() -> None:
    folder = Path("data")
    folder.mkdir()
    (folder / "atlas.sqlite3").touch()
    with owned(folder / "atlas.sqlite3"):
        said = complained(atlas("backup", "mine.tar", "--data-dir", "data"), 2)
    assert "may not be the one that uses data: set ATLAS_API_URL" in said
    assert not Path("mine.tar").exists()


@pytest.mark.usefixtures("here")
def test_the_backup_of_another_network_than_the_environments_is_not_taken_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ATLAS_DATA_DIR", "data")
    said = complained(atlas("backup", "mine.tar"), 2)
    assert "may not be the one that uses data: set ATLAS_API_URL" in said
    assert not Path("mine.tar").exists()


@pytest.mark.usefixtures("at_home")
def test_with_no_platform_and_no_data_the_reason_is_the_platforms(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATLAS_API_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("ATLAS_API_KEY", "atlas_key")
    assert complained(atlas("backup")) == (
        "cannot reach Agentic Atlas at http://127.0.0.1:9: nothing answers there; start it with `atlas up`, "
        "or look with `atlas platforms` which ones answer"
    )


@pytest.mark.usefixtures("at_home")
def test_a_platform_elsewhere_that_does_not_answer_is_not_taken_for_the_data_on_this_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ATLAS_API_URL", "https://atlas.invalid:9")
    monkeypatch.setenv("ATLAS_API_KEY", "atlas_key")
    folder = Path("data")
    folder.mkdir()
    (folder / "atlas.sqlite3").touch()
    monkeypatch.setenv("ATLAS_DATA_DIR", str(folder))
    assert "cannot reach Agentic Atlas at https://atlas.invalid:9" in complained(atlas("backup"))


@pytest.mark.usefixtures("at_home")
def test_a_restore_of_what_is_not_there_is_a_matter_of_typing() -> None:
    assert "see `atlas restore --help`" in complained(atlas("restore", "none.tar"), 2)
